package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/api"
	"usherd/config"
	"usherd/connector"
	"usherd/connector/system"
	"usherd/connector/system/systemtest"
)

// machine is a daemon that is as a test wants it.
type machine struct {
	is     system.Standing
	health system.Health
	file   *config.File // in force
	loaded time.Time
}

func (m *machine) Standing(context.Context, string) (system.Standing, error) { return m.is, nil }

func (m *machine) Health(context.Context, string) system.Health { return m.health }

func (m *machine) Metrics(w io.Writer) error {
	_, err := io.WriteString(w, "usherd_up 1\n")
	return err
}

func (m *machine) Configuration() system.Configuration {
	is := systemtest.Configuration(m.file)
	is.Loaded = m.loaded
	return is
}

func (m *machine) Differences(older, newer connector.Revision) ([]system.Difference, error) {
	return systemtest.Differences(older, newer)
}

const machineFile = `store: sqlite:usherd.db
console:
  url: http://127.0.0.1:9475
  admins:
  - name: root
    password_hash: $argon2id$v=19$m=65536,t=3,p=2$HASH1AAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    role: owner
organizations:
- id: acme
  partner_id: "ours"
  delete_after: 40d
  sources:
  - id: idp
    scim: {}
- id: beta
  partner_id: "of others"
  sources:
  - id: elsewhere
    scim: {}
`

// alone leaves acme as the only organization.
func alone(w *world) { delete(w.orgs, "beta") }

// configured is the daemon of a world with machineFile in force.
func configured(w *world) *machine {
	w.Helper()
	f, err := config.Parse("/etc/usherd/usherd.yaml", []byte(machineFile), config.LoadOptions{})
	w.ok(err)
	m := &machine{file: f, loaded: w.now(), is: system.Standing{Leads: true}}
	m.is.Disk = system.Disk{Path: f.Path, Revision: f.Revision}
	w.machine = m
	return m
}

// paths are those of values, as one text.
func paths(list []api.ConfigurationValue) string {
	var text strings.Builder
	for _, v := range list {
		text.WriteString(v.Path + " = " + v.Text + "\n")
	}
	return text.String()
}

// A token sees what is of its own organization, and all where that is the only one; secrets are nobody's.
func TestConfigurationByAPI(t *testing.T) {
	t.Parallel()
	var m *machine
	w := newWorld(t, func(w *world) { m = configured(w) })
	c := w.client("acme", connector.APIRead)
	got := get[api.Configuration](c, "/orgs/acme/configuration")
	all := paths(got.Values)
	if got.Revision != m.file.Revision || !got.LoadedAt.Equal(w.now()) || !got.Partial || got.File.State != system.DiskSame || got.File.Path != "" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(all, "organizations[acme].delete_after = 40d") || strings.Contains(all, "beta") || strings.Contains(all, "sqlite") || strings.Contains(all, "root") {
		t.Error(all)
	}
	beta := paths(get[api.Configuration](w.client("beta"), "/orgs/beta/configuration").Values)
	if !strings.Contains(beta, "of others") || strings.Contains(beta, "acme") || strings.Contains(beta, "ours") {
		t.Error(beta)
	}
	for query, n := range map[string]int{"?key=].DELETE_after&written=true": 1, "?key=nothing": 0, "?key=sqlite": 0, "?written=true&key=partner_id": 1} {
		if got := get[api.Configuration](c, "/orgs/acme/configuration%s", query); len(got.Values) != n {
			t.Errorf("%s: %s", query, paths(got.Values))
		}
	}
	only := newWorld(t, func(w *world) {
		configured(w)
		alone(w)
	})
	got = get[api.Configuration](only.client("acme"), "/orgs/acme/configuration")
	all = paths(got.Values)
	if got.Partial || got.File.Path == "" || !strings.Contains(all, "store = sqlite:usherd.db") || !strings.Contains(all, "root") || strings.Contains(all, "HASH") || strings.Contains(all, "of others") {
		t.Errorf("%+v", got)
	}
}

// What a reload would do is told: a fault is quoted to those only to whom the whole file belongs.
func TestConfigurationOnDiskByAPI(t *testing.T) {
	t.Parallel()
	faulty := system.Disk{Path: "/etc/usherd/usherd.yaml", Faults: []system.Fault{{File: "/etc/usherd/usherd.yaml", Line: 3, Column: 7, Path: "organizations[1].id", Message: `"secret plan" is no id`}}}
	gone := system.Disk{Path: "/etc/usherd/usherd.yaml", Error: "open /etc/usherd/usherd.yaml: permission denied"}
	other := system.Disk{Path: "/etc/usherd/usherd.yaml", Revision: "aa", Differences: []system.Difference{
		{Kind: "changed", Path: "organizations[acme].sources[idp].guard.percent", Line: 20, Before: "5", After: "9"},
		{Kind: "added", Path: "organizations[beta].sources[new]", Line: 30},
		{Kind: "added", Path: "organizations[gamma]", Line: 31},
		{Kind: "changed", Path: "store", Line: 1},
	}}
	for _, only := range []bool{false, true} {
		var m *machine
		w := newWorld(t, func(w *world) {
			if m = configured(w); only {
				alone(w)
			}
		})
		c := w.client("acme", connector.APIRead)
		m.is.Disk = faulty
		r := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/configuration", nil)
		f := read[api.Configuration](w, r).File
		if f.State != system.DiskFaulty || f.FaultCount != 1 || strings.Contains(string(r.body), "secret plan") != only || only != (len(f.Faults) == 1) || only && f.Faults[0].File != "usherd.yaml" {
			t.Errorf("only %v: %+v", only, f)
		}
		m.is.Disk = gone
		if f := get[api.Configuration](c, "/orgs/acme/configuration").File; f.State != system.DiskFaulty || (f.Error != "") != only {
			t.Errorf("only %v: %+v", only, f)
		}
		m.is.Disk = other
		f = get[api.Configuration](c, "/orgs/acme/configuration").File
		if f.State != system.DiskDiffers || f.Differences[0].After != "9" || len(f.Differences) != map[bool]int{false: 1, true: 2}[only] {
			t.Errorf("only %v: %+v", only, f)
		}
	}
}

func TestRevisionsByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { configured(w) })
	second := strings.NewReplacer("40d", "50d", "HASH1", "HASH2", "of others", "2").Replace(machineFile)
	for _, r := range [][2]string{{"broken", "nothing: known"}, {"first", machineFile}, {"second", second}, {w.machine.file.Revision, machineFile}} {
		w.ok(w.db.PutRevision(t.Context(), connector.Revision{ID: r[0], At: w.now(), Text: r[1]}))
		w.at.Add(time.Hour.Microseconds())
	}
	c := w.client("acme", connector.APIRead)
	var seen []string
	for next := ""; ; {
		page := get[api.Revisions](c, "/orgs/acme/configuration/revisions?limit=3&after=%s", next)
		for _, r := range page.Revisions {
			seen = append(seen, r.Revision)
			if r.InForce != (r.Revision == w.machine.file.Revision) {
				t.Errorf("%+v", r)
			}
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if strings.Join(seen, " ") != w.machine.file.Revision+" second first broken" {
		t.Error(seen)
	}
	r := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/configuration/differences?a=first&b=second", nil)
	got := read[api.RevisionDifferences](w, r)
	if len(got.Differences) != 1 || got.Differences[0].Before != "40d" || got.Differences[0].After != "50d" || !got.Partial || got.A.Revision != "first" || strings.Contains(string(r.body), "HASH") {
		t.Errorf("%s", r.body)
	}
	if got := get[api.RevisionDifferences](c, "/orgs/acme/configuration/differences?a=first&b=first"); len(got.Differences) != 0 || got.Differences == nil {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/configuration/differences?a=first&b=nowhere", nil)
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/configuration/differences?a=first", nil)
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/configuration/revisions?after=eA", nil)
	if p := c.refused(http.StatusConflict, "revision_unreadable", http.MethodGet, "/orgs/acme/configuration/differences?a=broken&b=first", nil); strings.Contains(p.Detail, "known") {
		t.Error(p.Detail)
	}
	for _, path := range []string{"", "/revisions", "/differences?a=first&b=second"} {
		w.client("acme", connector.APIUsers).refused(http.StatusForbidden, "scope", http.MethodGet, "/orgs/acme/configuration"+path, nil)
	}
}
