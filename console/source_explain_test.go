package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/schedule"
	"usherd/connector/sources"
)

// entries are a source with a few records, which it finds by user name.
type entries map[string][]*connector.Record

func (e entries) Find(_ context.Context, key string) ([]*connector.Record, error) { return e[key], nil }

func (entries) Lookup(context.Context, connector.Anchor) (*connector.Record, connector.Presence, error) {
	return nil, connector.PresenceUnknown, errors.New("nobody asks for that")
}

func (entries) Read(context.Context, func(*connector.Record) error) (connector.ReadResult, error) {
	return connector.ReadResult{}, errors.New("nobody reads that")
}

// entry is a record of an inetOrgPerson.
func entry(uid string, attributes ...string) *connector.Record {
	r := &connector.Record{
		Anchor: connector.Anchor{Kind: connector.EntryUUID, Raw: fmt.Sprintf("%016s", uid)}, DN: "uid=" + uid + ",dc=acme,dc=test", Enabled: connector.EnabledYes,
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		r.Attributes = append(r.Attributes, connector.Attribute{Name: attributes[i], Values: [][]byte{[]byte(attributes[i+1])}})
	}
	return r
}

// explains makes the console explain these entries with the real mapping and the real rules.
func (w *world) explains(e entries) {
	w.t.Helper()
	m, faults := mapping.Compile(mapping.Config{Preset: "openldap", Attributes: map[string]mapping.Rule{"title": {"title", "employeeType"}}})
	if len(faults) > 0 {
		w.t.Fatal(faults)
	}
	w.office()
	x := w.set.Organizations[0].Sources["office"]
	x.Mapping = m
	x.Settings = append(x.Settings, sources.Setting{Key: "mapping.attributes.title", Value: "[title, employeeType]", Line: 41})
	x.Scope = &sources.Scope{
		Bases: []string{"dc=acme,dc=test"}, Exclude: []string{"ou=Old,dc=acme,dc=test"}, Filter: "(&(objectClass=inetOrgPerson)(!(employeeType=robot)))",
		Criteria: connector.Criterion{Kind: connector.CriterionAll, Parts: []connector.Criterion{
			{Kind: connector.CriterionEqual, Attribute: "objectClass", Value: "inetOrgPerson"},
			{Kind: connector.CriterionNot, Parts: []connector.Criterion{{Kind: connector.CriterionEqual, Attribute: "employeeType", Value: "<robot>"}}},
		}},
	}
	prov := provision.New(provision.Options{Store: w.db, Org: w.org, Mappings: map[string]*mapping.Mapping{"office": m}, Now: w.clock})
	w.runner.explain = func(ctx context.Context, key string) (*provision.Person, error) {
		return prov.Person(ctx, provision.PersonRequest{Source: "office", From: e, Key: key, Preview: true})
	}
}

func explainPath(entry string) string {
	return "/sources/office/explain?" + url.Values{"entry": {entry}}.Encode()
}

func TestAnEntryIsExplainedFromFindingItToTheState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("Wolfeschlegelsteinhausen", 30)
	gone := entry("left")
	gone.OutOfScope = "it stands in ou=Old, which exclude_ous leaves out"
	twins := []*connector.Record{entry("twin1"), entry("twin2")}
	w.explains(entries{
		"ann":     {entry("ann", "uid", "ann", "mail", "ann@acme.test", "givenName", "Ann", "sn", "<b>Lee</b>", "title", "=cmd|x", "employeeType", "\u202eשלום")},
		"unnamed": {entry("unnamed", "uid", "unnamed", "mail", "unnamed@acme.test", "sn", long)},
		"left":    {gone}, "twin": twins,
	})
	b := w.as("helpdesk")
	w.want(b.get("/sources/office/explain"), http.StatusOK, "Name one entry", `name="entry"`)
	if len(w.runner.asked) > 0 {
		t.Error(w.runner.asked)
	}
	a := b.get(explainPath("ann"))
	w.want(a, http.StatusOK, "Nothing was changed", "more attributes have rules", "uid=ann,dc=acme,dc=test", "Nobody has this account yet", "All rules are kept", "Becomes: Not verified", "An account would be created",
		"&lt;b&gt;Lee&lt;/b&gt;", "mail = ann@acme.test", `<code class="used">title</code>`, "=cmd|x")
	w.not(a, "<b>Lee")
	a = b.get(explainPath("unnamed"))
	w.want(a, http.StatusOK, "A rule is broken", "It would be refused", `<span class="fault">missing</span>`, "<code>required_missing</code>", "<textarea readonly", long[:150])
	w.not(a, long)
	w.want(b.get(explainPath("left")), http.StatusOK, "exclude_ous leaves out", "The entry would be skipped: there is no account")
	w.want(b.get(explainPath("twin")), http.StatusOK, "fits several entries", "entry=uid%3Dtwin2%2Cdc%3Dacme%2Cdc%3Dtest")
	w.want(b.get(explainPath("<i>nobody")), http.StatusOK, "Nobody in this source has", "&lt;i&gt;nobody")
	w.want(b.get("/sources/office/explain?lang=sv&entry=ann"), http.StatusOK, "Ett konto skulle skapas", "Blir: Ej verifierad")
	w.want(w.as("auditor").get(explainPath("ann")), http.StatusForbidden)
	if list, _, err := w.db.ListUsers(t.Context(), connector.UserQuery{Org: "acme", Limit: 10}); err != nil || len(list) > 0 {
		t.Error("somebody was created", err)
	}
}

func TestAnEntryOfAnAccountLeadsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.create("ann", connector.Active)
	w.org.Matching = []string{connector.UserName}
	w.explains(entries{"ann": {entry("ann", "uid", "ann", "mail", "ann@acme.test", "givenName", "Ann", "sn", "Lee")}})
	w.want(w.as("operator").get(explainPath("ann")), http.StatusOK, "The account ann, by an attribute that matches", "/admin/users/"+u.ID.String(), "What would change", "<del><bdi>Given</bdi></del>", "<ins><bdi>Ann</bdi></ins>")
}

func TestADirectoryThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.explains(nil)
	w.runner.explain = func(context.Context, string) (*provision.Person, error) {
		return nil, &connector.Error{Kind: connector.Unavailable, Op: "ldapsync: connect", Err: errors.New("<b>refused</b>"), Hint: "look whether the server runs"}
	}
	b := w.as("operator")
	w.want(b.get(explainPath("ann")), http.StatusOK, "<code>unavailable</code>", "&lt;b&gt;refused", "look whether the server runs", "what to do:")
	w.runner.err = &connector.Error{Kind: connector.NotFound, Op: "ldapsync: browse", Err: errors.New(`"dc=x" stands below none of the bases`)}
	w.want(b.get("/sources/office/browse?at=dc%3Dx"), http.StatusOK, "<code>not_found</code>", "none of the bases")
}

// Where a directory does not accept the service account, pages do not ask again, which could lock it, until a test succeeds.
func TestADeniedAccountIsNotTriedAgainByAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.explains(nil)
	w.runner.desk = sources.NewDesk(w.clock)
	tries := 0
	w.runner.explain = func(context.Context, string) (*provision.Person, error) {
		tries++
		return nil, &connector.Error{Kind: connector.Denied, Op: "ldapsync: bind", Err: errors.New("invalid credentials"), Hint: "correct the password"}
	}
	b := w.as("operator")
	look := func(want int) {
		t.Helper()
		for range 3 {
			w.want(b.get(explainPath("ann")), http.StatusOK, "<code>denied</code>", "correct the password")
		}
		if tries != want {
			t.Errorf("%d tries, want %d", tries, want)
		}
	}
	look(1)
	w.want(b.get("/sources/office/browse?at=dc%3Dacme%2Cdc%3Dtest"), http.StatusOK, "<code>denied</code>")
	w.want(b.post("/sources/office/test", nil), http.StatusOK, "The way leads there")
	look(2)
	w.runner.desk.Forget() // as with another configuration
	look(3)
	w.now = w.now.Add(time.Hour)
	b = w.as("operator")
	look(4)
}

// Only a few pages ask directories at a time: the others wait, and are told so when they have waited in vain.
func TestOnlyAFewPagesAskDirectoriesAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.explains(nil)
	w.runner.desk = sources.NewDesk(w.clock)
	b := w.as("operator")
	asks, end := make(chan struct{}, 100), make(chan struct{})
	w.runner.asking = func(ctx context.Context) error {
		asks <- struct{}{}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 10*time.Second {
			t.Error("the question has no end")
		}
		<-end
		return errors.New("the end")
	}
	answers := make(chan answer, 4)
	for range 4 {
		c := &browser{w, b.cookies, b.from}
		go func() { answers <- c.get("/sources/office/browse?at=dc%3Dacme%2Cdc%3Dtest") }()
		<-asks
	}
	w.want(b.get("/sources/office/browse?at=dc%3Dacme%2Cdc%3Dtest"), http.StatusServiceUnavailable, "Others ask directories now")
	if len(asks) > 0 {
		t.Error("a fifth one has asked")
	}
	close(end)
	for range 4 {
		w.want(<-answers, http.StatusOK, "the end")
	}
}

func TestADirectoryIsBrowsedLevelByLevel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.explains(nil)
	b := w.as("helpdesk")
	w.want(b.get("/sources/office/browse"), http.StatusOK, "Begin at a base", `href="/admin/sources/office/browse?at=dc%3Dacme%2Cdc%3Dtest"`)
	w.runner.level = connector.BrowsePage{At: "ou=x,dc=acme,dc=test", Up: "dc=acme,dc=test", Next: "cn=z<z", Cut: true, Self: viewedEntry(), Entries: []connector.BrowseEntry{
		{DN: "ou=Sub,ou=x,dc=acme,dc=test", Name: "ou=Sub", Classes: []string{"organizationalUnit"}},
		{DN: "cn=<b>Ann</b>,ou=x,dc=acme,dc=test", Name: "cn=<b>Ann</b>", Found: true, Leaf: true, Classes: []string{"inetOrgPerson"}},
		{DN: "cn=Old,ou=x,dc=acme,dc=test", Name: "cn=Old", Found: true, Leaf: true, Outside: "it stands in ou=x, which exclude_ous leaves out"},
	}}
	a := b.get("/sources/office/browse?at=ou%3Dx%2Cdc%3Dacme%2Cdc%3Dtest&begins=a")
	w.want(a, http.StatusOK, "&lt;b&gt;Ann", "organizationalUnit", "at=ou%3DSub%2Cou%3Dx", "entry=cn%3D%3Cb%3EAnn", "Out of scope", "exclude_ous leaves out", `rel="next"`, "more entries here than the first thousand", `value="a"`)
	w.want(a, http.StatusOK, "What is in this entry", "ACCOUNTDISABLE, NORMAL_ACCOUNT", "never", `datetime="2026-01-05T08:00:00Z"`, "20480 bytes", "&lt;i&gt;ann@acme.test", "and 3 values more")
	w.not(a, "<b>Ann", "<i>ann")
	next := strings.ReplaceAll(between(a.text, `rel="next" href="/admin`, `"`), "&amp;", "&")
	b.get(next)
	if got := w.runner.asked[len(w.runner.asked)-1]; got != "browse acme office {At:ou=x,dc=acme,dc=test Begins:a After:cn=z<z Limit:50}" {
		t.Error(got)
	}
	w.runner.level = connector.BrowsePage{At: "dc=acme,dc=test"}
	w.want(b.get("/sources/office/browse?at=dc%3Dacme%2Cdc%3Dtest"), http.StatusOK, "Nothing stands here")
	w.want(b.get("/sources/office/browse?at="+strings.Repeat("x", 2000)), http.StatusNotFound)
	w.want(w.as("auditor").get("/sources/office/browse"), http.StatusForbidden)
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	out, _, _ := strings.Cut(rest, to)
	return out
}

func TestScopeMappingSafetyAndScheduleInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Sources[0].Guard = connector.Guard{Min: 5, Percent: 2.5, AttributePercent: 50, ExpiresAfter: connector.Duration(24 * time.Hour)}
	w.org.Sources[0].Protected = connector.Protected{Users: []string{"boss@acme.test"}, Groups: []string{"cn=vip,dc=acme"}}
	w.explains(nil)
	b := w.as("auditor")
	w.want(b.get("/sources/office/scope"), http.StatusOK, "Not counted yet", "Looked for below", "ou=Old,dc=acme,dc=test", "all of these:", "it is of the class inetOrgPerson", "employeeType is &lt;robot&gt;", "usherd.yaml:17")
	at := w.now.Add(-time.Hour)
	w.runner.standings = []connector.SourceStanding{{Org: "acme", Source: "office", Status: "ok", People: 1, LastFull: &at, Follows: "live"}}
	w.want(b.get("/sources/office/scope?lang=pl"), http.StatusOK, "1 wpis w ostatnim pełnym odczycie")
	w.want(b.get("/sources/office/mapping?lang=en"), http.StatusOK, "usherd.yaml:41", "employeeType", "preset", "required: nobody is created without it")
	w.not(b.get("/sources/office/mapping"), `name="entry"`)
	a := b.get("/sources/office/safety")
	w.want(a, http.StatusOK, "up to 5 people or 2.5 %", "after 24\u00a0h", "usherd.yaml:30", "b•••@acme.test", "cn=vip,dc=acme")
	w.not(a, "boss@")
	w.want(w.as("operator").get("/sources/office/safety"), http.StatusOK, "boss@acme.test")
	w.now = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC) // Friday before clocks are put forward in Stockholm
	a = w.as("owner").get("/sources/office/schedule")
	w.want(a, http.StatusOK, "At 06:30, Monday–Friday.", "The clock is that of Europe/Stockholm.", "up to 5\u00a0min later", "as they happen", "2026-03-30 06:30 CEST", "2026-03-30 04:30 UTC", "clocks are put forward", "<code>30 6 * * 1-5</code>")
	if n := strings.Count(a.text, " UTC</td>"); n != 10 {
		t.Errorf("%d times", n)
	}
	w.set.Organizations[0].Sources["office"].Schedule = nil
	w.want(w.as("owner").get("/sources/office/schedule"), http.StatusOK, "It does not start by itself")
	w.set.Organizations[0].Sources = nil
	for _, page := range []string{"scope", "mapping", "schedule", "explain", "browse"} {
		w.want(w.as("owner").get("/sources/office/"+page), http.StatusNotFound)
	}
}

func TestCronInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.explains(nil)
	b := w.as("owner")
	for line, want := range map[string]string{
		"*/15 * * * *": "Every 15 minutes, every day.", "* * * * *": "Every minute, every day.", "5 * * * 0,6": "Every hour at minute 5, Sunday, Saturday.",
		"0 */4 * * *": "Every 4 hours at minute 0, every day.", "0 2,14 1 * *": "At 02:00, 14:00, on day 1 of each month.",
		"0 2 1 6 *": "At the times of this line of cron:", "1-5 2 * * *": "At the times of this line of cron:", "0 2 1 * 1": "At the times of this line of cron:", "0 2 * * MON": "At the times of this line of cron:",
	} {
		s, faults := schedule.Parse(schedule.Config{Cron: line, Timezone: "UTC"})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		w.set.Organizations[0].Sources["office"].Schedule = s
		w.want(b.get("/sources/office/schedule"), http.StatusOK, want)
	}
}

// viewedEntry has a value of each kind.
func viewedEntry() []connector.EntryAttribute {
	return []connector.EntryAttribute{
		{Name: "objectGUID", Values: []connector.EntryValue{{Text: "12345678-1234-5678-1122-334455667788"}}},
		{Name: "userAccountControl", Values: []connector.EntryValue{{Text: "514", Flags: []string{"ACCOUNTDISABLE", "NORMAL_ACCOUNT"}}}},
		{Name: "accountExpires", Values: []connector.EntryValue{{Text: "0", Never: true}}},
		{Name: "whenChanged", Values: []connector.EntryValue{{Text: "20260105080000.0Z", At: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}}},
		{Name: "jpegPhoto", Values: []connector.EntryValue{{Bytes: 20480}}},
		{Name: "mail", Values: []connector.EntryValue{{Text: "<i>ann@acme.test"}, {Text: "ann.lee@acme.test"}}, More: 3},
	}
}
