package api_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/schedule"
	"usherd/connector/sources"
)

// away is a directory that cannot be reached.
var away = &connector.Error{Kind: connector.Unavailable, Op: "connect", Err: errors.New("dc1:636: connection refused"), Hint: "see whether the server runs"}

// office adds a directory of that name to the organizations.
func office(w *world) {
	w.orgs["acme"].Sources = append(w.orgs["acme"].Sources, connector.SourceSettings{ID: "office", Kind: connector.Directory})
	m, faults := mapping.Compile(mapping.Config{Preset: "active_directory"})
	if len(faults) > 0 {
		w.Fatal(faults)
	}
	s, wrong := schedule.Parse(schedule.Config{Cron: "30 3 * * *", Timezone: "Europe/Stockholm"})
	if len(wrong) > 0 {
		w.Fatal(wrong)
	}
	w.sources = map[string]*sources.Source{"idp": {}, "office": {
		Server: true, Mapping: m, Schedule: s, File: "usherd.yaml",
		Scope:    &sources.Scope{Bases: []string{"ou=people,dc=acme", "dc=acme"}, GroupBases: []string{"dc=acme", "ou=groups,dc=acme"}, Filter: "(objectClass=person)"},
		Settings: []sources.Setting{{Key: "directory.bind.user", Value: "cn=reader", Line: 12}},
	}}
}

// A test tells each step, also where the way ends; what has no server is not asked.
func TestSourcesAreTested(t *testing.T) {
	t.Parallel()
	w := newWorld(t, office)
	c := w.client("acme", connector.APIRuns)
	at := "/orgs/acme/sources/office/test"
	w.runs.check = func(tell func(connector.CheckStep)) (bool, error) {
		tell(connector.CheckStep{Name: "resolve", Server: "dc1", Detail: "10.0.0.1", Took: 1500 * time.Microsecond})
		tell(connector.CheckStep{Name: "connect", Server: "dc1", Err: away})
		return false, nil
	}
	got := read[api.Tested](w, c.want(http.StatusOK, http.MethodPost, at, nil))
	want := []api.TestedStep{
		{Step: "resolve", Server: "dc1", OK: true, Detail: "10.0.0.1", Took: 1.5},
		{Step: "connect", Server: "dc1", Error: away.Error(), Hint: away.Hint},
	}
	if got.OK || !reflect.DeepEqual(got.Steps, want) {
		t.Errorf("%+v", got)
	}
	w.runs.check = func(tell func(connector.CheckStep)) (bool, error) {
		tell(connector.CheckStep{Name: "resolve", Server: "dc1"})
		return true, away
	}
	if got := read[api.Tested](w, c.want(http.StatusOK, http.MethodPost, at, nil)); len(got.Steps) != 2 || got.Steps[1].Step != "end" || got.Steps[1].Hint != away.Hint {
		t.Errorf("a test that took too long: %+v", got)
	}
	w.runs.check = func(func(connector.CheckStep)) (bool, error) { return false, sources.ErrBusy }
	if p := c.refused(http.StatusServiceUnavailable, "source_unavailable", http.MethodPost, at, nil); !strings.Contains(p.Detail, "try again in a few seconds") {
		t.Errorf("%+v", p)
	}
	w.runs.check = func(tell func(connector.CheckStep)) (bool, error) {
		tell(connector.CheckStep{Name: "bind", Server: "dc1"})
		return true, nil
	}
	if got := read[api.Tested](w, c.want(http.StatusOK, http.MethodPost, at, nil)); !got.OK || len(got.Steps) != 1 {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusConflict, "refused", http.MethodPost, "/orgs/acme/sources/idp/test", nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/acme/sources/other/test", nil)
	w.client("acme", connector.APIRead).refused(http.StatusForbidden, "scope", http.MethodPost, at, nil)
}

// A directory is looked at from its bases on; why it gives no answer is told.
func TestDirectoriesAreBrowsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, office)
	c := w.client("acme", connector.APIRuns)
	at := "/orgs/acme/sources/office/entries"
	var dns []string
	for _, e := range get[api.Browsed](c, "%s", at).Entries {
		dns = append(dns, e.DN)
	}
	if !reflect.DeepEqual(dns, []string{"ou=people,dc=acme", "dc=acme", "ou=groups,dc=acme"}) {
		t.Errorf("bases %q", dns)
	}
	var asked connector.BrowseRequest
	w.runs.browse = func(q connector.BrowseRequest) (connector.BrowsePage, error) {
		asked = q
		return connector.BrowsePage{
			At: q.At, Up: "dc=acme", Next: "cn=b", Cut: true,
			Self: []connector.EntryAttribute{{Name: "userAccountControl", More: 2, Values: []connector.EntryValue{
				{Text: "514", Flags: []string{"ACCOUNTDISABLE", "NORMAL_ACCOUNT"}}, {Bytes: 12}, {Text: "0", Never: true}, {Text: "1", At: w.now()},
			}}},
			Entries: []connector.BrowseEntry{{DN: "cn=a,ou=people,dc=acme", Name: "cn=a", Classes: []string{"person"}, Found: true, Outside: "excluded", Leaf: true}},
		}, nil
	}
	got := get[api.Browsed](c, "%s", at+"?at=ou%3Dpeople,dc%3Dacme&begins=a&after=cn%3D0&limit=7")
	if asked != (connector.BrowseRequest{At: "ou=people,dc=acme", Begins: "a", After: "cn=0", Limit: 7}) {
		t.Errorf("asked %+v", asked)
	}
	now := w.now()
	want := api.Browsed{
		At: "ou=people,dc=acme", Up: "dc=acme", Next: "cn=b", Cut: true,
		Attributes: []api.BrowsedAttribute{{Name: "userAccountControl", More: 2, Values: []api.BrowsedValue{
			{Text: "514", Flags: []string{"ACCOUNTDISABLE", "NORMAL_ACCOUNT"}}, {Bytes: 12}, {Text: "0", Never: true}, {Text: "1", At: &now},
		}}},
		Entries: []api.BrowsedEntry{{DN: "cn=a,ou=people,dc=acme", Name: "cn=a", Classes: []string{"person"}, Person: true, Outside: "excluded", Leaf: true}},
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
	w.runs.browse = func(connector.BrowseRequest) (connector.BrowsePage, error) { return connector.BrowsePage{}, away }
	p := c.refused(http.StatusServiceUnavailable, "source_unavailable", http.MethodGet, at+"?at=dc%3Dacme", nil)
	if !strings.Contains(p.Detail, "connection refused") || !strings.Contains(p.Detail, away.Hint) {
		t.Errorf("%+v", p)
	}
	c.refused(http.StatusConflict, "refused", http.MethodGet, "/orgs/acme/sources/idp/entries", nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/sources/other/entries", nil)
}

// What the configuration says of a source is told with its lines, its rules and the times of its next runs.
func TestSourceConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, office)
	c := w.client("acme", connector.APIRead)
	got := get[api.SourceConfiguration](c, "/orgs/acme/sources/office/configuration")
	if len(got.Settings) != 1 || got.Settings[0] != (api.SourceSetting{Key: "directory.bind.user", Value: "cn=reader", Line: 12}) || got.Scope == nil || got.Scope.Filter == "" {
		t.Errorf("%+v", got)
	}
	required := map[string]bool{}
	for _, a := range got.Mapping {
		if len(a.Rules) == 0 || a.Used != nil || a.Values != nil {
			t.Errorf("%+v", a)
		}
		required[a.Attribute] = a.Required
	}
	if !required["userName"] || !required["email"] || required["title"] {
		t.Errorf("required %v", required)
	}
	if s := got.Schedule; s == nil || len(s.Next) != 10 || s.Zone != "Europe/Stockholm" || s.Next[0].UTC().Format(time.RFC3339) != "2026-11-28T02:30:00Z" {
		t.Errorf("%+v", s)
	}
	if got := get[api.SourceConfiguration](c, "/orgs/acme/sources/idp/configuration"); got.Scope != nil || got.Schedule != nil || got.Settings == nil {
		t.Errorf("a source that pushes: %+v", got)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/sources/other/configuration", nil)
}

// One person is shown with the entry, and with what the mapping makes of it.
func TestPersonWithEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, office)
	c := w.client("acme", connector.APIRuns)
	w.runs.retried = func(string) (*provision.Person, error) {
		r := &connector.Record{DN: "cn=ann,dc=acme", Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: "a1"}}
		for name, value := range map[string]string{"sAMAccountName": "ann", "mail": "ann@acme.test", "thumbnailPhoto": "\xff\x00\x01"} {
			r.Attributes = append(r.Attributes, connector.Attribute{Name: name, Values: [][]byte{[]byte(value)}})
		}
		return &provision.Person{
			Run: &connector.Run{}, Record: r, Steps: []provision.Step{{Name: "found", OK: true}},
			Mapped: connector.Mapped{Profile: connector.Profile{"userName": {"ann"}}, Faults: []connector.AttributeFault{{Attribute: "email", Detail: "too long"}}},
		}, nil
	}
	got := read[api.DecidedPerson](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/sources/office/person", map[string]any{"person": "ann"}))
	if got.Entry == nil || got.Entry.DN != "cn=ann,dc=acme" || got.Entry.Anchor == "" {
		t.Fatalf("%+v", got)
	}
	seen := map[string]api.MappedAttribute{}
	for _, a := range got.Entry.Mapping {
		seen[a.Attribute] = a
	}
	if a := seen["userName"]; a.Used == nil || !reflect.DeepEqual(a.Values, []string{"ann"}) {
		t.Errorf("%+v", a)
	}
	if a := seen["email"]; a.Fault != "too long" || !a.Required || len(a.Read) != 1 || a.Read[0].Value != "ann@acme.test" {
		t.Errorf("%+v", a)
	}
	w.runs.retried = func(string) (*provision.Person, error) { return nil, away }
	c.refused(http.StatusServiceUnavailable, "source_unavailable", http.MethodPost, "/orgs/acme/sources/office/person", map[string]any{"person": "ann"})
}
