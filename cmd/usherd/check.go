package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/domains"
	"usherd/ldapsync"
)

func (a *app) checkCmd() *cobra.Command {
	var connect, schema, example bool
	var orgID, source string
	var o outputFlag
	cmd := &cobra.Command{
		Use: "check", Short: "Find every fault of the configuration, and with --connect try the servers", Args: noArgs,
		Long: `check reads the configuration and tells every fault with file, line and column. With --connect it also walks
the way to each directory, step by step: resolve, connect, TLS, bind, root DSE, bases, a sample of people. Of an identity
provider by which people sign in it reads the metadata, and says until when its certificates are good; and it says who it
is to the mail server, and sends nothing.`,
		Example: "  usherd check\n  usherd check --connect --source head-office\n  usherd check --schema > usherd.schema.json\n  usherd check --example > usherd.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case schema:
				return a.print(config.Schema())
			case example:
				return a.print(config.Example())
			}
			return a.check(cmd.Context(), connect, orgID, source, o)
		},
	}
	cmd.Flags().BoolVar(&connect, "connect", false, "also reach the directories, the identity providers and the mail server")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the configuration, for editors")
	cmd.Flags().BoolVar(&example, "example", false, "print a configuration that explains each key")
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&source, "source", "", "source (default: all)")
	o.add(cmd, "text", "json")
	return cmd
}

func (a *app) print(text []byte) error {
	_, err := a.out.Write(text)
	return err
}

// checkStep is one step of --connect in its JSON form.
type checkStep struct {
	Org     string  `json:"org"`
	Source  string  `json:"source"`
	Step    string  `json:"step"`
	Server  string  `json:"server,omitempty"`
	OK      bool    `json:"ok"`
	Detail  string  `json:"detail,omitempty"`
	Error   string  `json:"error,omitempty"`
	Hint    string  `json:"hint,omitempty"`
	Seconds float64 `json:"seconds"`
}

func (a *app) check(ctx context.Context, connect bool, orgID, source string, o outputFlag) error {
	file, err := a.checked()
	if err != nil {
		if faults, ok := errors.AsType[config.Faults](err); ok && o.json() {
			a.code = exitConfig
			return writeJSON(a.out, map[string]any{"ok": false, "faults": faults})
		}
		return err
	}
	sources := 0
	for _, r := range file.Organizations {
		sources += len(r.Org.Sources)
	}
	if !o.json() {
		_, err := fmt.Fprintf(a.out, "%s: no faults; %s, %s, revision %s\n",
			file.Path, plural(len(file.Organizations), "organization"), plural(sources, "source"), file.Revision)
		if err != nil {
			return err
		}
		for _, w := range file.Warnings {
			fmt.Fprintf(a.out, "warning: %s\n", w)
		}
	}
	steps := []checkStep{}
	if connect {
		if steps, err = a.checkConnect(ctx, file, orgID, source, o); err != nil {
			return err
		}
		if orgID == "" && source == "" {
			more, err := a.checkMail(ctx, file, o)
			if err != nil {
				return err
			}
			steps = append(steps, more...)
		}
	}
	if o.json() {
		return writeJSON(a.out, map[string]any{
			"ok": a.code == exitOK, "faults": []config.Fault{}, "warnings": warnings(file), "revision": file.Revision, "steps": steps,
		})
	}
	return nil
}

// checked is load that looks at the files, too, that the configuration names.
func (a *app) checked() (*config.File, error) {
	file, err := a.load()
	if err != nil {
		return nil, err
	}
	if faults := checkFiles(file); len(faults) > 0 {
		return nil, faults
	}
	return file, nil
}

func warnings(file *config.File) []config.Fault { return append([]config.Fault{}, file.Warnings...) }

// checkConnect walks the way to each source. A source that cannot be reached does not stop the others.
func (a *app) checkConnect(ctx context.Context, file *config.File, orgID, source string, o outputFlag) ([]checkStep, error) {
	steps, named := []checkStep{}, 0
	for _, r := range file.Organizations {
		for _, settings := range r.Org.Sources {
			if orgID != "" && orgID != r.Org.ID || source != "" && source != settings.ID {
				continue
			}
			named++
			if !o.json() {
				fmt.Fprintf(a.out, "\n%s/%s\n", r.Org.ID, settings.ID)
			}
			if !reachable(r, settings.ID) {
				if !o.json() {
					fmt.Fprintf(a.out, "  %s; there is nothing to connect to\n", byItself(settings.Kind))
				}
				continue
			}
			ok, err := a.checkSource(ctx, file, r, settings.ID, func(s ldapsync.Step) {
				steps = append(steps, step(r.Org.ID, settings.ID, s))
				if !o.json() {
					a.showStep(s)
				}
			})
			if err != nil {
				return nil, err
			}
			if !ok {
				a.worse(exitError)
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	if named == 0 {
		return nil, usagef("no such source: %s/%s", orgID, source)
	}
	return steps, nil
}

// reachable reports whether there is a server behind a source that can be asked.
func reachable(r *config.Runtime, source string) bool {
	return r.Directories[source] != nil || r.SignOns[source] != nil
}

// checkSource walks the way to a source that is reachable, and tells of each step; ok is false where it does not lead there.
func (a *app) checkSource(ctx context.Context, file *config.File, r *config.Runtime, id string, tell func(ldapsync.Step)) (ok bool, err error) {
	d := r.Directories[id]
	if d == nil {
		return a.checkSignOn(ctx, r.SignOns[id], tell), nil
	}
	src, err := ldapsync.New(ldapsync.Options{
		Config: d.Config, Attributes: d.Attributes, Protected: d.Protected,
		Resolver: domains.NewResolver(file.Config.DNS.Resolver), Now: a.now,
	})
	if err != nil {
		return false, err
	}
	return src.Check(ctx, tell) == nil, nil
}

func step(org, source string, s ldapsync.Step) checkStep {
	c := checkStep{Org: org, Source: source, Step: s.Name, Server: s.Server, OK: s.Err == nil, Detail: s.Detail, Seconds: s.Took.Seconds()}
	if s.Err != nil {
		c.Error, c.Hint = s.Err.Error(), connector.HintOf(s.Err)
	}
	return c
}

func (a *app) showStep(s ldapsync.Step) {
	mark, text := "ok", s.Detail
	if s.Err != nil {
		mark, text = "--", s.Err.Error()
	}
	took := s.Took.Round(100 * time.Microsecond).String()
	if hint := connector.HintOf(s.Err); hint != "" {
		text += "\nwhat to do: " + hint
	}
	head, rest := fmt.Sprintf("  %s  %-9s %9s  ", mark, s.Name, took), strings.Repeat(" ", 27)
	width := a.width()
	if width == 0 {
		width = math.MaxInt // a file has lines of any length, for grep
	}
	for l := range strings.SplitSeq(text, "\n") {
		fmt.Fprint(a.out, wrap(printable(l), width, head, rest))
		head = rest
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
