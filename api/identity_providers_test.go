package api_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/sources"
)

// signsIn adds an identity provider to the organizations, known as that says.
func signsIn(w *world, is func() sources.IDP) *sources.SignOn {
	for _, o := range w.orgs {
		o.Sources = append(o.Sources, connector.SourceSettings{ID: "corp", Kind: connector.SignIn, OnlyKnown: true, Package: "guest"})
	}
	on := &sources.SignOn{
		Base: "https://login.test/saml/acme/corp", IDP: is, Keep: 48 * time.Hour, Skew: 90 * time.Second,
		Ours: []sources.Certificate{{Subject: "CN=usherd", SHA256: "cd34"}},
		Try: func(_ context.Context, by, back string) (string, error) {
			return "https://login.test/try?by=" + by + back, nil
		},
	}
	w.signOns = map[string]*sources.SignOn{"corp": on}
	return on
}

// How an identity provider is known is told, with what it has to know of us, and why it is not.
func TestIdentityProviders(t *testing.T) {
	t.Parallel()
	var is sources.IDP
	w := newWorld(t, func(w *world) { signsIn(w, func() sources.IDP { return is }) })
	is = sources.IDP{
		EntityID: "https://idp.test/meta", SSOURL: "https://idp.test/sso", Read: w.now(), Fetched: true,
		Certificates: []sources.Certificate{{Subject: "CN=idp", SHA256: "ab12", From: w.now(), Until: w.now().Add(time.Hour)}},
	}
	for i, code := range []connector.Code{0, 31, 0} {
		w.ok(w.db.PutAttempt(t.Context(), connector.Attempt{
			ID: connector.NewID(w.now().Add(time.Duration(i))), Org: "acme", Source: "corp", At: w.now().Add(-time.Hour), Code: code,
		}))
	}
	c := w.client("acme", connector.APIRead)
	list := get[api.IdentityProviders](c, "/orgs/acme/identity-providers").IdentityProviders
	now := w.now()
	want := api.IdentityProvider{
		Source: "corp", State: sources.Known, EntityID: is.EntityID, SSOURL: is.SSOURL, Read: &now, Fetched: true, OnlyKnown: true, Package: "guest",
		Certificates: []api.Certificate{{Subject: "CN=idp", SHA256: "ab12", From: now, Until: now.Add(time.Hour)}},
		Ours: &api.OurSide{
			EntityID: "https://login.test/saml/acme/corp/metadata", ACS: "https://login.test/saml/acme/corp/acs", Login: "https://login.test/saml/acme/corp/login",
			Certificates: []api.Certificate{{Subject: "CN=usherd", SHA256: "cd34"}},
		},
		ClockSkew: 90, KeepSeconds: 48 * 3600, Tried: 3, Refused: 1,
	}
	if len(list) != 1 || !reflect.DeepEqual(list[0], want) {
		t.Errorf("got  %+v\nwant %+v", list, want)
	}
	is = sources.IDP{Code: 11}
	if got := get[api.IdentityProvider](c, "/orgs/acme/identity-providers/corp"); got.State != sources.Unknown || got.Failure == nil || got.Failure.Code != 11 || got.Certificates == nil {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/identity-providers/idp", nil)
}

// A sign-in is tried where its attempt can be looked at; the page at the end belongs to nobody.
func TestSignInTrials(t *testing.T) {
	t.Parallel()
	var is sources.IDP
	var on *sources.SignOn
	w := newWorld(t, func(w *world) { on = signsIn(w, func() sources.IDP { return is }) })
	c := w.client("acme", connector.APIRuns)
	at := "/orgs/acme/identity-providers/corp/trial"
	var by string
	on.Try = func(_ context.Context, who, back string) (string, error) {
		by = who
		return "https://login.test/try" + back, nil
	}
	if got := read[api.SignInTrial](w, c.want(http.StatusOK, http.MethodPost, at, nil)); got.Address != "https://login.test/try" || len(by) < 5 || by[:4] != "api:" {
		t.Errorf("%+v by %q", got, by)
	}
	is.Code = 11
	c.refused(http.StatusConflict, "refused", http.MethodPost, at, nil)
	is.Code, on.Keep = 0, 0
	c.refused(http.StatusConflict, "refused", http.MethodPost, at, nil)
	on.Keep = time.Hour
	on.Try = func(context.Context, string, string) (string, error) { return "", errors.New("broken") }
	c.refused(http.StatusInternalServerError, "internal", http.MethodPost, at, nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/acme/identity-providers/idp/trial", nil)
	w.client("acme", connector.APIRead).refused(http.StatusForbidden, "scope", http.MethodPost, at, nil)
}

// Of a test, what came and what would have changed is shown.
func TestTriedAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := connector.NewID(w.now())
	w.ok(w.db.PutAttempt(t.Context(), connector.Attempt{
		ID: id, Org: "acme", Source: "corp", At: w.now(), Code: 31, Reason: connector.NoSeat,
		Test: &connector.AttemptTest{
			By: "root", Subject: "e-1", Left: 2, Attributes: []connector.SaidAttribute{{Name: "mail", Values: []string{"ann@acme.test"}}},
			Fields: []connector.FieldChange{{Field: "title", After: []string{"Chief"}}},
		},
	}))
	got := get[api.AttemptDetail](w.client("acme", connector.APIRead), "/orgs/acme/sign-ins/%s", id)
	want := &api.Tried{
		By: "root", Subject: "e-1", Left: 2, Attributes: []connector.SaidAttribute{{Name: "mail", Values: []string{"ann@acme.test"}}},
		Fields: []connector.FieldChange{{Field: "title", After: []string{"Chief"}}},
	}
	if !got.Test || !reflect.DeepEqual(got.Tried, want) || len(got.Remedy) == 0 {
		t.Errorf("%+v", got)
	}
}
