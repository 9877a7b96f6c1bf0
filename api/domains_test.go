package api_test

import (
	"net/http"
	"testing"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/domains/dnstest"
)

// withNames gives a world a real name server, and has a proof verify whom no directory knows.
func withNames(tb testing.TB) (edit func(*world), dns *dnstest.Server) {
	tb.Helper()
	dns, err := dnstest.Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = dns.Close() })
	return func(w *world) {
		w.dns = dns
		for _, o := range w.orgs {
			o.ReevaluateOnDomainVerified = true
		}
	}, dns
}

// address gives somebody an e-mail.
func address(email string) func(*connector.Record) {
	return func(r *connector.Record) {
		for i := range r.Attributes {
			if r.Attributes[i].Name == "email" {
				r.Attributes[i].Values = [][]byte{[]byte(email)}
			}
		}
	}
}

// A domain is added, looked at, proven by the name server, claimed, released and forgotten; its people become verified by the proof.
func TestDomainsByAPI(t *testing.T) {
	t.Parallel()
	edit, dns := withNames(t)
	w := newWorld(t, edit)
	c := w.client("acme", connector.APIRead, connector.APIDomains)
	ann := w.person("acme", "ann", address("ann@räksmörgås.test"))
	w.person("acme", "bob", nil)
	w.person("beta", "pia", address("pia@sub.xn--rksmrgs-5wao1o.test"))
	if ann.State != connector.NotVerified {
		t.Fatal(ann.State)
	}

	const where = "/orgs/acme/domains/xn--rksmrgs-5wao1o.test"
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, where, nil)
	effect := get[api.DomainEffect](c, where+"/preview")
	if effect.Verified != 1 || effect.Active != 0 || effect.Elsewhere != 1 || len(effect.People) != 1 || effect.People[0].UserName != "ann" || effect.People[0].Becomes != connector.Verified {
		t.Errorf("%+v", effect)
	}
	r := c.want(http.StatusCreated, http.MethodPost, "/orgs/acme/domains", map[string]string{"domain": "Räksmörgås.test"})
	added := read[api.AddedDomain](w, r)
	if r.Header.Get("Location") != "/api/v1"+where || added.Verified || added.Shared || added.Domain.Domain != "xn--rksmrgs-5wao1o.test" {
		t.Fatalf("%s %+v", r.Header.Get("Location"), added)
	}
	c.refused(http.StatusConflict, "conflict", http.MethodPost, "/orgs/acme/domains", map[string]string{"domain": "RÄKSMÖRGÅS.test"})
	c.refused(http.StatusConflict, "refused", http.MethodPost, where+"/claim", nil)
	check := func(finding domains.Finding, verified bool) *api.CheckedDomain {
		t.Helper()
		got := read[api.CheckedDomain](w, c.want(http.StatusOK, http.MethodPost, where+"/check", nil))
		if got.Finding != finding || got.Verified != verified || (got.Next == "") != (finding == domains.Proven) {
			t.Errorf("%+v", got)
		}
		return got
	}
	check(domains.NoRecord, false)
	dns.SetTXT("xn--rksmrgs-5wao1o.test", added.Record)
	if got := check(domains.Proven, true); got.Moved != 1 {
		t.Errorf("%+v", got)
	}
	if u := get[api.User](c, "/orgs/acme/users/ann"); u.State != connector.Verified {
		t.Error(u.State)
	}
	claimed := read[api.ClaimedDomain](w, c.want(http.StatusOK, http.MethodPost, where+"/claim", nil))
	if !claimed.Claimed || claimed.Elsewhere != 1 {
		t.Errorf("%+v", claimed)
	}
	dns.Remove("xn--rksmrgs-5wao1o.test")
	if got := check(domains.NoRecord, true); got.KeptUntil == nil {
		t.Errorf("%+v", got)
	}
	for range 2 {
		if got := read[api.Domain](w, c.want(http.StatusOK, http.MethodPost, where+"/release", nil)); got.Claimed || !got.Verified {
			t.Errorf("%+v", got)
		}
	}
	if got := get[api.DomainList](c, "/orgs/acme/domains"); len(got.Domains) != 2 || got.Domains[1].Failing == nil {
		t.Errorf("%+v", got)
	}
	c.want(http.StatusNoContent, http.MethodDelete, where, nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodDelete, where, nil)
}

// The domains of others are nobody's business, and what is no domain is told by place.
func TestOtherDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead, connector.APIDomains)
	for _, path := range []string{"/check", "/claim", "/release"} {
		c.refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/acme/domains/beta.test"+path, nil)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/domains/beta.test", nil)
	for _, name := range []string{"com", "1.2.3.4", "a..b", "%20"} {
		if p := c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/domains/"+name, nil); p.Errors[0].Location != "path.domain" {
			t.Errorf("%s: %+v", name, p.Errors)
		}
	}
	p := c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, "/orgs/acme/domains", map[string]string{"domain": "no domain"})
	if p.Errors[0].Location != "body.domain" {
		t.Errorf("%+v", p.Errors)
	}
}
