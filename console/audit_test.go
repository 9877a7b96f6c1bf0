package console_test

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usherd/connector"
)

func TestAuditTrailIsShownVerifiedAndExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.create("ann", connector.Active)
	b := w.as("owner")
	w.want(b.post(path(u, "/deactivate"), url.Values{"reason": {"<b>left</b>"}}), http.StatusSeeOther)
	a := b.get("/audit")
	w.want(a, http.StatusOK, "console:owner", "user.deactivated", "&lt;b&gt;left&lt;/b&gt;", `href="/admin/users/`+u.ID.String()+`"`, "active → inactive")
	w.not(a, "<b>left</b>", "ann@example.com")
	w.not(b.get("/audit?actor=cli"), "user.deactivated")
	w.want(b.get("/audit?actor=console:&action=user.deactivated"), http.StatusOK, "console:owner")
	w.want(b.get("/audit?after=bm9uZQ"), http.StatusNotFound)
	w.want(b.get("/audit/verify"), http.StatusOK, "entries, unbroken")
	a = b.get("/audit/export.jsonl")
	if n := strings.Count(a.text, "\n"); a.StatusCode != http.StatusOK || n < 2 || !strings.Contains(a.text, `"hash"`) {
		t.Error(a.StatusCode, a.text)
	}
	w.want(b.get("/audit?action=user.deactivated"), http.StatusOK, `href="/admin/audit/export.csv?action=user.deactivated"`)
	w.want(b.post(path(w.create("eve", connector.Active), "/deactivate"), url.Values{"reason": {"=1+1"}}), http.StatusSeeOther)
	rows, err := csv.NewReader(strings.NewReader(b.get("/audit/export.csv?action=user.deactivated").text)).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][2] != "console:owner" || rows[1][6] != "'=1+1" || rows[2][6] != "<b>left</b>" {
		t.Errorf("%v %q", err, rows)
	}
	for range 60 {
		w.want(b.post(path(w.create("x"+connector.NewID(w.now).Short(), connector.Active), "/deactivate"), nil), http.StatusSeeOther)
	}
	if m := nextLink.FindStringSubmatch(b.get("/audit").text); m == nil {
		t.Error("there is no second page")
	} else {
		w.want(b.get(m[1]), http.StatusOK, "user.deactivated")
	}
}

// Whoever is told a number finds what it means, and how the steps that help stand in the organization.
func TestErrorCodesHaveTheirChecklists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("pia", connector.Verified, func(u *connector.User) { u.PendingApproval = true })
	w.fails("office", failed("bob", connector.RequiredMissing))
	b := w.as("helpdesk")
	w.want(b.get("/errors"), http.StatusOK, "Auto account creation failed (31)", "no_seat")
	a := b.get("/errors/31")
	w.want(a, http.StatusOK, "uid and updatetimestamp are not required", `id="no_seat"`, "3 of 3 free", `reason=required_missing">1<`, "accounts to approve: ", "active=any", "Det gick inte att skapa kontot automatiskt (31)")
	w.not(b.get("/errors/18"), "uid and updatetimestamp")
	w.want(b.get("/errors/99"), http.StatusNotFound)
	w.want(b.get("/errors/x"), http.StatusNotFound)
}
