package console_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// The pages of a source in a real browser, with and without script: how it is, the connection test. No page has the browser complain.
func TestSourcesInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		w.explains(entries{
			"ann": {entry("ann", "uid", "ann", "mail", "ann@acme.test", "givenName", "Ann", "sn", "<b>Lee</b>", "title", "=cmd|x")},
			"bob": {entry("bob", "uid", "bob", "mail", "bob@acme.test", "sn", strings.Repeat("Wolfeschlegelsteinhausen", 6), "title", "\u202eשלום")},
		})
		w.runner.level = connector.BrowsePage{At: "ou=People,dc=acme,dc=test", Up: "dc=acme,dc=test", Next: "cn=m", Cut: true, Self: viewedEntry(), Entries: []connector.BrowseEntry{
			{DN: "ou=Sub,ou=People,dc=acme,dc=test", Name: "ou=Sub", Classes: []string{"top", "organizationalUnit"}},
			{DN: "uid=ann,ou=People,dc=acme,dc=test", Name: "uid=ann", Found: true, Leaf: true, Classes: []string{"top", "person", "organizationalPerson", "inetOrgPerson"}},
			{DN: "uid=old,ou=People,dc=acme,dc=test", Name: "cn=" + strings.Repeat("Wolfeschlegelsteinhausen", 4), Found: true, Leaf: true, Outside: "it stands in ou=x, which exclude_ous leaves out", Classes: []string{"inetOrgPerson"}},
		}}
		w.org.Sources[0].Protected.Users = []string{"boss@acme.test"}
		at, missed := w.now.Add(-time.Hour), 0
		w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "branch-with-a-very-long-name-here", Kind: connector.Directory}, connector.SourceSettings{ID: "idp", Kind: connector.SCIM})
		w.runner.standings = []connector.SourceStanding{
			{Org: "acme", Source: "office", Type: "openldap", Status: "ok", Follows: "live", Mechanism: "syncrepl", People: 4812, LastFull: &at, LastChanges: &at, Missed: &missed},
			{
				Org: "acme", Source: "branch-with-a-very-long-name-here", Status: "quarantined", Failures: 4, Since: &at, NextTry: &at, LastFull: &at,
				Error: "ldapsync: bind to ldaps://dc1.acme.test: invalid credentials (49)", Hint: "correct the password of the service account",
			},
			{Org: "acme", Source: "idp", Status: "pushes"},
		}
		for n := range 20 {
			w.aRun(n%2, func(r *connector.Run) {
				if n == 7 {
					r.Result, r.Error = connector.ResultFailed, "connection refused"
				}
			})
		}
		w.runner.steps = []connector.CheckStep{
			{Name: "resolve", Server: "ldaps://dc1.acme.test", Detail: "192.0.2.7; 192.0.2.8", Took: 1500 * time.Microsecond},
			{Name: "tls", Server: "ldaps://dc1.acme.test", Detail: "TLS 1.3; CN=dc1.acme.test until 2027-01-01; issued by CN=Acme Root", Took: 12 * time.Millisecond},
			{Name: "bind", Server: "ldaps://dc1.acme.test", Took: 20 * time.Millisecond, Err: &connector.Error{
				Kind: connector.Denied, Op: "ldapsync: bind", Err: errors.New("invalid credentials (49)"), Hint: "correct the password of the service account",
			}},
		}
		srv := w.listens()
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/sources", "owner")
		if script {
			shoot(t, b, srv.URL, "/sources", "sources")
			shoot(t, b, srv.URL, "/sources/office", "source")
			shoot(t, b, srv.URL, "/sources/branch-with-a-very-long-name-here", "source-quarantined")
			for _, name := range []string{"connection", "scope", "mapping", "schedule", "safety"} {
				shoot(t, b, srv.URL, "/sources/office/"+name, "source-"+name)
			}
			shoot(t, b, srv.URL, explainPath("ann"), "source-explain")
			shoot(t, b, srv.URL, explainPath("bob"), "source-explain-refused")
			shoot(t, b, srv.URL, "/sources/office/browse?at=ou%3DPeople%2Cdc%3Dacme%2Cdc%3Dtest", "source-browse")
			entries := w.runner.level.Entries
			w.runner.level.Entries = nil
			shoot(t, b, srv.URL, "/sources/office/browse?at=cn%3DAnn%2Cou%3DPeople%2Cdc%3Dacme%2Cdc%3Dtest", "source-entry")
			w.runner.level.Entries = entries
		}
		b.Open(srv.URL + "/sources")
		b.Click(`article a[href="/sources/office"]`)
		b.Click(`.tabs a[href="/sources/office/connection"]`)
		b.Click(".actions a")
		b.Click("button.act")
		if got := b.Text(".flash"); !strings.HasPrefix(got, "The way does not lead there") {
			t.Error(got)
		}
		if script && shots != "" {
			picture(t, b, "source-test")
		}
		if got := b.Text(".failcard code"); got != "denied" {
			t.Error(got)
		}
		b.Open(srv.URL + "/sources/office/browse")
		b.Click("tbody a")
		b.Click("td a")
		if got := b.Text("h1"); got != "Explain an entry" {
			t.Error(got)
		}
		b.Open(srv.URL + "/sources/office/mapping")
		b.Type("#entry", "ann")
		b.Click("main button.act")
		if got := b.Text(".announce"); !strings.HasPrefix(got, "This is what a run would do now") {
			t.Error(got)
		}
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}
