package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"usherd/config"
	"usherd/connector"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

const (
	variable     = "USHERD_BENCH_PASSWORD"
	peopleFilter = "(objectClass=inetOrgPerson)"
	benchOrg     = "bench"
	sourceID     = "slapd"
	exitFailed   = 3 // of usherd: done, but some people failed
)

// site is a directory and the configuration of an usherd that reads it.
type site struct {
	server     *testserver.Server // nil where people are pushed
	size       int                // number of people
	faulty     int                // percent of them
	people     string
	attributes []string // that usherd asks for
	listen     string
	more       string // keys of the source
	ad         bool   // an Active Directory
	config     string // path
	store      string // path; whether it is there depends on what was measured last
	url        string // of the store; "" = SQLite at that path
}

// site starts a directory in which so many percent of the people have no e-mail.
func (b *bench) site(ctx context.Context, faulty int) (*site, error) {
	if s := b.sites[faulty]; s != nil {
		return s, nil
	}
	b.fill("a slapd with %d people", b.o.people)
	dir := filepath.Join(b.dir, fmt.Sprint("site", faulty))
	server, err := testserver.StartSlapd(ctx, filepath.Join(dir, "slapd"), testserver.SlapdOptions{
		LDIF: ldifgen.To(ldifgen.Options{Users: b.o.people, NoMail: faulty}),
	})
	if err != nil {
		return nil, err
	}
	s := &site{
		server: server, size: b.o.people, faulty: faulty, people: "ou=People," + server.Base,
		config: filepath.Join(dir, "usherd.yaml"), store: filepath.Join(dir, "usherd.db"),
	}
	b.sites[faulty] = s
	if s.listen, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	return s, s.configure()
}

const configuration = `listen: %q
store: %q
organizations:
  - id: %s
    partner_id: bench
    packages: [{id: standard, seats: unlimited}]
    package: standard
    sources:
      - id: %s
        first_run: apply
        %s
        directory:
          type: %s
          servers: [%q]
          tls: {ca_file: %q, server_name: %q}
          bind: {user: %q, password: {env: %s}}
          bases: [%q]
`

// unixKeys are those of the directory block that an Active Directory does not need.
const unixKeys = `          filter: "` + peopleFilter + `"
          disabled: {attribute: employeeType, values: [Inactive]}
`

// configure writes the configuration and learns from it which attributes are asked for.
func (s *site) configure() error {
	kind, keys := "openldap", unixKeys
	if s.ad {
		kind, keys = "active_directory", ""
	}
	url := cmp.Or(s.url, "sqlite:"+s.store)
	text := fmt.Sprintf(configuration, s.listen, url, benchOrg, sourceID, s.more, kind, s.server.LDAPSURL, s.server.CAFile,
		s.server.Host, s.server.SyncDN, variable, s.people) + keys
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		return err
	}
	file, err := s.load()
	if err != nil {
		return err
	}
	s.attributes = slices.Concat(file.Organizations[0].Directories[sourceID].Attributes, []string{"entryUUID"})
	return nil
}

func (s *site) load() (*config.File, error) {
	return config.Load(s.config, config.LoadOptions{Env: func(name string) (string, bool) {
		return s.server.SyncPassword, name == variable
	}})
}

// empty removes the store with its companions.
func (s *site) empty() error {
	for _, more := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.store + more); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// ldapsearch reads what usherd reads, in the same pages, over the same kind of connection.
func (b *bench) ldapsearch(ctx context.Context, s *site) (timed, error) {
	args := append([]string{
		"-x", "-LLL", "-H", s.server.LDAPSURL, "-D", s.server.SyncDN, "-w", s.server.SyncPassword,
		"-E", "pr=1000/noprompt", "-b", s.people, peopleFilter,
	}, s.attributes...)
	cmd := exec.CommandContext(ctx, "ldapsearch", args...) //nolint:gosec // our own words
	cmd.Env = s.server.ClientEnv()
	return b.measure(cmd, io.Discard)
}

// command is the usherd program with the site's configuration.
func (b *bench) command(ctx context.Context, s *site, args ...string) (*exec.Cmd, error) {
	path, err := b.usherd(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"-q", "-c", s.config}, args...)...) //nolint:gosec // built by us
	cmd.Env = os.Environ()
	if s.server != nil {
		cmd.Env = append(cmd.Env, variable+"="+s.server.SyncPassword)
	}
	cmd.Dir = filepath.Dir(s.config)
	return cmd, nil
}

// report is what is looked at of a run's document; its counts stand at the beginning.
type report struct {
	Result  connector.Result
	Counts  connector.Counts
	Entries int                `json:"entries_read"`
	Phases  map[string]float64 // seconds
}

// sync runs `usherd sync` and makes sure that it did what is to be measured: so many were created, the
// others were as they are.
func (b *bench) sync(ctx context.Context, s *site, first bool) (t timed, r report, err error) {
	if t, r, err = b.run(ctx, s); err != nil {
		return t, r, err
	}
	done := r.Counts.Unchanged
	if first {
		done = r.Counts.Created
	}
	if r.Entries != s.size || done+r.Counts.Failed != s.size || s.faulty == 0 && r.Counts.Failed > 0 {
		return t, r, fmt.Errorf("this is not the run that was to be measured (first: %v): %+v", first, r)
	}
	return t, r, nil
}

// run runs `usherd sync`, which has to end well but for single people.
func (b *bench) run(ctx context.Context, s *site, flags ...string) (t timed, r report, err error) {
	cmd, err := b.command(ctx, s, append([]string{"sync", "-o", "json"}, flags...)...)
	if err != nil {
		return t, r, err
	}
	path := filepath.Join(filepath.Dir(s.config), "report.json")
	out, err := os.Create(path) //nolint:gosec // our own folder
	if err != nil {
		return t, r, err
	}
	defer out.Close() //nolint:errcheck // read again below
	if t, err = b.measure(cmd, out, exitFailed); err != nil {
		return t, r, err
	}
	if r, err = readReport(path); err == nil && r.Result != connector.ResultOK {
		err = fmt.Errorf("the run did not end well: %+v", r)
	}
	return t, r, err
}

// readReport reads the head of a report, up to the lists of people, which may be long.
func readReport(path string) (report, error) {
	var r report
	f, err := os.Open(path) //nolint:gosec // our own folder
	if err != nil {
		return r, err
	}
	defer f.Close() //nolint:errcheck // only read
	d := json.NewDecoder(f)
	if _, err := d.Token(); err != nil { // {
		return r, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return r, err
		}
		var into any = new(json.RawMessage)
		switch name {
		case "result":
			into = &r.Result
		case "counts":
			into = &r.Counts
		case "entries_read":
			into = &r.Entries
		case "phases":
			into = &r.Phases
		case "failures", "changes":
			return r, nil
		}
		if err := d.Decode(into); err != nil {
			return r, err
		}
	}
	return r, nil
}

// directory measures a first sync into an empty store and one with nothing changed, in turns with ldapsearch.
func (b *bench) directory(ctx context.Context, name string, faulty int) error {
	s, err := b.site(ctx, faulty)
	if err != nil {
		return err
	}
	if _, err := b.usherd(ctx); err != nil {
		return err
	}
	if _, err := b.ldapsearch(ctx, s); err != nil { // the server's caches are warm from here on
		return err
	}
	for i := range b.o.rounds {
		b.say("%s: round %d of %d", name, i+1, b.o.rounds)
		if err := b.round(ctx, s, name+"."); err != nil {
			return err
		}
	}
	return nil
}

// memoryGoal is in MB. What is kept in memory of each person is little beside what any run takes.
func (b *bench) memoryGoal() float64 {
	if b.o.people > 100_000 {
		return 400 // for a million
	}
	return 200
}

func (b *bench) round(ctx context.Context, s *site, prefix string) error {
	if err := s.empty(); err != nil {
		return err
	}
	before, err := b.ldapsearch(ctx, s)
	if err != nil {
		return err
	}
	first, told, err := b.sync(ctx, s, true)
	if err != nil {
		return err
	}
	search, err := b.ldapsearch(ctx, s)
	if err != nil {
		return err
	}
	unchanged, _, err := b.sync(ctx, s, false)
	if err != nil {
		return err
	}
	perEntry := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(b.o.people) }
	b.add(figure{name: prefix + "ldapsearch_s", unit: "s"}, search.wall.Seconds())
	b.add(figure{name: prefix + "unchanged_vs_ldapsearch", unit: "x", goal: 1.3}, unchanged.wall.Seconds()/search.wall.Seconds())
	b.add(figure{name: prefix + "first_vs_ldapsearch", unit: "x", goal: 10}, first.wall.Seconds()/before.wall.Seconds())
	b.add(figure{name: prefix + "unchanged_s", unit: "s"}, unchanged.wall.Seconds())
	b.add(figure{name: prefix + "first_s", unit: "s"}, first.wall.Seconds())
	b.add(figure{name: prefix + "first_read_s", unit: "s"}, told.Phases["read"])
	b.add(figure{name: prefix + "first_apply_s", unit: "s"}, told.Phases["apply"])
	b.add(figure{name: prefix + "cpu_us_per_entry", unit: "us"}, perEntry(unchanged.cpu))
	b.add(figure{name: prefix + "first_cpu_us_per_entry", unit: "us"}, perEntry(first.cpu))
	b.add(figure{name: prefix + "ldapsearch_cpu_us_per_entry", unit: "us"}, perEntry(search.cpu))
	b.add(figure{name: prefix + "first_peak_mb", unit: "MB", goal: b.memoryGoal(), peak: true}, first.peak)
	b.add(figure{name: prefix + "unchanged_peak_mb", unit: "MB", goal: b.memoryGoal(), peak: true}, unchanged.peak)
	return nil
}
