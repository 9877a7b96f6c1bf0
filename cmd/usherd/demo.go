package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/domains/dnstest"
	"usherd/connector/policy"
	"usherd/connector/provision"
	"usherd/connector/report"
	"usherd/ldapsync/ldaptest"
)

// The bounds of --people: below, some kinds of trouble have nobody; above, it takes more than a minute.
const (
	minDemoPeople = 50
	maxDemoPeople = 100_000
)

// demoFlags are those of the demo.
type demoFlags struct {
	people, hire, fire int
	seed               uint64
	dir, lang          string
	once, prompt       bool
}

func (a *app) demoCmd() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use: "demo", Short: "Try it: a directory of invented people, a first sync, the daemon", Args: noArgs,
		Long: `demo starts a directory of invented people inside this program, writes a configuration, proves a domain,
does the first sync and shows its report. Then it runs the daemon, which follows the directory live: you hire,
fire and move people at a prompt, and see at once what becomes of them. All of it stays on 127.0.0.1 and in a
temporary folder that is removed at the end.

With --once, or where no terminal is, it ends after the report, with the exit code of usherd sync.`,
		Example: `  usherd demo
  usherd demo --people 20000 --dir ./demo
  usherd demo --hire 10 --fire 5 --once`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			in, ok := a.in.(*os.File)
			terminal := ok && interactive(in) && interactive(a.out)
			f.once = f.once || !f.prompt && !terminal
			return a.demo(cmd.Context(), f)
		},
	}
	cmd.Flags().IntVar(&f.people, "people", 1000, "how many people the directory has")
	cmd.Flags().IntVar(&f.hire, "hire", 0, "hire so many after the first sync, and sync again")
	cmd.Flags().IntVar(&f.fire, "fire", 0, "fire so many after the first sync, and sync again")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "who the people are: the same seed gives the same people")
	cmd.Flags().StringVar(&f.dir, "dir", "", "keep everything in this new or empty folder (default: a temporary one)")
	addLang(cmd, &f.lang, "language of the reports")
	cmd.Flags().BoolVar(&f.once, "once", false, "end after the report")
	cmd.Flags().BoolVar(&f.prompt, "prompt", false, "take commands from standard input although it is no terminal")
	return cmd
}

func (f demoFlags) check() error {
	switch {
	case f.once && f.prompt:
		return usagef("--once and --prompt: one or the other")
	case f.people < minDemoPeople || f.people > maxDemoPeople:
		return usagef("--people %d: a number from %d to %d", f.people, minDemoPeople, maxDemoPeople)
	case f.hire < 0 || f.hire > maxDemoPeople:
		return usagef("--hire %d: a number from 0 to %d", f.hire, maxDemoPeople)
	case f.fire < 0 || f.fire > f.people/2:
		return usagef("--fire %d: a number from 0 to half of the people", f.fire)
	}
	return nil
}

// kept reports whether the folder is still there when the user looks.
func (f demoFlags) kept() bool { return f.dir != "" || !f.once }

// demo is the running demonstration.
type demo struct {
	*app
	flags  demoFlags
	folder string
	config string // path of the configuration

	dir     *ldaptest.Server
	company *ldaptest.Company
	locked  []string // DNs of those who were disabled at the prompt
	dns     *dnstest.Server
	ln      net.Listener
	log     *zap.Logger
	logged  chan struct{} // has something after the daemon wrote to its log

	site   *site
	target target
	parts  int // headings shown
	runs   int // reports shown

	ends []func() error // in reverse order
}

func (a *app) demo(ctx context.Context, f demoFlags) (err error) {
	d := &demo{app: a, flags: f, logged: make(chan struct{}, 1)}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.syncs(ctx); err != nil {
		return err
	}
	d.showNext()
	if f.once {
		return nil
	}
	err = d.live(ctx)
	a.code = exitOK // the reports were read, and the rest was play
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// prepare makes everything that a sync needs.
func (d *demo) prepare(ctx context.Context) error {
	if err := d.makeFolder(); err != nil {
		return err
	}
	if err := d.startServers(ctx); err != nil {
		return err
	}
	if err := d.configure(ctx); err != nil {
		return err
	}
	return d.proveDomain(ctx)
}

// atEnd has something undone when the demo ends, the last first.
func (d *demo) atEnd(f func() error) { d.ends = append(d.ends, f) }

func (d *demo) close() (err error) {
	for _, end := range slices.Backward(d.ends) {
		err = errors.Join(err, end())
	}
	return err
}

// say writes to the person at the terminal; when that is gone, there is nobody to tell.
func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format, args...) }

// part begins the next part of the show.
func (d *demo) part(title string) {
	d.parts++
	head := fmt.Sprintf("%d  %s", d.parts, title)
	rule := strings.Repeat("-", len(head))
	if d.color() {
		head = "\x1b[1m" + head + "\x1b[0m"
	}
	if d.parts > 1 {
		d.say("\n")
	}
	d.say("%s\n%s\n", head, rule)
}

// makeFolder takes the folder that was named, or makes one that goes at the end.
func (d *demo) makeFolder() error {
	if d.flags.dir == "" {
		folder, err := os.MkdirTemp("", "usherd-demo-")
		if err != nil {
			return err
		}
		d.folder = folder
		d.atEnd(func() error { return os.RemoveAll(folder) })
		return nil
	}
	folder, err := filepath.Abs(d.flags.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		return usagef("--dir %s: the folder has files in it already; the demo wants a new or empty one", d.flags.dir)
	}
	d.folder = folder
	return nil
}

// startServers makes the directory with its people, the name server and the port of the daemon.
func (d *demo) startServers(ctx context.Context) (err error) {
	d.dir, err = ldaptest.Start(ldaptest.Options{ //nolint:contextcheck // it ends with Close
		Bases:    []string{demoBase},
		Accounts: []ldaptest.Account{{Names: []string{demoAccount}, Password: demoPassword}},
	})
	if err != nil {
		return err
	}
	d.atEnd(func() error { d.dir.Close(); return nil })
	if d.company, err = d.dir.Populate(d.crowd()); err != nil {
		return err
	}
	if d.dns, err = dnstest.Start(); err != nil {
		return err
	}
	d.atEnd(d.dns.Close)
	var lc net.ListenConfig
	if d.ln, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	d.atEnd(func() error {
		if err := d.ln.Close(); !errors.Is(err, net.ErrClosed) { // the daemon closes it too
			return err
		}
		return nil
	})
	d.part("A directory")
	d.say("%d invented people in an Active Directory at %s,\n", d.flags.people, d.dir.LDAPSURL())
	d.say("and a name server for their domain at %s.\nNothing leaves this machine.\n", d.dns.Addr())
	return nil
}

// crowd describes the people.
func (d *demo) crowd() ldaptest.PeopleOptions {
	return ldaptest.PeopleOptions{People: d.flags.people, Seed: d.flags.seed, Domain: demoDomain, OtherDomain: demoOtherDomain, Root: "OU=Nordlys"}
}

// configure writes the configuration, shows it, and opens the store by it.
func (d *demo) configure(ctx context.Context) error {
	text, err := d.writeFiles()
	if err != nil {
		return err
	}
	d.part("A configuration")
	d.say("%s,\nas you would write it for your own directory:\n\n", d.config)
	d.say("%s", regexp.MustCompile(`(?m)^.`).ReplaceAllString(text, "  $0"))
	d.configPath = d.config
	file, err := d.load()
	if err != nil {
		return err
	}
	if err := d.openLog(file.Config.Log); err != nil {
		return err
	}
	if d.site, err = d.openFile(ctx, file, d.log); err != nil {
		return err
	}
	d.atEnd(d.site.close)
	d.target, err = d.site.target(demoOrg, demoSource)
	return err
}

// openLog sends the daemon's log to a file: lines of JSON have no place between the prompt's answers.
func (d *demo) openLog(c config.Log) error {
	file, err := os.OpenFile(filepath.Join(d.folder, "usherd.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	d.atEnd(file.Close)
	d.log = newLog(file, c).WithOptions(zap.Hooks(d.heard))
	return nil
}

// proveDomain walks the way of usherd domain add and check, with the name server in between.
func (d *demo) proveDomain(ctx context.Context) error {
	d.part("A domain to prove")
	name, err := policy.ParseDomain(demoDomain)
	if err != nil {
		return err
	}
	if err := d.domainAdd(ctx, d.site, d.target.org, name); err != nil {
		return err
	}
	added, err := d.target.org.domains.Find(ctx, name)
	if err != nil {
		return err
	}
	d.dns.SetTXT(added.Name, domains.Record(added.Token))
	d.say("\nThe demo has put it there. ")
	if err := d.domainCheck(ctx, d.site, d.target.org, name); err != nil {
		return err
	}
	d.say("%s is another domain of theirs, and nobody has verified it.\n", demoOtherDomain)
	return nil
}

// syncs does the first sync, and a second one when --hire or --fire change the directory.
func (d *demo) syncs(ctx context.Context) error {
	d.part("The first sync")
	if err := d.sync(ctx); err != nil || d.flags.hire == 0 && d.flags.fire == 0 {
		return err
	}
	d.part("People come and go")
	if _, err := d.change("hired", d.flags.hire, d.company.Hire); err != nil {
		return err
	}
	if _, err := d.change("fired", d.flags.fire, d.company.Fire); err != nil {
		return err
	}
	d.part("The second sync")
	return d.sync(ctx)
}

// sync does a run now and shows its report.
func (d *demo) sync(ctx context.Context) error {
	return d.shown(ctx, func(f runFlags) error {
		return d.runTarget(ctx, d.site, d.target, f, provision.SyncRequest{Mode: connector.ModeFull})
	})
}

// shown lets run write its report here and as a page, and names the page.
func (d *demo) shown(ctx context.Context, run func(runFlags) error) error {
	d.runs++
	page := filepath.Join(d.folder, fmt.Sprintf("report-%d.html", d.runs))
	f := runFlags{lang: d.flags.lang, html: page}
	f.output.value = "text"
	if err := run(f); err != nil {
		return err
	}
	if err := d.states(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(page); err == nil && d.flags.kept() {
		d.say("\nThe same as a page: %s\n", page)
	}
	return nil
}

// states says how many users are in which state, and why.
func (d *demo) states(ctx context.Context) error {
	users, err := d.site.db.CountUsers(ctx, demoOrg)
	if err != nil {
		return err
	}
	why := map[connector.State]string{
		connector.Active:      demoDomain + " is verified",
		connector.NotVerified: demoOtherDomain + " is not verified",
		connector.Inactive:    "disabled in the directory, or gone from it",
	}
	d.say("\nUsers by state\n")
	tab := report.NewTable(d.out, d.width(), report.Column{}, report.Column{}, report.Column{Right: true}, report.Column{Flex: true})
	for _, state := range connector.States() {
		if n := users[state]; n > 0 {
			tab.Row("", string(state), strconv.Itoa(n), why[state])
		}
	}
	return tab.Flush()
}
