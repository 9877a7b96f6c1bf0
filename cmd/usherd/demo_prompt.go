package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"usherd/connector"
	"usherd/connector/report"
	"usherd/ldapsync/ldaptest"
)

const demoHelp = `  h N  hire N people     d N  disable their accounts     s  sync in full now
  f N  fire              e N  enable them again          a  approve what is held
  m N  move              r N  rename, as by marriage     u  users and seats
  ?    this help         q    quit
`

// showNext says what can be done now.
func (d *demo) showNext() {
	switch {
	case !d.flags.once:
		d.part("Your turn")
		d.say("In another terminal:\n\n")
		d.showTries(true)
	case d.flags.dir == "":
		d.say("\nThe folder is removed now; keep it with --dir FOLDER, or play: start usherd demo in a terminal.\n")
	default:
		d.part("What to try next")
		d.say("The directory has ended with the demo; what the sync has written stays:\n\n")
		d.showTries(false)
	}
}

// live runs the daemon, and the prompt beside it, until either ends.
func (d *demo) live(ctx context.Context) error {
	signals, stop := onReload()
	defer stop()
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	daemon := newDaemon(d.app, d.site, d.log, signals)
	p := &prompt{demo: d, daemon: daemon, seen: d.now()} // before the daemon can have begun a run
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return daemon.run(ctx, d.ln) })
	g.Go(func() error {
		defer quit()
		return p.run(ctx)
	})
	err := g.Wait()
	d.say("\nThe demo has ended")
	if d.flags.dir != "" {
		d.say("; its files stay in %s", d.folder)
	}
	d.say(".\n")
	return err
}

// heard is called for each line of the daemon's log.
func (d *demo) heard(zapcore.Entry) error {
	select {
	case d.logged <- struct{}{}:
	default:
	}
	return nil
}

// prompt plays the administrator of the directory.
type prompt struct {
	*demo
	daemon *daemon
	seen   time.Time // start of the last run that was shown
}

// run reads commands until q, the end of the input or of ctx.
func (p *prompt) run(ctx context.Context) error {
	p.say("\nThe daemon runs: it follows the directory live, and reads it in full every\n")
	p.say("5 minutes. Log: usherd.log; health: http://%s/readyz, /metrics\n", p.ln.Addr())
	p.say("\nHere you are the administrator of the directory, and see what becomes of whom:\n\n%s\n", demoHelp)
	input := lines(ctx, p.in)
	for {
		p.say("usherd> ")
		select {
		case <-ctx.Done():
			return nil
		case <-p.logged:
			if !p.news(ctx) {
				p.say("\r")
			}
		case line, ok := <-input:
			if !ok {
				return nil
			}
			if p.obey(ctx, line) {
				return nil
			}
		}
	}
}

// lines reads r until its end or that of ctx. A read that waits cannot be interrupted: the last one may
// go on until the program ends.
func lines(ctx context.Context, r io.Reader) <-chan string {
	c := make(chan string)
	go func() {
		defer close(c)
		for s := bufio.NewScanner(r); s.Scan(); {
			select {
			case c <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}

// news tells of runs that the schedule has started, and whether there were any.
func (p *prompt) news(ctx context.Context) bool {
	runs, err := p.site.db.Runs(ctx, connector.RunFilter{Org: demoOrg, Limit: 20})
	if err != nil {
		return false
	}
	told := false
	for _, r := range slices.Backward(runs) {
		if r.Finished.IsZero() || !r.Started.After(p.seen) {
			continue
		}
		p.seen = r.Started
		if r.Actor != connector.ActorSchedule {
			continue
		}
		p.say("\r%s  synced on schedule: %s (usherd report %s)\n", r.Finished.Local().Format("15:04:05"), tally(r.Counts), r.ID.Short()) //nolint:gosmopolitan // people at a terminal read local time
		told = true
	}
	return told
}

// tally says what a run has done, in a few words.
func tally(c connector.Counts) string {
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{
		{c.Created, "created"},
		{c.Updated, "updated"},
		{c.Reactivated, "reactivated"},
		{c.Deactivated, "deactivated"},
		{c.Deleted, "deleted"},
		{c.Held, "held"},
		{c.Failed, "failed"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	if parts == nil {
		return "nothing had to be changed"
	}
	return strings.Join(parts, ", ")
}

// obey does one line and says whether it was the last.
func (p *prompt) obey(ctx context.Context, line string) (last bool) {
	word, n, err := parseOrder(line)
	if err == nil && word == "q" {
		return true
	}
	if err == nil {
		err = p.order(ctx, word, n)
	}
	if err != nil && ctx.Err() == nil {
		printError(p.out, err)
	}
	return false
}

func (p *prompt) order(ctx context.Context, word string, n int) (err error) {
	if x, ok := p.deeds()[word]; ok {
		return p.play(ctx, x, n)
	}
	switch word {
	case "":
	case "s":
		err = p.syncNow(ctx)
	case "a":
		err = p.approve(ctx)
	case "u":
		err = p.summary(ctx)
	case "?":
		p.say("%s", demoHelp)
	default:
		err = usagef("there is no command %q; the commands are:\n%s", word, strings.TrimRight(demoHelp, "\n"))
	}
	return err
}

// orders are the long forms of the letters.
var orders = map[string]string{
	"hire": "h", "fire": "f", "move": "m", "rename": "r", "disable": "d", "enable": "e", "sync": "s", "approve": "a",
	"users": "u", "seats": "u", "help": "?", "quit": "q", "exit": "q",
}

// maxOrder bounds what one line may ask for.
const maxOrder = 10_000

// parseOrder reads a letter or word and a number, 1 without one: "h 10", "h10", "hire 10".
func parseOrder(line string) (word string, n int, err error) {
	line = strings.ToLower(strings.TrimSpace(line))
	at := strings.IndexFunc(line, func(r rune) bool { return r == ' ' || r >= '0' && r <= '9' })
	number := ""
	if at >= 0 {
		line, number = line[:at], strings.TrimSpace(line[at:])
	}
	if long, ok := orders[line]; ok {
		line = long
	}
	if number == "" {
		return line, 1, nil
	}
	if n, err = strconv.Atoi(number); err != nil || n < 1 || n > maxOrder {
		return "", 0, usagef("%q is no number from 1 to %d", number, maxOrder)
	}
	return line, n, nil
}

// change does something to n people and names the first of them.
func (d *demo) change(what string, n int, do func(int) ([]string, error)) ([]string, error) {
	if n == 0 {
		return nil, nil
	}
	dns, err := do(n)
	if len(dns) > 0 {
		head := fmt.Sprintf("%d %s: ", len(dns), what)
		d.say("%s%s\n", head, d.names(dns, d.columns()-len(head)))
	}
	return dns, err
}

// names is as many names as have room, and how many more there are.
func (d *demo) names(dns []string, room int) string {
	const sample = 3
	line := report.Cut(d.named(dns[0]), room)
	for i, dn := range dns[1:] {
		longer := line + ", " + d.named(dn)
		if more := andMore(len(dns) - i - 2); i+2 > sample || report.Width(longer+more) > room {
			return line + andMore(len(dns)-i-1)
		}
		line = longer
	}
	return line
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// columns is how long a line may be.
func (d *demo) columns() int {
	if n := d.width(); n > 0 {
		return n
	}
	return 80
}

// named says who a DN is; of somebody who is gone only the DN tells.
func (d *demo) named(dn string) string {
	e, ok := d.dir.Entry(dn)
	if !ok || len(e["displayName"]) == 0 {
		name, _, _ := strings.Cut(strings.TrimPrefix(dn, "CN="), ",")
		return name
	}
	if len(e["department"]) > 0 {
		return e["displayName"][0] + " (" + e["department"][0] + ")"
	}
	return e["displayName"][0]
}

func (p *prompt) disable(n int) ([]string, error) {
	dns, err := p.company.Disable(n)
	p.locked = append(p.locked, dns...)
	return dns, err
}

// enable gives the accounts back that were disabled here, the last first.
func (p *prompt) enable(n int) ([]string, error) {
	if len(p.locked) == 0 {
		return nil, errors.New("nobody was disabled here: do that first, with d")
	}
	n = min(n, len(p.locked))
	dns := slices.Clone(p.locked[len(p.locked)-n:])
	for _, dn := range dns {
		if err := p.dir.Modify(dn, ldaptest.Attrs{"userAccountControl": {"512"}}); err != nil {
			return nil, err
		}
	}
	p.locked = p.locked[:len(p.locked)-n]
	return dns, nil
}

// syncNow reads everything and says whether the daemon has missed anything.
func (p *prompt) syncNow(ctx context.Context) error {
	if err := p.act(ctx, p.sync); err != nil {
		return err
	}
	last := p.daemon.lastOf(p.target.name())
	switch {
	case last == nil || last.Missed == nil:
	case *last.Missed == 0:
		p.say("\nMissed 0: the daemon had followed every change already.\n")
	default:
		p.say("\nMissed %d: so many people had changed without the daemon's hearing of it.\n", *last.Missed)
	}
	return nil
}

// act does a run at the prompt and lets the daemon know of it, as if it were its own.
func (p *prompt) act(ctx context.Context, run func(context.Context) error) error {
	if err := run(ctx); err != nil {
		return err
	}
	last, err := p.site.db.Runs(ctx, connector.RunFilter{Org: demoOrg, Source: demoSource, Limit: 1})
	if err != nil || len(last) == 0 {
		return err
	}
	p.daemon.metrics.ended(last[0])
	p.daemon.remember(last[0])
	if h := last[0].Hold; h != nil && h.Status == connector.HoldOpen {
		p.say("\nHere: a approves it.\n")
	}
	return p.daemon.metrics.refresh(ctx, p.site)
}

// approve carries out the last run that holds something.
func (p *prompt) approve(ctx context.Context) error {
	runs, err := p.site.db.Runs(ctx, connector.RunFilter{Org: demoOrg, Source: demoSource, Limit: 20})
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Hold != nil && r.Hold.Status == connector.HoldOpen {
			return p.act(ctx, func(ctx context.Context) error {
				return p.shown(ctx, func(f runFlags) error { return p.carryOut(ctx, p.site, r.ID.String(), connector.Part{}, f) })
			})
		}
	}
	return errors.New("nothing is held: fire more than 10 and more than 5 % of the people at once, as with f 200")
}

// summary shows users by state and the seats.
func (p *prompt) summary(ctx context.Context) error {
	seats, err := p.site.db.Seats(ctx, demoOrg)
	if err != nil {
		return err
	}
	p.say("%d people in the directory\n", p.company.Size())
	if err := p.states(ctx); err != nil {
		return err
	}
	p.say("\n")
	tab := report.NewTable(p.out, p.width(), report.Column{}, report.Column{Title: "Package"}, report.Column{Title: "Seats", Right: true},
		report.Column{Title: "Used", Right: true}, report.Column{Title: "Waiting", Right: true})
	for _, c := range seats {
		tab.Row("", c.Name, seatNumber(c.Seats), strconv.Itoa(c.Used), strconv.Itoa(c.Waiting))
	}
	return tab.Flush()
}
