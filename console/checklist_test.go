package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usherd/connector"
)

// signs keeps what came of somebody's sign-ins, the first one first.
func (w *world) signs(person string, reasons ...connector.Reason) {
	w.t.Helper()
	for _, reason := range reasons {
		x := connector.Attempt{ID: connector.NewID(w.now), Org: "acme", Source: "entra", At: w.now, Person: person, Reason: reason, Ref: "7KQ2-M4ZT"}
		if reason != "" {
			x.Code = connector.CodeCreation
		}
		if err := w.db.PutAttempt(w.t.Context(), x); err != nil {
			w.t.Fatal(err)
		}
	}
}

// The two checklists are answered for the organization, and for one person: with an account, without one, and whoever it is.
func TestChecklistsAreAnsweredForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.create("ann", connector.Inactive, func(u *connector.User) { u.Resume = connector.Active })
	pia := w.create("pia", connector.Verified, func(u *connector.User) { u.PendingApproval, u.Package = true, "standard" })
	w.create("bare", connector.Active, func(u *connector.User) { u.Profile.Set(connector.FamilyName, "") })
	w.fails("office", failed("bob<i>", connector.RequiredMissing), failed("bob<i>more", connector.NoSeat), failed("eve", connector.NoSeat))
	w.signs("bob<i>", connector.MemberStatusPresent, connector.MemberStatusPresent, "")
	w.signs("zoe", connector.MemberStatusPresent)
	b := w.as("helpdesk")

	w.want(b.get("/errors/31"), http.StatusOK, "With Member Status, of the last 4 sign-ins: ", ">3</a>", "It has one", "within a day <a href", ">3</a> · within 7 days")
	w.not(b.get("/errors/31"), "What is known of the person")
	w.not(b.get("/errors/18"), "Answer for one person", "Has the organization a partner ID")

	bob := b.get("/errors/31?user=" + url.QueryEscape("BOB<i>"))
	w.want(bob, http.StatusOK, "No account goes by this.", "There is no account that could wait", "Missing: <a", "Last Name", "of the last 3 sign-ins: <a", ">2</a>",
		"/admin/users?active=any&amp;q=BOB%3Ci%3E", "no account\nError: ", "sign-in by entra at ", "31 member_status_present, ref 7KQ2-M4ZT")
	w.not(bob, "<i>", "waits for a seat")
	w.want(b.get("/errors/31?user=eve"), http.StatusOK, "waits for a seat", "#waiting")
	w.want(b.get("/errors/31?user=nobody"), http.StatusOK, "No account goes by this.", "No failure about this person is open.", "of the last 0 sign-ins: 0")

	w.want(b.get("/errors/31?user="+ann.ID.String()), http.StatusOK, "Given ann", path(ann, "/reactivate"), "Nothing is missing in the account", "does not wait for approval", ": inactive")
	w.want(b.get("/errors/31?user=PIA@example.com"), http.StatusOK, "has a seat", path(pia, "/approve"), "nothing to reactivate", "verified, waits for approval, package standard")
	w.want(b.get("/errors/31?user=bare"), http.StatusOK, "Missing: <a", "Last Name")
	w.org.PartnerID = ""
	w.want(b.get("/errors/31?user="+url.QueryEscape(strings.Repeat("ש", 400))), http.StatusOK, "It has none")
	w.want(b.get("/errors/31?user=ann&lang=sv"), http.StatusOK, "Vad som är känt om personen")

	masked := w.as("auditor").get("/errors/31?user=" + ann.ID.String())
	w.want(masked, http.StatusOK, "an operator or the help desk can reactivate it")
	w.not(masked, "Given ann", "<bdi>ann", "/reactivate")

	w.want(b.get(path(ann, "")), http.StatusOK, "/errors/31?user="+ann.ID.String())
	ref := failureLink.FindStringSubmatch(b.get("/failures?q=eve").text)[1]
	w.want(b.get(ref), http.StatusOK, "/errors/31?user=eve")
	w.not(w.as("auditor").get(ref), "user=eve")
}
