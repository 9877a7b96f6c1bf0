// Command bench measures usherd next to a yardstick on the same machine in the same minutes: a sync of
// people from a real slapd next to ldapsearch, which reads the same pages and attributes; requests to the SCIM
// door next to a bare HTTP server, which answers with as many stored bytes. It starts and ends everything it
// needs, in a temporary folder. Standard output has one line a figure, `bench NAME VALUE UNIT`; standard error
// has a table for people.
//
// Only figures of one run compare: the yardstick and usherd take turns, and both feel what else the
// machine does. No test depends on a figure.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// suite is a set of figures that are measured together; the names of the figures begin with its name.
type suite struct {
	name, about string
	byName      bool // left out where nothing is named: it takes long
	measure     func(context.Context, *bench) error
}

var suites = []suite{
	{name: "binary", about: "size of the program", measure: measureBinary},
	{name: "directory", about: "first and unchanged sync next to ldapsearch", measure: func(ctx context.Context, b *bench) error { return b.directory(ctx, "directory", 0) }},
	{name: "faulty", about: "the same, with 5 % of the people without e-mail", measure: func(ctx context.Context, b *bench) error { return b.directory(ctx, "faulty", 5) }},
	{name: "start", about: "daemon on a full store until it is ready", measure: measureStart},
	{name: "scim", about: "requests to the SCIM door next to a bare HTTP server", measure: measureSCIM},
	{name: "store", about: "single durable changes, last seats, 1,000,000 people first, on each engine", byName: true, measure: measureStore},
	{name: "console", about: "each page of the console with 200,000 users, 2,000 runs and 1,000,000 events", byName: true, measure: measureConsole},
	{name: "changes", about: "from a change in the directory to the user; with samba and million", byName: true, measure: measureFollowing},
	{name: "samba", about: "from a change in a domain controller to the user", byName: true, measure: measureDomain},
	{name: "million", about: "memory and time for 1,000,000 people in a directory in memory", byName: true, measure: measureMillion},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, table io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(table)
	people := flags.Int("people", 100_000, "`number` of people in the directory; scim has 20,000, million and store 1,000,000 unless it is given")
	serve := flags.String("serve", "", "be the directory of the suite million, with the certificate in this `file`")
	bare := flags.Bool("bare", false, "be the bare server of the suite scim")
	rounds := flags.Int("rounds", 5, "`number` of turns that yardstick and usherd take")
	flags.Usage = func() {
		_, _ = fmt.Fprintln(table, "usage: go run ./internal/bench [flags] [NAME...]\n\nNAME is one of these; none means all without a star:")
		for _, s := range suites {
			star := " "
			if s.byName {
				star = "*"
			}
			_, _ = fmt.Fprintf(table, "%s %-15s %s\n", star, s.name, s.about)
		}
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if *people < 1 || *rounds < 1 {
		return fmt.Errorf("-people %d -rounds %d: both must be at least 1", *people, *rounds)
	}
	if *serve != "" {
		return serveMillion(*people, *serve, in, out) //nolint:contextcheck // the directory lives as long as its orders
	}
	if *bare {
		return serveBare(ctx, in, out)
	}
	million, pushed := 1_000_000, 20_000
	flags.Visit(func(f *flag.Flag) {
		if f.Name == "people" {
			million, pushed = *people, *people
		}
	})
	b, err := newBench(options{people: *people, million: million, pushed: pushed, rounds: *rounds, now: time.Now, log: table}) //nolint:forbidigo // measuring is about the clock
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, b) }()
	for _, s := range chosen {
		if err := s.measure(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.print(out, table)
}

// choose returns the suites with these names; where there are none, all that need not be named.
func choose(names []string) ([]suite, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(suites), func(s suite) bool { return s.byName }), nil
	}
	var chosen []suite
	for _, n := range names {
		found := false
		for _, s := range suites {
			if s.name == n {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			known := make([]string, len(suites))
			for i, s := range suites {
				known[i] = s.name
			}
			return nil, fmt.Errorf("there is nothing to measure called %q: name one of %s", n, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
