package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"usherd/connector/failure"
	"usherd/connector/report"
)

// outputFlag is -o of a command.
type outputFlag struct {
	value   string
	allowed []string
}

// add registers the flag; the first form is the default.
func (o *outputFlag) add(cmd *cobra.Command, forms ...string) {
	o.allowed = forms
	cmd.Flags().VarP(o, "output", "o", strings.Join(forms, " | "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
	o.value = forms[0]
}

// String, Set and Type make it a flag value.
func (o *outputFlag) String() string { return o.value }

// Set refuses a form that the command does not have.
func (o *outputFlag) Set(s string) error {
	if !slices.Contains(o.allowed, s) {
		return usagef("%q is no form of output: %s", s, strings.Join(o.allowed, ", "))
	}
	o.value = s
	return nil
}

// Type names the value in the help.
func (o *outputFlag) Type() string { return "form" }

// langFlag is --lang of a command. The catalogue gives English where it does not know a language; a person
// who asks for another one is told.
type langFlag struct{ value *string }

// addLang registers --lang with English as the default.
func addLang(cmd *cobra.Command, lang *string, usage string) {
	*lang = failure.Languages()[0]
	cmd.Flags().Var(langFlag{lang}, "lang", usage+": "+strings.Join(failure.Languages(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions(failure.Languages(), cobra.ShellCompDirectiveNoFileComp))
}

// String, Set and Type make it a flag value.
func (l langFlag) String() string {
	if l.value == nil {
		return ""
	}
	return *l.value
}

// Set refuses a language in which there are no texts.
func (l langFlag) Set(s string) error {
	english := failure.Languages()[0]
	if failure.Match(s) == english && !strings.HasPrefix(strings.ToLower(s), english) {
		return usagef("there are no texts in %q: %s", s, strings.Join(failure.Languages(), ", "))
	}
	*l.value = s
	return nil
}

// Type names the value in the help.
func (l langFlag) Type() string { return "language" }

func (o *outputFlag) json() bool { return o.value == "json" }

// endTable writes a table to its end; in the place of an empty one it says that there is nothing.
func (a *app) endTable(tab *report.Table, nothing string) error {
	if !tab.Empty() {
		return tab.Flush()
	}
	_, err := fmt.Fprintln(a.err, nothing)
	return err
}

// writeJSON writes one document.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, but got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// noSuchCommand and showHelp are for commands that only group others: cobra would show the help and be
// content with a word that is none of them.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("there is no command %q in %s; see: %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// limit refuses a number of lines that cannot be.
func limit(n int) error {
	if n < 0 {
		return usagef("--limit %d: a number from 0", n)
	}
	return nil
}

// exactArgs asks for the named arguments.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usagef("%s takes %s; see: %s --help", cmd.CommandPath(), strings.Join(names, " and "), cmd.CommandPath())
		}
		return nil
	}
}

// writeLine writes one value of a longer document.
func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
