package portal_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// A person decides in a browser that runs no script: the old account is kept under another address, proved by its link.
func TestClaimIsDecidedWithoutScript(t *testing.T) {
	t.Parallel()
	w := newClaimed(t)
	srv := httptest.NewServer(http.StripPrefix("/usherd", w.server))
	t.Cleanup(srv.Close)
	b := webdriver.Start(t).Browser(t, false, "sv")
	b.Open(srv.URL + "/usherd" + w.path)
	if got := b.Text("h1"); got != "Ditt konto har tagits över" {
		t.Errorf("%q", got)
	}
	if !b.Has("#move:checked") {
		t.Error("the default is not chosen")
	}
	b.Click("label[for=keep]")
	b.Click("button.act")
	if got := b.Text("#fault"); !strings.Contains(got, "e-postadress") {
		t.Errorf("%q", got)
	}
	b.Type("#email", "ann@private.test")
	b.Click("button.act")
	b.Leave(srv.URL + "/usherd" + w.path)
	if got := b.Address(); got != srv.URL+"/usherd/claim/acme/done/asked" {
		t.Fatal(got)
	}
	b.Open(srv.URL + "/usherd" + w.link(connector.ClaimKeepLink))
	b.Click("button.act")
	b.Leave(srv.URL + "/usherd/claim-keep/")
	if got := b.Text("h1"); got != "Det gamla kontot behålls" {
		t.Errorf("%q", got)
	}
	if u := w.user("other", "ann@private.test"); u == nil || u.State != connector.Active {
		t.Errorf("%+v", u)
	}
	b.Open(srv.URL + "/usherd" + w.path)
	if got := b.Text("h1"); got != "Det finns inget mer att bestämma" {
		t.Errorf("%q", got)
	}
	w.now = w.claim.Until.Add(time.Second)
	b.Open(srv.URL + "/usherd" + w.path)
	if got := b.Text("h1"); got != "Länken har gått ut" {
		t.Errorf("%q", got)
	}
}
