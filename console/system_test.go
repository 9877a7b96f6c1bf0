package console_test

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/system"
)

func (p *program) Health(context.Context, string) system.Health { return p.health }

func (p *program) Metrics(w io.Writer) error {
	_, err := fmt.Fprintln(w, "usherd_users 3")
	return err
}

// sick is the health of a daemon with something wrong.
func sick(w *world) system.Health {
	return system.Health{
		Checks: []system.Check{
			{Name: "store", OK: true, Took: 1234 * time.Microsecond},
			{Name: "configuration", Detail: "2 faults", Hint: "usherd check -c /etc/usherd.yaml"},
			{Name: "lead", OK: true},
			{Name: "office", Source: true, Detail: "dial <b>ldap</b>: \u202erefused"},
		},
		Replica: "dc-1 42 ABCD", Replicas: 2, Since: w.now.Add(-3 * time.Hour), Store: "sqlite", Go: "go1.26", LogLevel: "info",
		Jobs: []system.Job{
			{Name: "housekeeping", Last: w.now.Add(-time.Hour), Next: w.now.Add(time.Minute * 7)}, {Source: "office", Running: true}, {Name: "unheard", Waiting: true},
		},
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &program{is: system.Standing{Leads: true}, file: parsed(t)}
	w.daemon(p)
	b := w.as("auditor")
	a := b.get("/system")
	w.want(a, http.StatusOK, "This daemon uses no certificate", "This replica does nothing by itself", "usherd backup FILE", " MB</dd>")
	w.not(a, "/system/diagnostics")
	p.health = sick(w)
	p.is.Ends = []system.Ending{{Name: "console.tls", Ends: w.now.Add(3 * 24 * time.Hour)}, {Source: "idp", Name: "CN=x", Ends: w.now.AddDate(1, 0, 0)}}
	a = b.get("/system")
	w.want(a, http.StatusOK, "Database answers", "1.2 ms", "2 faults", "usherd check -c /etc/usherd.yaml", "dial &lt;b&gt;ldap&lt;/b&gt;", "in 7 minutes", "read office", `<th scope="row">unheard`, "go1.26",
		"dc-1 42 ABCD", `<span class="pill bad"><time`, `<span class="pill good"><time`, "3 hours ago", "configuration: 2 faults")
	w.not(a, "<b>ldap")
	w.want(b.get("/system/diagnostics"), http.StatusForbidden)
}

// What the bundle holds is listed first. It has no secret, and nothing of other organizations for who is of one.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &program{is: system.Standing{Leads: true, Disk: system.Disk{Faults: []system.Fault{{Message: "about others"}}}}, file: parsed(t), health: sick(w)}
	w.daemon(p)
	w.create("anna", connector.Active)
	w.run(connector.ResultFailed, func(r *connector.Run) { r.Error = "no such user: anna" })
	for name, whole := range map[string]bool{"root": true, "owner": false} {
		b := w.as(name)
		a := b.get("/system/diagnostics")
		w.want(a, http.StatusOK, "configuration.txt", "runs.json", "health.json", "version.json", "standing.json", "secrets hidden")
		if strings.Contains(a.text, "metrics.txt") != whole {
			t.Errorf("%s: %s", name, a.text)
		}
		a = b.post("/system/diagnostics", nil)
		if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/zip" {
			t.Fatalf("%d %v", a.StatusCode, a.Header)
		}
		text := unzipped(t, a.text)
		for _, want := range []string{"organizations[acme].sources[office].guard.percent: 5 (line 20)", `"Result": "failed"`, "[hidden]"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: there is no %s in\n%s", name, want, text)
			}
		}
		for _, not := range []string{"a secret word", "HASH", "anna", "elsewhere"} {
			if strings.Contains(text, not) {
				t.Errorf("%s: there is %s", name, not)
			}
		}
		if whole != strings.Contains(text, "usherd_users 3") || whole != strings.Contains(text, "about others") || whole != strings.Contains(text, "sqlite:usherd.db") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Limit: 1})
	if err != nil || len(entries) != 1 || entries[0].Action != connector.AuditExported || entries[0].Target != "diagnostics" {
		t.Errorf("%+v %v", entries, err)
	}
}

// unzipped is all text of a zip file.
func unzipped(t *testing.T, data string) string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, r); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
