package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
)

// beUsherd in the environment makes the test binary usherd itself, for tests that need a process to
// signal or kill.
const beUsherd = "USHERD_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beUsherd) != "" {
		main()
		return
	}
	code := m.Run()
	if dir := quick.dir; dir != "" {
		_ = os.RemoveAll(dir) // the system's temporary folder
	}
	os.Exit(code)
}

// quick is a build without the race detector, where the tests have it.
var quick struct {
	sync.Once
	dir string
	err error
}

// quickUsherd is a program for tests that start it hundreds of times: the test binary, or where this has the race
// detector, and takes several times as long to start, usherd built without it. What its commands do in one
// process is run with the detector by the other tests.
func quickUsherd() (path string, err error) {
	if !raceEnabled {
		return os.Executable()
	}
	quick.Do(func() {
		if quick.dir, quick.err = os.MkdirTemp("", "usherd-quick"); quick.err != nil {
			return
		}
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(quick.dir, "usherd"), ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			quick.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	return filepath.Join(quick.dir, "usherd"), quick.err
}

// rig is a configuration with a store of its own, on which commands are run.
type rig struct {
	t     *testing.T
	dir   string
	store string // URL; "" = a file in dir
	clock func() time.Time
	env   map[string]string
}

// newRig writes the configuration. $DIR in it is the rig's folder. Its store is the file there, unless tests are to
// run on PostgreSQL.
func newRig(t *testing.T, config string) *rig {
	t.Helper()
	if newstore.OnPostgres() {
		return newRigOn(t, newstore.Postgres(t), config)
	}
	return newRigOn(t, "", config)
}

// newRigOn is newRig with another store where there is one.
func newRigOn(t *testing.T, url, config string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), store: url, clock: time.Now, env: map[string]string{"LDAP_PASSWORD": "secret"}}
	if url == "" { // the scripts begin without a store
		newstore.SQLiteAt(t, filepath.Join(r.dir, "usherd.db"))
	}
	r.configure(config)
	return r
}

// usual is how configurations name the store of a rig.
const usual = "sqlite:$DIR/usherd.db"

func (r *rig) configure(config string) {
	r.t.Helper()
	if r.store != "" {
		config = strings.ReplaceAll(config, usual, r.store)
	}
	if err := os.WriteFile(r.config(), []byte(strings.ReplaceAll(config, "$DIR", r.dir)), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) config() string { return filepath.Join(r.dir, "usherd.yaml") }

func (r *rig) app(out, errs *bytes.Buffer) *app {
	return &app{
		in: strings.NewReader(""), out: out, err: errs, now: r.clock,
		env: func(name string) (string, bool) {
			if name == "USHERD_CONFIG" {
				return r.config(), true
			}
			v, ok := r.env[name]
			return v, ok
		},
	}
}

// run runs one command line in this process.
func (r *rig) run(args ...string) (out, errs string, code int) {
	r.t.Helper()
	var o, e bytes.Buffer
	code = r.app(&o, &e).run(r.t.Context(), args)
	return o.String(), e.String(), code
}

// must is run with the exit code that is wanted; it returns what was printed on the standard output.
func (r *rig) must(want int, args ...string) string {
	r.t.Helper()
	out, errs, code := r.run(args...)
	if code != want {
		r.t.Fatalf("usherd %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errs)
	}
	return out
}

// decode is must for a command that prints JSON.
func decode[T any](r *rig, want int, args ...string) T {
	r.t.Helper()
	var v T
	out := r.must(want, args...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		r.t.Fatalf("usherd %s: %v in:\n%s", strings.Join(args, " "), err, out)
	}
	return v
}

// runDocument is what `sync -o json` and `report -o json` print.
type tokenJSON = api.Token

// newTokenJSON is a token as it is made.
type newTokenJSON struct {
	ID, Token string
	EndsAt    *time.Time `json:"ends_at"`
}

type runDocument struct {
	ID      string           `json:"id"`
	Result  connector.Result `json:"result"`
	Error   string           `json:"error"`
	Hint    string           `json:"hint"`
	Counts  connector.Counts `json:"counts"`
	Entries int              `json:"entries_read"`
	Skips   map[string]int   `json:"skips"`
	Seconds float64          `json:"duration_seconds"`
	Mode    connector.Mode   `json:"mode"`
	Missed  *int             `json:"missed"`
	Warned  []string         `json:"warnings"`
	Hold    *struct{ Reason, Status string }
	Changes []changeDocument `json:"changes"`
}

type changeDocument struct {
	Action  string `json:"action"`
	Subject string `json:"subject"`
	DN      string `json:"dn"`
	UserID  string `json:"user_id"`
	Before  string `json:"state_before"`
	After   string `json:"state_after"`
	Fields  []struct {
		Field         string
		Before, After []string
	} `json:"changes"`
	Failures []failureDocument `json:"failures"`
}

type failureDocument struct {
	Code      int
	Reason    string
	Fields    []string
	Subject   string
	Ref       string
	Count     int
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

func (r *rig) sync(want int) runDocument {
	r.t.Helper()
	return decode[runDocument](r, want, "sync", "-q", "-o", "json")
}

func (r *rig) failures() []failureDocument {
	r.t.Helper()
	return decode[struct{ Failures []failureDocument }](r, exitOK, "failures", "--limit", "0", "-o", "json").Failures
}

// users are all live users by user name.
func (r *rig) users(args ...string) map[string]userJSON {
	r.t.Helper()
	list := decode[struct{ Users []userJSON }](r, exitOK, append([]string{"users", "--limit", "0", "-o", "json"}, args...)...).Users
	byName := make(map[string]userJSON, len(list))
	for _, u := range list {
		if _, twice := byName[u.UserName]; twice {
			r.t.Fatalf("two users are called %s", u.UserName)
		}
		byName[u.UserName] = u
	}
	return byName
}

func (r *rig) show(name string) userDocument {
	r.t.Helper()
	return decode[userDocument](r, exitOK, "user", "show", name, "-o", "json")
}

// withStore opens the store beside whoever else has it.
func (r *rig) withStore(do func(*store.DB)) {
	r.t.Helper()
	db, err := store.Open(r.t.Context(), cmp.Or(r.store, strings.ReplaceAll(usual, "$DIR", r.dir)), store.Options{Now: time.Now})
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	do(db)
}

// verify fails the test when the store breaks an invariant.
func (r *rig) verify() {
	r.t.Helper()
	r.withStore(func(db *store.DB) {
		faults, err := db.Verify(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		for _, f := range faults {
			r.t.Errorf("the store: %s", f)
		}
	})
}

// oneSource is a configuration with one organization and one source, of which directory is the block.
func oneSource(directory string) string {
	return `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: unlimited}]
  package: standard
  sources:
  - id: hq
    first_run: apply
    directory:
` + indent(directory, "      ")
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(by + line)
	}
	return b.String()
}

// slapdBlock is the directory block of a slapd.
func slapdBlock(s *testserver.Server) string {
	return fmt.Sprintf(`type: openldap
servers: [%s]
tls: {ca_file: %s, server_name: %s}
bind: {user: "%s", password: {env: LDAP_PASSWORD}}
bases: ["%s"]
`, s.LDAPSURL, s.CAFile, s.Host, s.SyncDN, s.Base)
}

// readers are the accounts of the directories in this process.
var readers = []ldaptest.Account{{Names: []string{"CN=usherd,DC=example,DC=test"}, Password: "secret"}}

// fake starts a directory in this process and returns it with its block.
func fake(t *testing.T, o ldaptest.Options) (d *ldaptest.Server, block string) {
	t.Helper()
	o.Accounts = readers
	d, err := ldaptest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, d.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	kind := map[ldaptest.Kind]string{ldaptest.ActiveDirectory: "active_directory", ldaptest.OpenLDAP: "openldap", ldaptest.DS389: "389ds"}[o.Kind]
	return d, fmt.Sprintf(`type: %s
servers: [%s]
tls: {ca_file: '%s'}
bind: {user: "CN=usherd,DC=example,DC=test", password: {env: LDAP_PASSWORD}}
bases: ["OU=People,DC=example,DC=test"]
connect_timeout: 2s
read_timeout: 1s
`, kind, d.LDAPSURL(), ca)
}

// person is a complete entry of the directories in this process.
func person(i int) (dn string, a ldaptest.Attrs) {
	uid := fmt.Sprintf("p%06d", i)
	return "CN=" + uid + ",OU=People,DC=example,DC=test", ldaptest.Attrs{
		"objectClass": {"user"}, "sAMAccountName": {uid}, "userPrincipalName": {uid + "@example.test"},
		"givenName": {"Given"}, "sn": {"Sur" + uid}, "displayName": {"Given Sur" + uid}, "mail": {uid + "@example.test"},
	}
}

// people adds the persons 1 to n.
func people(t *testing.T, d *ldaptest.Server, n int) {
	t.Helper()
	for i := range n {
		if err := d.Add(person(i + 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// logLines takes what a daemon logs and hands it over line by line.
type logLines struct {
	mu   sync.Mutex
	rest []byte
	all  []map[string]any
	more chan struct{} // closed and made anew with each line
	read int
}

func newLogLines() *logLines { return &logLines{more: make(chan struct{})} }

// Write takes JSON lines.
func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.rest = rest
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			m = map[string]any{"msg": string(line)}
		}
		l.all = append(l.all, m)
		close(l.more)
		l.more = make(chan struct{})
	}
}

// lines are all with that message so far; with "" all.
func (l *logLines) lines(msg string) (list []map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.all {
		if msg == "" || m["msg"] == msg {
			list = append(list, m)
		}
	}
	return list
}

// await returns the next line, after those that were awaited before, with one of these messages.
func (l *logLines) await(t *testing.T, msgs ...string) map[string]any {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		for ; l.read < len(l.all); l.read++ {
			if m := l.all[l.read]; slices.ContainsFunc(msgs, func(msg string) bool { return m["msg"] == msg }) {
				l.read++
				l.mu.Unlock()
				return m
			}
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-deadline:
			l.mu.Lock()
			defer l.mu.Unlock()
			t.Fatalf("no line %q in the log: %v", msgs, l.all)
		}
	}
}
