package main

import (
	stdcmp "cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"usherd/connector"
	"usherd/connector/domains/dnstest"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/ldapsync/testserver"
)

// TestScripts runs the sessions in testdata/script, each on a branch of its own of one slapd. Beside
// testscript's own commands they know: exits CODE ARGS (usherd with this exit code), expand FILES
// ($NAME becomes the variable), ldap FILE (LDIF to apply), take NAME REGEXP (what the last output has
// at its first group), looks FILE (compares the
// last output, but for times, ids and the like), logged FILE (what the door would have written into usherd.db), txt NAME (puts the record that the last output shows into DNS),
// listens ADDRESS (waits until something does; $DOOR is an address that is free, $PORT its port).
func TestScripts(t *testing.T) { runScripts(t, "testdata/script", newstore.OnPostgres()) }

// TestScriptsOnFiles runs sessions that are about the file in which SQLite keeps a store, and so never on PostgreSQL.
func TestScriptsOnFiles(t *testing.T) { runScripts(t, "testdata/script/file", false) }

// TestScriptsAlone runs sessions that have a slapd to themselves: its feed tells of branches of others too.
func TestScriptsAlone(t *testing.T) { runScripts(t, "testdata/script/alone", newstore.OnPostgres()) }

func runScripts(t *testing.T, dir string, onPostgres bool) {
	t.Helper()
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	dns, err := dnstest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	s := scripts{t: t, srv: srv, dns: dns, onPostgres: onPostgres, apply: func(ldif string) error {
		if strings.Contains(ldif, "changetype:") {
			return srv.Modify(t.Context(), ldif)
		}
		return srv.Add(t.Context(), ldif)
	}}
	testscript.Run(t, testscript.Params{
		Dir: dir, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: s.setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "expand": expand, "ldap": s.ldap, "take": take, "looks": looks, "txt": s.txt, "logged": logged, "listens": listens, "person": somebody,
		},
	})
}

type scripts struct {
	t     *testing.T
	srv   *testserver.Server
	dns   *dnstest.Server
	apply func(ldif string) error

	onPostgres bool // each in a database of its own
}

// setup gives the script an usherd on its path, a branch of the directory and a name for DNS.
func (s scripts) setup(env *testscript.Env) error {
	self, err := quickUsherd()
	if err != nil {
		return err
	}
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(bin, "usherd")); err != nil {
		return err
	}
	door, err := freeAddress()
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	for key, value := range map[string]string{
		beUsherd: "1", "LDAP_PASSWORD": s.srv.SyncPassword, "URL": s.srv.LDAPSURL, "CA": s.srv.CAFile, "BIND": s.srv.SyncDN,
		"BASE": "ou=" + name + "," + s.srv.Base, "NAME": name, "DNS": s.dns.Addr(), "DOMAIN": name + ".test", "TZ": "UTC", "DOOR": door, "PORT": door[strings.LastIndexByte(door, ':')+1:],
	} {
		env.Setenv(key, value)
	}
	if s.onPostgres {
		env.Setenv("STORE", newstore.Postgres(s.t))
	}
	return s.apply("dn: " + env.Getenv("BASE") + "\nobjectClass: organizationalUnit\nou: " + name + "\n")
}

// freeAddress is one that nothing listens at: a public URL with a port has to stand in a configuration.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

func listens(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listens ADDRESS")
	}
	end := time.After(time.Minute)
	for again := time.NewTicker(10 * time.Millisecond); ; {
		c, err := net.DialTimeout("tcp", args[0], time.Second)
		if err == nil {
			again.Stop()
			ts.Check(c.Close())
			return
		}
		select {
		case <-again.C:
		case <-end:
			ts.Fatalf("nothing listens at %s: %v", args[0], err)
		}
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: exits CODE ARGS...")
	}
	err := ts.Exec("usherd", args[1:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// scriptStore is the store that scripts name.
const scriptStore = "sqlite:usherd.db"

// storeOf is the store that a script has: another one than it names where tests are to run on PostgreSQL.
func storeOf(ts *testscript.TestScript) string { return stdcmp.Or(ts.Getenv("STORE"), scriptStore) }

func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		text := os.Expand(ts.ReadFile(f), func(name string) string {
			if value := ts.Getenv(name); value != "" {
				return value
			}
			return "$" + name
		})
		text = strings.ReplaceAll(text, "store: "+scriptStore, "store: "+storeOf(ts))
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(text), 0o600))
	}
}

func (s scripts) ldap(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		expand(ts, false, []string{f})
		ts.Check(s.apply(ts.ReadFile(f)))
	}
}

func take(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: take NAME REGEXP")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("the output has no %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// volatile is what differs from run to run in what usherd prints.
var volatile = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`), "DATE TIME UTC"},
	{regexp.MustCompile(`ldaps://[0-9.:]+`), "SERVER"},
	{regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`), "REF"},
	{regexp.MustCompile(` run · [0-9a-f]{8}\b`), " run · ID"},
	{regexp.MustCompile(` *\b\d+(\.\d)?\x{a0}m?s\b`), " DURATION"},
	{regexp.MustCompile(` +\d+(\.\d+)?(ms|µs|s)  `), " TOOK  "},
	{regexp.MustCompile(` +▇+`), ""},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\(for localhost, [^)]+\)`), "(for NAMES)"},
	{regexp.MustCompile(`valid until \d{4}-\d\d-\d\d`), "valid until DATE"},
	{regexp.MustCompile(`revision [0-9a-f]{12}\b`), "revision ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`), "DATE TIME:SECONDZ"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\dZ`), "DATE TIMEZ"},
	{regexp.MustCompile(` run [0-9a-f]{8}\b`), " run ID"},
	{regexp.MustCompile(`\bcli:[^\s),."]+`), "cli:USER"},
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"`), `"TIME"`},
}

// looks compares the last output with a file, but for what differs from run to run.
func looks(ts *testscript.TestScript, _ bool, args []string) {
	got := ts.ReadFile("stdout")
	for _, v := range volatile {
		got = v.pattern.ReplaceAllString(got, v.instead)
	}
	expand(ts, false, args)
	if diff := cmp.Diff(ts.ReadFile(args[0]), got); diff != "" {
		ts.Fatalf("-want +got:\n%s", diff)
	}
}

func (s scripts) txt(ts *testscript.TestScript, _ bool, args []string) {
	take(ts, false, []string{"RECORD", `TXT  "([^"]+)"`})
	s.dns.SetTXT(args[0], ts.Getenv("RECORD"))
}

// logged puts requests into the log of usherd.db, each a line of JSON, with how long ago it was, quirks and dialect
// counted as the door would.
func logged(ts *testscript.TestScript, _ bool, args []string) {
	now := time.Now()
	url := storeOf(ts)
	if url == scriptStore {
		url = "sqlite:" + ts.MkAbs("usherd.db")
	}
	db, err := store.Open(context.Background(), url, store.Options{Now: time.Now})
	ts.Check(err)
	var list []connector.Request
	var quirks []connector.QuirkCount
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var row struct {
			connector.Request
			Ago connector.Duration
		}
		ts.Check(json.Unmarshal([]byte(line), &row))
		r := row.Request
		r.At = now.Add(-time.Duration(row.Ago))
		r.ID = connector.FirstID(r.At)
		r.ID[15] = byte(len(list) + 1)
		list = append(list, r)
		for _, q := range r.Quirks {
			quirks = append(quirks, connector.QuirkCount{Org: r.Org, Source: r.Source, Quirk: q, Count: 1, First: r.At, Last: r.At})
		}
		if r.Profile != "" {
			ts.Check(db.PutClientProfile(context.Background(), connector.ClientProfile{Org: r.Org, Source: r.Source, Profile: r.Profile, Why: "op is written Replace", At: r.At}))
		}
	}
	ts.Check(errors.Join(db.PutRequests(context.Background(), list, quirks), db.Close()))
}
