package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usherd/api"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

// A program looks at a real directory by the API of a daemon, as an administrator does by the console: it tests the way there, goes down
// the tree, asks for one entry, and is told why there is no answer when the directory has gone or does not accept the account any more.
func TestSourcesByAPI(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 60})})
	people := "ou=People," + srv.Base
	config := strings.Replace(oneSource(slapdBlock(srv)), "organizations:", withAPI, 1) + "  - id: files\n    import: {}\n"
	r := newRig(t, config)
	r.env["LDAP_PASSWORD"] = srv.SyncPassword
	p, d := newProgram(t, r, t.TempDir(), "read", "runs")

	var tested api.Tested
	p.ask(http.StatusOK, http.MethodPost, "/sources/hq/test", "", &tested)
	steps := map[string]string{}
	for _, s := range tested.Steps {
		steps[s.Step] = s.Detail
	}
	if !tested.OK || !strings.Contains(steps["tls"], "TLS 1.") || !strings.Contains(steps["people"]+steps["sample"], "60 people sampled") {
		t.Errorf("%+v", tested)
	}
	p.ask(http.StatusConflict, http.MethodPost, "/sources/files/test", "", nil)

	down := func(at string) (names []string) {
		t.Helper()
		var page api.Browsed
		p.ask(http.StatusOK, http.MethodGet, "/sources/hq/entries?limit=200&at="+url.QueryEscape(at), "", &page)
		for _, e := range page.Entries {
			names = append(names, e.DN)
		}
		return names
	}
	if bases := down(""); !slices.Contains(bases, srv.Base) || !slices.Contains(down(srv.Base), people) {
		t.Errorf("the bases are %q, and below %q", bases, down(srv.Base))
	}
	var one api.Browsed
	p.ask(http.StatusOK, http.MethodGet, "/sources/hq/entries?begins=u0000007&at="+url.QueryEscape(people), "", &one)
	if len(one.Entries) != 1 || !one.Entries[0].Person {
		t.Fatalf("%+v", one)
	}

	var known api.DecidedPerson
	p.ask(http.StatusOK, http.MethodPost, "/sources/hq/person", `{"person":"u0000007"}`, &known)
	values := map[string][]string{}
	for _, a := range known.Entry.Mapping {
		values[a.Attribute] = a.Values
	}
	if !known.Succeeds || known.Entry.DN != one.Entries[0].DN || len(values["email"]) != 1 || len(r.users()) != 0 {
		t.Errorf("%+v", known)
	}
	var said api.SourceConfiguration
	p.ask(http.StatusOK, http.MethodGet, "/sources/hq/configuration", "", &said)
	if text := fmt.Sprint(said.Settings); strings.Contains(text, srv.SyncPassword) || !strings.Contains(text, "{env: LDAP_PASSWORD}") || said.Scope == nil {
		t.Errorf("%+v", said)
	}

	unaccepted(t, r, p, config)
	srv.Close()
	p.ask(http.StatusOK, http.MethodPost, "/sources/hq/test", "", &tested)
	if last := tested.Steps[len(tested.Steps)-1]; tested.OK || last.Error == "" || last.Hint == "" {
		t.Errorf("%+v", tested)
	}
	d.end()
}

// unaccepted gives the daemon a wrong password: whoever asks is told what the directory has said.
func unaccepted(t *testing.T, r *rig, p *program, config string) {
	t.Helper()
	wrong := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(wrong, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.configure(strings.Replace(config, "{env: LDAP_PASSWORD}", "{file: "+wrong+"}", 1))
	r.must(exitOK, "reload")
	for range 3 {
		var problem api.Problem
		p.ask(http.StatusServiceUnavailable, http.MethodPost, "/sources/hq/person", `{"person":"u0000007"}`, &problem)
		if problem.Reason != "source_unavailable" || !strings.Contains(problem.Detail, "what to do") {
			t.Errorf("%+v", problem)
		}
	}
}
