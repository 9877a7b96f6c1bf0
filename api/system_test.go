package api_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/system"
)

// How the daemon is, is told with what is wrong, what it does by itself, and what ends.
func TestSystemByAPI(t *testing.T) {
	t.Parallel()
	var m *machine
	w := newWorld(t, func(w *world) { m = configured(w) })
	m.health = system.Health{
		Checks: []system.Check{{Name: "store", OK: true, Took: 1500 * time.Microsecond}, {Name: "office", Source: true, OK: true}},
		Jobs: []system.Job{
			{Name: "housekeeping", Last: w.now().Add(-time.Hour), Next: w.now().Add(time.Minute)}, {Source: "office", Running: true}, {Name: "mails", Waiting: true},
		},
		Replica: "dc-1", Replicas: 2, Since: w.now().Add(-time.Hour), Store: "sqlite", Go: "go1.26", LogLevel: "info",
	}
	m.is.Ends = []system.Ending{{Name: "api.tls", Ends: w.now().Add(72 * time.Hour)}, {Source: "idp", Name: "CN=idp", Ends: w.now().Add(720 * time.Hour)}}
	c := w.client("acme", connector.APIRead)
	m.is.Leader = "dc-1"
	got := get[api.System](c, "/orgs/acme/system")
	if got.Leader != "" || !got.OK || got.Version != "v0" || got.Revision != m.file.Revision || !got.Leads || got.Replicas != 2 || got.Store.Kind != "sqlite" || got.Store.Bytes == 0 {
		t.Errorf("%+v", got)
	}
	if len(got.Checks) != 2 || got.Checks[0].Took != 1.5 || got.Checks[1].Source != "office" || got.Checks[1].Name != "" {
		t.Errorf("%+v", got.Checks)
	}
	if len(got.Jobs) != 3 || got.Jobs[0].State != "waiting" || got.Jobs[0].Last == nil || got.Jobs[1].State != "running" || got.Jobs[1].Source != "office" || got.Jobs[2].State != "queued" || got.Jobs[2].Next != nil {
		t.Errorf("%+v", got.Jobs)
	}
	if len(got.Certificates) != 2 || got.Certificates[1].Source != "idp" || len(got.Mails) != 3 {
		t.Errorf("%+v", got)
	}
	m.health.Checks[0] = system.Check{Name: "store", Detail: "it does not answer", Hint: "look at it"}
	m.is.Leads, m.is.Leader, m.health.LeaderRevision = false, "dc-2", "other"
	if got := get[api.System](c, "/orgs/acme/system"); got.OK || got.Checks[0].Hint != "look at it" || got.Leads || got.Leader != "dc-2" || got.LeaderRevision != "other" {
		t.Errorf("%+v", got)
	}
	w.client("acme", connector.APIUsers).refused(http.StatusForbidden, "scope", http.MethodGet, "/orgs/acme/system", nil)
}

// The bundle needs a scope of its own, stands in the audit trail, has no secret, and nothing of others.
func TestDiagnosticsByAPI(t *testing.T) {
	t.Parallel()
	for _, only := range []bool{false, true} {
		var m *machine
		w := newWorld(t, func(w *world) {
			if m = configured(w); only {
				alone(w)
			}
		})
		m.is.Disk.Faults = []system.Fault{{Message: "about others"}}
		w.person("acme", "anna", nil)
		for _, scope := range connector.APIScopes() {
			if scope != connector.APIDiagnostics {
				w.client("acme", scope).refused(http.StatusForbidden, "scope", http.MethodGet, "/orgs/acme/system/diagnostics", nil)
			}
		}
		r := w.client("acme", connector.APIDiagnostics).want(http.StatusOK, http.MethodGet, "/orgs/acme/system/diagnostics", nil)
		name := "usherd_acme_" + w.now().Format("20060102T150405Z") + ".zip"
		if r.Header.Get("Content-Type") != "application/zip" || r.Header.Get("Content-Disposition") != `attachment; filename="`+name+`"` {
			t.Errorf("%v", r.Header)
		}
		text := unzipped(w, r.body)
		for _, want := range []string{"organizations[acme].delete_after: 40d (line ", `"organization": "acme"`, `"version": "v0"`, m.file.Revision} {
			if !strings.Contains(text, want) {
				t.Errorf("only %v: there is no %s in\n%s", only, want, text)
			}
		}
		for _, not := range []string{"HASH", "anna", "of others", "elsewhere"} {
			if strings.Contains(text, not) {
				t.Errorf("only %v: there is %s in\n%s", only, not, text)
			}
		}
		if only != strings.Contains(text, "usherd_up 1") || only != strings.Contains(text, "about others") || only != strings.Contains(text, "sqlite:usherd.db") {
			t.Errorf("only %v:\n%s", only, text)
		}
		entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Limit: 1})
		w.ok(err)
		if len(entries) != 1 || entries[0].Action != connector.AuditExported || entries[0].Target != "diagnostics" || entries[0].Details["file"] != name || !strings.HasPrefix(entries[0].Actor.Name, "api:") {
			t.Errorf("%+v", entries)
		}
	}
}

// unzipped is all text of a ZIP file.
func unzipped(w *world, data []byte) string {
	w.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	w.ok(err)
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		w.ok(err)
		_, err = io.Copy(&all, r)
		w.ok(err)
	}
	return all.String()
}
