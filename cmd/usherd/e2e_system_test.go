package main

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector/store/newstore"
	"usherd/connector/system"
)

const twoCustomers = `store: sqlite:$DIR/usherd.db
listen: 127.0.0.1:0
api: {listen: "127.0.0.1:0", url: "http://127.0.0.1:1"}
portal: {listen: "127.0.0.1:0", url: "https://old.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: 3}]
  package: standard
  contact: {email: help@acme.test}
  templates: [{id: phones, untrusted_email: true}]
- id: other
  partner_id: of-others
  sources: [{id: idp, scim: {}}]
scim: {listen: "127.0.0.1:0", url: "http://127.0.0.1:2"}
`

// What a program is told of the daemon follows the configuration in force, and that on disk; of other customers it is told nothing.
func TestSystemIsToldByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoCustomers)
	p, d := newProgram(t, r, t.TempDir(), "read", "diagnostics")
	configuration := func(key string) (c api.Configuration) {
		t.Helper()
		p.ask(http.StatusOK, http.MethodGet, "/configuration?key="+key, "", &c)
		return c
	}
	first := configuration("seats")
	if first.File.State != system.DiskSame || !first.Partial || len(first.Values) != 1 || first.Values[0].Text != "3" {
		t.Fatalf("%+v", first)
	}
	if all := configuration(""); len(all.Values) < 10 || strings.Contains(all.Values[len(all.Values)-1].Path, "other") {
		t.Errorf("%+v", all)
	}
	r.configure(strings.Replace(twoCustomers, "seats: 3", "seats: 5", 1))
	if c := configuration("seats"); c.File.State != system.DiskDiffers || len(c.File.Differences) != 1 || c.File.Differences[0].After != "5" || c.Revision != first.Revision {
		t.Errorf("%+v", c)
	}
	r.must(exitOK, "reload")
	next := configuration("seats")
	if next.File.State != system.DiskSame || next.Values[0].Text != "5" || next.Revision == first.Revision || next.LoadedAt.Before(first.LoadedAt) {
		t.Errorf("%+v", next)
	}
	var diff api.RevisionDifferences
	p.ask(http.StatusOK, http.MethodGet, "/configuration/differences?a="+first.Revision+"&b="+next.Revision, "", &diff)
	if len(diff.Differences) != 1 || diff.Differences[0].Before != "3" || !diff.B.InForce {
		t.Errorf("%+v", diff)
	}
	r.configure(strings.Replace(twoCustomers, "partner_id: of-others", "partnerid: of-others", 1))
	if c := configuration("nothing"); c.File.State != system.DiskFaulty || c.File.FaultCount == 0 || c.File.Faults != nil || c.File.Error != "" {
		t.Errorf("%+v", c)
	}
	var is api.System
	p.ask(http.StatusOK, http.MethodGet, "/system", "", &is)
	kind := map[bool]string{true: "postgres", false: "sqlite"}[newstore.OnPostgres()]
	if is.OK || !is.Leads || is.Leader != "" || is.Store.Kind != kind || is.Revision != next.Revision || is.Since.After(time.Now()) || len(is.Jobs) == 0 {
		t.Errorf("%+v", is)
	}
	var template api.TemplateDetail
	p.ask(http.StatusOK, http.MethodGet, "/templates/phones", "", &template)
	if template.Ready || template.ShareLink != "https://old.test/activate/acme/phones" {
		t.Errorf("%+v", template)
	}
	r.configure(strings.Replace(twoCustomers, "old.test", "account.test", 1))
	r.must(exitOK, "reload")
	p.ask(http.StatusOK, http.MethodGet, "/templates/phones", "", &template)
	if template.ShareLink != "https://account.test/activate/acme/phones" {
		t.Errorf("%+v", template)
	}
	bundleIsOwn(t, p)
	d.end()
}

// bundleIsOwn holds the bundle of diagnostics to what it promises.
func bundleIsOwn(t *testing.T, p *program) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bundle.zip")
	p.keep("/system/diagnostics", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || len(text) == 0 || strings.Contains(string(text), "of-others") || strings.Contains(string(text), "organizations[other]") {
			t.Errorf("%s: %v\n%s", f.Name, err, text)
		}
	}
	if len(z.File) != 5 {
		t.Errorf("%d files", len(z.File))
	}
}

// keep puts what the API sends into a file.
func (p *program) keep(path, file string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s %v", path, answer.Status, err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
