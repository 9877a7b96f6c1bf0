package api_test

import (
	"net/http"
	"strings"
	"testing"

	"usherd/api"
	"usherd/connector"
)

// elsewhere are people of beta with addresses of acme's domain.
func elsewhere(w *world, names ...string) {
	w.Helper()
	for _, name := range names {
		w.person("beta", name, func(r *connector.Record) {
			for i := range r.Attributes {
				if r.Attributes[i].Name == "email" {
					r.Attributes[i].Values = [][]byte{[]byte(name + "@acme.test")}
				}
			}
		})
	}
}

func TestUsersAreClaimed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.orgs["beta"].Packages[0].Seats = 10 })
	elsewhere(w, "ann", "bob", "cem", "dan")
	w.person("beta", "eve", nil)
	c := w.client("acme", connector.APIClaims, connector.APIRead)
	var all []api.Candidate
	for next := ""; ; {
		page := get[api.Candidates](c, "/orgs/acme/claim-candidates?limit=3&after=%s", next)
		if all = append(all, page.Candidates...); page.Next == "" {
			break
		}
		next = page.Next
	}
	if len(all) != 4 || !all[0].CanBe || all[0].Since == nil {
		t.Fatalf("%+v", all)
	}
	if r := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/claim-candidates", nil); strings.Contains(string(r.body), "beta") {
		t.Errorf("it tells of the other organization: %s", r.body)
	}
	ask := map[string]any{"users": []string{all[0].ID, all[1].ID, all[2].ID, all[3].ID}, "emails": []string{"eve@beta.test", "nobody@acme.test", all[0].Email}}
	results := func(path string, want ...string) []api.Candidate {
		t.Helper()
		got := read[api.Claimed](w, c.want(http.StatusOK, http.MethodPost, path, ask)).Users
		if len(got) != len(want) {
			t.Fatalf("%+v", got)
		}
		for i, reason := range want {
			if got[i].CanBe != (reason == "") || reason != "" && got[i].Failures[0].Reason != reason {
				t.Errorf("%s: %+v, want %q", got[i].Email, got[i], reason)
			}
		}
		return got
	}
	want := []string{"", "", "", "no_seat", "domain_not_verified", "nobody_to_claim"}
	results("/orgs/acme/claims/preview", want...)
	if list := get[api.ClaimList](c, "/orgs/acme/claims"); len(list.Claims) != 0 {
		t.Errorf("a preview has claimed: %+v", list)
	}
	claimed := results("/orgs/acme/claims", want...)
	one := get[api.ClaimList](c, "/orgs/acme/claims?limit=2&status=open")
	if two := get[api.ClaimList](c, "/orgs/acme/claims?limit=2&after=%s", one.Next); len(one.Claims) != 2 || len(two.Claims) != 1 || two.Next != "" {
		t.Errorf("%+v %+v", one, two)
	}
	path := "/orgs/acme/claims/" + claimed[0].Claim
	if got := get[api.Claim](c, "%s", path); got.DaysLeft != 14 || got.Was != connector.NotVerified || got.By[:4] != "api:" {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusConflict, "refused", http.MethodPost, path+"/remind", "") // the first mail is not an hour old
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, path+"/decide", `{"choice":"keep"}`)
	got := read[api.Claim](w, c.want(http.StatusOK, http.MethodPost, path+"/decide", `{"choice":"delete"}`))
	if got.Status != connector.ClaimDecided || got.Choice != connector.ClaimDelete {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusConflict, "conflict", http.MethodPost, path+"/decide", `{"choice":"move"}`)
	other := w.client("beta", connector.APIClaims, connector.APIRead)
	lost := get[api.ClaimList](other, "/orgs/beta/claims?lost=true")
	if len(lost.Claims) != 3 || lost.Claims[0].Org != "acme" || lost.Claims[0].User != "" || lost.Claims[0].By != "" {
		t.Errorf("%+v", lost)
	}
	other.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/beta/claims/"+claimed[0].Claim, nil)
}

func TestClaimsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIClaims, connector.APIRead)
	for _, body := range []string{`{}`, `{"users":["x"]}`, `{"emails":["a@acme.test"],"package":"none"}`, `{"nobody":1}`} {
		c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, "/orgs/acme/claims", body)
	}
	many := map[string]any{"emails": make([]string, 251)}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, "/orgs/acme/claims", many)
	c.refused(http.StatusConflict, "refused", http.MethodGet, "/orgs/acme/claim-candidates?domain=beta.test", nil)
	c.want(http.StatusUnprocessableEntity, http.MethodGet, "/orgs/acme/claims?after=eA", nil)
	c.want(http.StatusUnprocessableEntity, http.MethodGet, "/orgs/acme/claims/nonsense", nil)
	w.client("acme", connector.APIRead).want(http.StatusForbidden, http.MethodPost, "/orgs/acme/claims", `{"emails":["a@acme.test"]}`)
}
