package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/provision"
)

// Who failed in a directory is tried again, one by one or all of a reason; of others it is said what helps.
func TestFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.orgs["acme"].Sources = append(w.orgs["acme"].Sources, connector.SourceSettings{ID: "hq", Kind: connector.Directory}, connector.SourceSettings{ID: "moved", Kind: connector.Import})
	})
	c := w.client("acme", connector.APIRead, connector.APIUsers)
	for _, source := range []string{"idp", "hq", "moved"} {
		w.failingIn("acme", source, source+"-ann", source+"-bob")
	}
	var asked []string
	w.runs.retried = func(key string) (*provision.Person, error) {
		if strings.Contains(key, "down") {
			return nil, &connector.Error{Kind: connector.Unavailable, Op: "test", Err: context.DeadlineExceeded}
		}
		asked = append(asked, key)
		return &provision.Person{Run: &connector.Run{ID: connector.ID{1}}, Change: &connector.Change{Action: connector.Created}, Steps: []provision.Step{{Name: "found", OK: true}}}, nil
	}
	refs := map[string]string{}
	for _, f := range get[api.Failures](c, "/orgs/acme/failures").Failures {
		refs[f.Subject] = f.Ref
	}
	retry := func(subject string) string { return "/orgs/acme/failures/" + refs[subject] + "/retry" }
	got := read[api.Retried](w, c.want(http.StatusOK, http.MethodPost, retry("hq-ann"), nil))
	if !got.Succeeds || got.Action != connector.Created || len(got.Steps) != 1 || fmt.Sprint(asked) != "[hq-ann]" {
		t.Errorf("%+v %v", got, asked)
	}
	c.refused(http.StatusConflict, "refused", http.MethodPost, retry("idp-ann"), nil)
	if p := c.refused(http.StatusConflict, "refused", http.MethodPost, retry("moved-ann"), nil); !strings.Contains(p.Detail, "import it again") {
		t.Errorf("%+v", p)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/acme/failures/0000-0000/retry", nil)
	asked = nil
	all := map[string]any{"reason": "required_missing", "limit": 4}
	page := read[api.RetriedPage](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/failures/retry", all))
	all["after"] = page.Next
	rest := read[api.RetriedPage](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/failures/retry", all))
	left := 0
	for _, r := range append(page.Retried, rest.Retried...) {
		if r.LeftOut != "" {
			left++
		}
	}
	if len(page.Retried) != 4 || len(rest.Retried) != 2 || rest.Next != "" || left != 4 || fmt.Sprint(asked) != "[hq-ann hq-bob]" {
		t.Errorf("%+v %+v %v", page, rest, asked)
	}
	w.failingIn("acme", "hq", "down")
	down := read[api.RetriedPage](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/failures/retry", map[string]any{"reason": "required_missing", "source": "hq"}))
	if down.Stopped == "" || len(down.Retried) != 2 {
		t.Errorf("%+v", down)
	}
	c.want(http.StatusServiceUnavailable, http.MethodPost, "/orgs/acme/failures/"+get[api.Failures](c, "/orgs/acme/failures?search=down").Failures[0].Ref+"/retry", nil)
}

// Who waits for a seat is listed.
func TestWaitingList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead)
	for i := range 3 {
		w.person("acme", fmt.Sprint("user", i), nil)
	}
	r := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: "late"}, Enabled: connector.EnabledYes}
	for _, a := range [][2]string{{"userName", "late"}, {"givenName", "Ann"}, {"familyName", "Late"}, {"email", "late@acme.test"}} {
		r.Attributes = append(r.Attributes, connector.Attribute{Name: a[0], Values: [][]byte{[]byte(a[1])}})
	}
	_, err := w.provs["acme"].Submit(t.Context(), "idp", r, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
	w.ok(err)
	got := get[api.WaitingList](c, "/orgs/acme/packages/standard/waiting")
	if len(got.Waiting) != 1 || got.Waiting[0].Anchor != "late" || got.Waiting[0].Source != "idp" || !got.Waiting[0].Since.Equal(w.now()) {
		t.Errorf("%+v", got)
	}
	if got := get[api.WaitingList](c, "/orgs/acme/packages/guest/waiting"); len(got.Waiting) != 0 {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/packages/gold/waiting", nil)
}
