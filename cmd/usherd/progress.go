package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"usherd/connector/provision"
)

// progress shows how far long work is: a bar on a terminal, a line every ten seconds otherwise.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	name     string

	phase   string
	started time.Time
	shown   time.Time
	drawn   bool
}

// newProgress returns a function for provision, nil when nothing is to be shown.
func (a *app) newProgress(name string) (show func(provision.Progress), done func()) {
	if a.quiet {
		return nil, func() {}
	}
	p := &progress{w: a.err, terminal: interactive(a.err), now: a.now, name: name, started: a.now(), shown: a.now()}
	return p.show, p.clear
}

func (p *progress) show(x provision.Progress) {
	now := p.now()
	if x.Phase != p.phase {
		p.phase, p.started = x.Phase, now
	}
	every := 10 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	line := p.line(x, now.Sub(p.started))
	if p.terminal {
		p.drawn = true
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.w, line)
}

// line gives entries, rate and, where the end is known, a bar and the time left.
func (p *progress) line(x provision.Progress, took time.Duration) string {
	rate := 0.0
	if s := took.Seconds(); s > 0 {
		rate = float64(x.Done) / s
	}
	if x.Total <= 0 || x.Done > x.Total {
		return fmt.Sprintf("%s  %-6s %d entries, %.0f/s", p.name, x.Phase, x.Done, rate)
	}
	const width = 24
	full := width * x.Done / x.Total
	left := ""
	if rate > 0 {
		left = ", " + time.Duration(float64(x.Total-x.Done)/rate*float64(time.Second)).Round(time.Second).String() + " left"
	}
	bar := strings.Repeat("#", full) + strings.Repeat(".", width-full)
	return fmt.Sprintf("%s  %-6s [%s] %d of %d, %.0f/s%s", p.name, x.Phase, bar, x.Done, x.Total, rate, left)
}

// clear removes the bar.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
