package console_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/provision"
)

// LookupTXT is DNS as the tests want it.
func (w *world) LookupTXT(_ context.Context, name string) ([]string, error) { return w.txt[name], nil }

func (w *world) keeper(org *connector.Organization, p *provision.Provisioner) *domains.Keeper {
	return &domains.Keeper{Store: w.db, Org: org, Resolver: w, Now: w.clock, Verified: p.DomainVerified}
}

var proof = regexp.MustCompile(`usherd-verification=[^<]+`)

func TestDomainsAreAddedProvenClaimedAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.ReevaluateOnDomainVerified = true
	w.create("ann", connector.NotVerified)
	b := w.as("operator")
	w.want(b.get("/domains"), http.StatusOK, "No domains")
	w.want(b.post("/domains/add", url.Values{"name": {"com"}}), http.StatusUnprocessableEntity, `role="alert"`, `value="com"`)
	if a := b.post("/domains/add", url.Values{"name": {"Example.com"}}); a.to() != "/admin/domains/of/example.com" {
		t.Fatal(a.StatusCode, a.to())
	}
	w.want(b.post("/domains/add", url.Values{"name": {"example.com"}}), http.StatusUnprocessableEntity, "already")
	a := b.get("/domains/of/example.com")
	w.want(a, http.StatusOK, "Not proven yet", "usherd-verification=", "Check now")
	w.not(a, "Claim…")
	w.want(b.get("/domains/of/example.com/effect"), http.StatusOK, "become verified with the proof", "Given ann")
	w.want(b.post("/domains/of/example.com/check", nil), http.StatusSeeOther)
	w.want(b.get("/domains/of/example.com"), http.StatusOK, "the record was not found")
	w.want(b.post("/domains/of/example.com/claim", nil), http.StatusConflict, "verify it first")
	w.txt = map[string][]string{"example.com.": {proof.FindString(a.text)}}
	w.want(b.post("/domains/of/example.com/check", nil), http.StatusSeeOther)
	w.want(b.get("/domains/of/example.com"), http.StatusOK, "example.com is verified.", "Claim…")
	if u := w.user("ann"); u.State != connector.Verified {
		t.Error(u.State)
	}
	w.want(b.post("/domains/of/example.com/claim", nil), http.StatusSeeOther)
	w.want(b.get("/domains"), http.StatusOK, "Claimed", "Verified")
	w.want(b.post("/domains/of/example.com/release", nil), http.StatusSeeOther)
	w.want(w.as("helpdesk").get("/domains/of/example.com/remove"), http.StatusForbidden)
	w.want(b.post("/domains/of/example.com/remove", nil), http.StatusSeeOther)
	w.want(b.get("/domains/of/example.com"), http.StatusNotFound)
	w.want(b.get("/domains/of/no%20name"), http.StatusNotFound)
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Target: "domain example.com"})
	if err != nil || len(entries) != 4 || entries[0].Action != connector.AuditDomainRemoved || entries[0].Actor.Name != "console:operator" {
		t.Errorf("%v %+v", err, entries)
	}
}
