package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usherd/connector"
)

// What is typed in the query box of a list may name its filters; the address says afterwards what is shown.
func TestQueryBoxTakesFiltersAsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("ann", connector.Inactive)
	w.fails("office", failed("bob", connector.RequiredMissing), failed("eve", connector.NoSeat))
	b := w.as("operator")
	for typed, want := range map[string]string{
		"/failures?q=" + url.QueryEscape("code:31 reason:no_seat eve"):      "/admin/failures?code=31&q=eve&reason=no_seat",
		"/failures?q=" + url.QueryEscape(" Reason:no_seat ") + "&after=eA":  "/admin/failures?reason=no_seat",
		"/failures?reason=no_seat&q=" + url.QueryEscape("reason:"):          "/admin/failures",
		"/failures?q=" + url.QueryEscape("reason:a reason:b"):               "/admin/failures?reason=b",
		"/failures?q=" + url.QueryEscape(`source:"<b>&org=other" "x  y"`):   "/admin/failures?q=%22x++y%22&source=%3Cb%3E%26org%3Dother",
		"/users?q=" + url.QueryEscape("state:inactive ann"):                 "/admin/users?q=ann&state=inactive",
		"/provisioning?q=" + url.QueryEscape("status:error template:trial"): "/admin/provisioning?status=error&template=trial",
		"/sso/attempts?q=" + url.QueryEscape("code:31 ann"):                 "/admin/sso/attempts?code=31&q=ann",
		"/scim/requests?q=" + url.QueryEscape("client:okta"):                "/admin/scim/requests?client=okta",
	} {
		a := b.get(typed)
		if a.StatusCode != http.StatusSeeOther || strings.TrimSuffix(a.to(), "?") != want {
			t.Errorf("%s: %d %s, want %s", typed, a.StatusCode, a.to(), want)
			continue
		}
		w.want(b.get(strings.TrimPrefix(a.to(), "/admin")), http.StatusOK)
	}
	for _, typed := range []string{"dn:cn=bob", "31:code", ":", "javascript:alert(1)", `"code:31`} {
		w.want(b.get("/failures?q="+url.QueryEscape(typed)), http.StatusOK) // no filter: it is looked for as it is
	}
	w.want(b.get("/failures?code=31&q=eve&reason=no_seat"), http.StatusOK, ">eve<")
	w.not(b.get("/failures?code=31&q=eve&reason=no_seat"), ">bob<")
}

// Failures are counted by reason, found by number, and taken along as a file.
func TestFailuresByKindAndAsAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("operator")
	w.not(b.get("/failures"), "What is open, by reason", "Export CSV")
	w.want(b.get("/failures/export.csv"), http.StatusOK, "ref,person,source,code,reason,")
	w.fails("office", failed("=cmd|calc", connector.NoSeat), failed("bob<i>", connector.NoSeat), failed("שלום", connector.RequiredMissing))
	w.want(b.get("/failures"), http.StatusOK, "What is open, by reason", "<strong>2</strong> <span>no_seat</span>", "code=31&amp;reason=no_seat", "<strong>1</strong> <span>required_missing</span>")
	w.want(b.get("/failures?code=31"), http.StatusOK, "bob&lt;i&gt;")
	for _, none := range []string{"32", "0", "-1", "x", "99999999999999999999"} {
		w.want(b.get("/failures?code="+none), http.StatusOK, "No open failure fits")
	}
	a := b.get("/failures/export.csv?reason=no_seat")
	w.want(a, http.StatusOK, "'=cmd|calc", "bob<i>", ",31,no_seat,Auto account creation failed (31),")
	w.not(a, "שלום")
	if rows := strings.Count(a.text, "\n"); rows != 3 {
		t.Errorf("%d lines:\n%s", rows, a.text)
	}
	w.not(w.as("auditor").get("/failures/export.csv"), "bob<i>", "שלום")
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Target: "failures"})
	if err != nil || len(entries) != 3 {
		t.Errorf("%v %d", err, len(entries))
	}
}
