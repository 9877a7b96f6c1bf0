package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

// An administrator looks at a real directory by the console of a daemon: tests the connection, reads the preview, browses down to
// somebody, and is told what would become of that entry, and why not; the directory and the users stay as they are until a run.
func TestSourcesInTheConsoleOfADaemon(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 60})})
	people := "ou=People," + srv.Base
	if err := srv.Add(t.Context(), "dn: uid=nomail,"+people+"\nobjectClass: inetOrgPerson\nuid: nomail\ncn: No Mail\nsn: Mail\ngivenName: No\n"); err != nil {
		t.Fatal(err)
	}
	config := oneSource(slapdBlock(srv)) + "  - id: files\n    import: {}\n"
	r := newRig(t, config)
	r.env["LDAP_PASSWORD"] = srv.SyncPassword
	hash := r.passwordHash(consolePassword, exitOK)
	console := `console:
  listen: 127.0.0.1:0
  url: http://127.0.0.1:1
  admins: [{name: root, password_hash: "` + hash + `", role: owner}]
organizations:`
	r.configure(strings.Replace(config, "organizations:", console, 1))
	d := r.daemon(t)
	root := newAdministrator(t, "http://"+d.log.find(t, "console listens")["listen"].(string))
	root.signIn("root")
	get := func(path string, want ...string) {
		t.Helper()
		page := root.send(http.StatusOK, http.MethodGet, path, nil)
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s: there is no %q in\n%s", path, text, page)
			}
		}
	}
	get("/sources", "hq", "Never run")
	get("/sources/files", "Reads files")
	root.do(http.StatusConflict, "/sources/files/test", url.Values{})
	get("/sources/hq/connection", "directory.bind.password", "{env: LDAP_PASSWORD}", "usherd.yaml:")
	test := root.do(http.StatusOK, "/sources/hq/test", url.Values{})
	for _, text := range []string{"The way leads there", "TLS 1.", "Sample of people", "61 people sampled", " ms"} {
		if !strings.Contains(test, text) {
			t.Errorf("the test says nothing of %q:\n%s", text, test)
		}
	}
	get("/sources/hq/scope", "it is of the class inetOrgPerson", "Not counted yet")
	get("/sources/hq/browse", url.QueryEscape(srv.Base))
	get("/sources/hq/browse?at="+url.QueryEscape(srv.Base), "ou=People", "ou=Groups")
	get("/sources/hq/browse?begins=nomail&at="+url.QueryEscape(people), "uid=nomail", "What would happen to it")
	get("/sources/hq/explain?entry="+url.QueryEscape("uid=nomail,"+people), "A rule is broken", "required_missing", "missing")
	get("/sources/hq/explain?entry=u0000007", "An account would be created", "Nothing was changed", "mail = ")
	if n := len(r.users()); n != 0 {
		t.Errorf("looking has made %d users", n)
	}
	r.must(exitFailed, "sync", "-q")
	get("/sources/hq", "OK", "61", "Last complete read")
	get("/sources/hq/explain?entry=u0000007", "by its link", "Nothing would change", "Open the account")
	srv.Close()
	test = root.do(http.StatusOK, "/sources/hq/test", url.Values{})
	for _, text := range []string{"The way does not lead there", "<code>unavailable</code>", "→"} {
		if !strings.Contains(test, text) {
			t.Errorf("the test says nothing of %q:\n%s", text, test)
		}
	}
	d.end()
}
