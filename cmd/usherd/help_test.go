package main

import (
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"usherd/console"
)

// commands calls do for each command that there is, by its path.
func commands(root *cobra.Command, do func(*cobra.Command)) {
	do(root)
	for _, c := range root.Commands() {
		if c.Name() != "help" && c.Name() != "completion" { // cobra's own
			commands(c, do)
		}
	}
}

func newRoot() *cobra.Command {
	a := &app{out: io.Discard, err: io.Discard, env: func(string) (string, bool) { return "", false }}
	return a.root()
}

// shellWords takes a line of a shell apart, up to a pipe, a redirection, a comment or what comes after it.
func shellWords(t *testing.T, line string) (list []string) {
	t.Helper()
	word, quote, in := "", rune(0), false
	end := func() {
		if in {
			list = append(list, word)
		}
		word, in = "", false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ':
			end()
		case strings.ContainsRune("|<>;&#", r) && !in:
			return list
		default:
			word, in = word+string(r), true
		}
	}
	if quote != 0 {
		t.Errorf("a quote is not closed: %s", line)
	}
	end()
	return list
}

// understood reports a line that names a command, flags or arguments that there are not.
func understood(t *testing.T, where, line string) {
	t.Helper()
	args := shellWords(t, line)[1:]
	root := newRoot()
	cmd, rest, err := root.Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err == nil {
		err = cmd.ValidateRequiredFlags()
	}
	if err == nil {
		err = cmd.ValidateFlagGroups()
	}
	if err != nil {
		t.Errorf("%s: %s: %v", where, line, err)
	}
}

// Each command says what it does, and what stands in its examples is understood.
func TestHelpIsTrue(t *testing.T) {
	t.Parallel()
	examples := 0
	commands(newRoot(), func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q is no short help", c.CommandPath(), c.Short)
		}
		if takes := strings.Fields(c.Use)[1:]; c.Runnable() && !c.HasSubCommands() && len(takes) > 0 && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "HEALTHCHECK CMD ") { // of an image
				continue
			}
			if at := strings.LastIndex(line, "| usherd "); at >= 0 { // it reads what another program writes
				line = line[at+len("| "):]
			}
			if !strings.HasPrefix(line, c.CommandPath()) && !strings.HasPrefix(line, "usherd ") {
				t.Errorf("%s: no example of it: %s", c.CommandPath(), line)
				continue
			}
			examples++
			understood(t, c.CommandPath(), line)
		}
		for line := range strings.Lines(c.Long + c.UsageString()) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 165 {
				t.Errorf("%s: %d columns wide: %s", c.CommandPath(), n, line)
			}
		}
	})
	if examples < 80 {
		t.Errorf("%d examples: not all were found", examples)
	}
}

// So are the lines of the documents that somebody could copy.
func TestCommandsOfDocumentsAreUnderstood(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^ {4,}(?:.* /?)?(usherd [a-z]+[^\n]*)`)
	found := 0
	for _, f := range []string{"README.md", "deploy/README.md", "deploy/postgresql.md", "deploy/prometheus/runbook.md"} {
		for _, m := range line.FindAllStringSubmatch(read(t, filepath.Join("../..", f)), -1) {
			if command := strings.ReplaceAll(m[1], "\\|", "|"); newRootHas(command) {
				found++
				understood(t, f, command)
			}
		}
	}
	if found < 15 {
		t.Errorf("%d commands: not all were found", found)
	}
}

// And those that help in the console names.
func TestCommandsOfConsoleHelpAreUnderstood(t *testing.T) {
	t.Parallel()
	list := console.HelpCommands()
	for _, command := range list {
		understood(t, "help of the console", command)
	}
	if len(list) < 20 {
		t.Errorf("%d commands: not all were found", len(list))
	}
}

// newRootHas reports whether the word behind usherd is a command: others are names of users and databases.
func newRootHas(line string) bool {
	cmd, _, err := newRoot().Find(strings.Fields(line)[1:2])
	return err == nil && cmd.HasParent()
}

// What the README's table, remedies, reports and errors name in the middle of a sentence exists, with each flag of it.
func TestCommandsInSentencesExist(t *testing.T) {
	t.Parallel()
	sentence := regexp.MustCompile(`usherd ((?:[a-z]+(?:\\?\|[a-z]+)* ?)+)((?:(?:\[|--|[A-Z]|last|last\b)[^ ` + "`" + `,;:.]* ?)*)`)
	flag := regexp.MustCompile(`--[a-z-]+`)
	files, err := filepath.Glob("../../connector/*/texts/*.json")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	checked := 0
	for _, f := range append(files, "../../README.md") {
		for _, m := range sentence.FindAllStringSubmatch(read(t, f), -1) {
			path := strings.Fields(strings.ReplaceAll(m[1], "\\|", "|"))
			flags := flag.FindAllString(m[2], -1)
			if len(flags) == 0 && !strings.Contains(m[0], "KEY") { // "usherd serves users"
				continue
			}
			last := strings.Split(path[len(path)-1], "|")
			for _, word := range last {
				checked++
				cmd, _, err := newRoot().Find(append(path[:len(path)-1:len(path)-1], word))
				if err != nil || !cmd.HasParent() {
					t.Errorf("%s: there is no command in %q", f, m[0])
					continue
				}
				for _, name := range flags {
					if len(last) == 1 && cmd.Flag(strings.TrimPrefix(name, "--")) == nil {
						t.Errorf("%s: %s has no %s: %q", f, cmd.CommandPath(), name, m[0])
					}
				}
			}
		}
	}
	if checked < 60 {
		t.Errorf("%d commands: not all were found", checked)
	}
}
