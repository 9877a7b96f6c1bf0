package api_test

import (
	"net/http"
	"slices"
	"testing"

	"usherd/api"
	"usherd/connector"
)

func TestWhoWouldBeAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead)
	check := func(attributes map[string][]string) *api.Checked {
		t.Helper()
		return read[api.Checked](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/check", map[string]any{"source": "idp", "attributes": attributes}))
	}
	whole := map[string][]string{"userName": {"new"}, "givenName": {"Ann"}, "familyName": {"Lee"}, "email": {"new@acme.test"}}
	if got := check(whole); !got.Accepted || got.Action != connector.Created || got.State == "" {
		t.Errorf("%+v", got)
	}
	if got := check(map[string][]string{"userName": {"new"}}); got.Accepted || got.Failures[0].Reason != "required_missing" {
		t.Errorf("%+v", got)
	}
	if list := get[api.Users](c, "/orgs/acme/users"); len(list.Users) != 0 {
		t.Errorf("somebody was created: %+v", list)
	}
	c.want(http.StatusNotFound, http.MethodPost, "/orgs/acme/users/check", `{"source":"none","attributes":{}}`)
	c.want(http.StatusUnprocessableEntity, http.MethodPost, "/orgs/acme/users/check", `{"source":"idp","attributes":{"nothing":["x"]}}`)
}

func TestSeatsOfDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.ok(w.db.CountSeats(w.Context(), "acme", w.now()))
	c := w.client("acme", connector.APIRead)
	pkg := w.orgs["acme"].Packages[0]
	got := get[api.SeatDays](c, "/orgs/acme/packages/%s/days", pkg.ID)
	if len(got.Days) != 1 || got.Days[0].Day != w.now().UTC().Format("2006-01-02") || got.Days[0].Seats != max(pkg.Seats, 0) || got.Days[0].Used != 0 {
		t.Errorf("%+v", got)
	}
	c.want(http.StatusNotFound, http.MethodGet, "/orgs/acme/packages/none/days", nil)
}

// Fields are told as each source is asked for them, required ones first.
func TestFieldsOfSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.orgs["acme"].Required = []string{"department"}
		w.orgs["acme"].Templates = []connector.TemplateSettings{{ID: "guests", Name: "Guests", Fields: []string{"title"}}}
		w.orgs["acme"].Sources = append(w.orgs["acme"].Sources, connector.SourceSettings{ID: "guests", Kind: connector.Template})
	})
	got := get[api.Doors](w.client("acme", connector.APIRead), "/orgs/acme/fields")
	if len(got.Sources) != 2 || got.Sources[0].Source != "idp" || got.Sources[0].Kind != connector.SCIM {
		t.Fatalf("%+v", got)
	}
	first := got.Sources[0].Fields
	if len(first) < 20 || first[0].Name != "userName" || first[0].Label != "User Name" || !first[4].Required || first[4].Name != "department" || first[5].Required || len(first[0].Rules) == 0 {
		t.Errorf("%+v", first)
	}
	var names []string
	for _, f := range got.Sources[1].Fields {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"userName", "givenName", "familyName", "email", "department", "title"}) {
		t.Errorf("a form asks for %q", names)
	}
}
