package console_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

// fails writes failures of people as a run does.
func (w *world) fails(source string, changes ...*connector.Change) {
	w.t.Helper()
	cause := connector.Cause{Kind: connector.CauseRun, Run: connector.NewID(w.now), Actor: "run"}
	err := w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		for _, ch := range changes {
			ch.Source = source
			ch.Anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: ch.Subject}
			for i := range ch.Failures {
				f := &ch.Failures[i]
				f.Source, f.Ref, f.At = source, connector.NewRef(source, ch.Subject, string(f.Reason)), w.now
			}
		}
		_, err := tx.Save(w.t.Context(), changes, cause, w.now)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

var failureLink = regexp.MustCompile(`href="/admin(/failures/[0-9A-Z-]+)"`)

func TestFailuresAreListedRetriedAndDismissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("operator")
	w.want(b.get("/failures"), http.StatusOK, "No open failures")
	w.fails("office", failed("bob", connector.RequiredMissing), failed("eve<i>", connector.NoSeat))
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "okta", Kind: connector.SCIM})
	w.fails("okta", failed("zed", connector.NoSeat))
	a := b.get("/failures")
	w.want(a, http.StatusOK, "bob", "eve&lt;i&gt;", "zed", "no_seat", "Auto account creation failed (31)")
	w.not(b.get("/failures?reason=no_seat"), ">bob<")
	w.not(b.get("/failures?source=okta"), ">bob<")
	w.want(b.get("/failures?q=bo"), http.StatusOK, ">bob<")
	w.want(b.get("/failures?q=nobody"), http.StatusOK, "No open failure fits")
	w.not(w.as("auditor").get("/failures"), ">bob<", "Dismiss")
	w.want(b.get("/"), http.StatusOK, `<span class="count">3</span>`)

	bob := failureLink.FindStringSubmatch(b.get("/failures?q=bob").text)[1]
	w.want(b.get(bob), http.StatusOK, "Last Name", "Copy error text", "Try again…")
	w.want(b.post(bob+"/retry", nil), http.StatusSeeOther)
	if len(w.runner.asked) != 1 || !strings.HasPrefix(w.runner.asked[0], "retry acme office bob by console:operator") {
		t.Errorf("%q", w.runner.asked)
	}
	w.runner.person = &provision.Person{Change: failed("bob", connector.NoSeat)}
	w.want(b.post(bob+"/retry", nil), http.StatusConflict, "All seats of the package")
	w.runner.err = context.DeadlineExceeded
	w.want(b.post(bob+"/retry", nil), http.StatusServiceUnavailable)
	zed := failureLink.FindStringSubmatch(b.get("/failures?q=zed").text)[1]
	w.want(b.get(zed+"/retry"), http.StatusOK, "Only a directory can be asked")
	w.not(b.get(zed), "Try again…")
	w.want(w.as("helpdesk").get(zed+"/dismiss"), http.StatusForbidden)
	w.want(b.post(zed+"/dismiss", url.Values{"reason": {"left"}}), http.StatusSeeOther)
	w.want(b.get(zed), http.StatusNotFound)
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditDismissed})
	if err != nil || len(entries) != 1 || entries[0].Actor.Name != "console:operator" || entries[0].Actor.Reason != "left" {
		t.Errorf("%v %+v", err, entries)
	}
}

func TestApprovalsShowWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	w.want(b.get("/approvals"), http.StatusOK, "Nothing waits for you")
	r := w.aRun(0, waits, held("carol"))
	u := w.create("pia", connector.Verified, func(u *connector.User) { u.PendingApproval = true })
	w.create("ann", connector.Active)
	a := b.get("/approvals")
	w.want(a, http.StatusOK, "2 removals are more than 1", r.ID.String(), "Given pia", path(u, "/approve"), path(u, "/reject"))
	w.not(a, "Given ann")
	w.not(w.as("auditor").get("/approvals"), "Given pia", "/reject")
}

// The list says of each failure when it is tried again, as its source brings people, and which run met it.
func TestFailuresSayWhenTheyAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full := failed("ann", connector.NoSeat)
	full.Failures[0].Package = "standard"
	w.fails("office", full, failed("bob", connector.RequiredMissing))
	for _, kind := range []connector.SourceKind{connector.SCIM, connector.SignIn, connector.Template, connector.Import} {
		w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: string(kind), Kind: kind})
		w.fails(string(kind), failed("of-"+string(kind), connector.RequiredMissing))
	}
	b := w.as("owner")
	a := b.get("/failures")
	w.want(a, http.StatusOK, "when a seat of Standard frees", "by the next full run", "when the identity provider sends it again", "when the person signs in",
		"when the person tries again", "when the file is brought again", "the report of the run")
	w.want(b.get(failureLink.FindStringSubmatch(b.get("/failures?q=ann").text)[1]), http.StatusOK, "when a seat of Standard frees", "the report of the run")
}
