package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"usherd/scim/check"
)

// scimCheckFlags are what is checked, and how.
type scimCheckFlags struct {
	url, token, tokenFile, profile, domain string
	only                                   []string
	output                                 outputFlag
}

func (a *app) scimCheckCmd() *cobra.Command {
	var f scimCheckFlags
	cmd := &cobra.Command{
		Use: "check", Short: "Check any SCIM 2.0 service against the RFCs, usherd's own included", Args: noArgs,
		Long: `check asks a SCIM 2.0 service, case by case, whether it does what RFC 7643, RFC 7644 and RFC 9865 say. It
reads what the service announces, makes users and groups by what its schemas require, and deletes all of them in the
end, also after Ctrl-C. Their names begin with usherd-check- and eight random characters. Run it on a tenant for
tests all the same: the service may send mail to who is made, or keep who is deleted.

With --profile it also sends what an identity provider sends beyond the RFCs: ` + strings.Join(check.Profiles()[1:], ", ") + `.

The areas for --only are ` + strings.Replace(strings.Join(check.Areas(), ", "), ", put", ",\nput", 1) + `.

The exit code is 0 when nothing fails that the RFCs demand, and 3 when something does. What they only recommend is told
as advice.`,
		Example: `  usherd scim check --url https://scim.example.com/v2 --token-file token
  usherd scim check --url http://127.0.0.1:9471/scim/acme/v2 --token-file - --domain acme.test < token
  usherd scim check --url https://scim.example.com/v2 --token-file token --only patch --only 7644-3.4.2.2
  usherd scim check --url https://scim.example.com/v2 --token-file token --profile entra -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.scimCheck(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.url, "url", "", "address of the service, up to what stands before /Users")
	cmd.Flags().StringVar(&f.token, "token", "", "bearer token; others on this machine may see it: prefer --token-file")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the bearer token, - for standard input")
	cmd.Flags().StringVar(&f.profile, "profile", check.RFC, "what is checked beyond the RFCs: "+strings.Join(check.Profiles(), " | "))
	cmd.Flags().StringArrayVar(&f.only, "only", nil, "area, section (3.5.2, 7644-3.5.2) or id of a case; several times for several")
	cmd.Flags().StringVar(&f.domain, "domain", "example.com", "domain of the e-mail addresses of the users that are made")
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(check.Profiles(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("only", cobra.FixedCompletions(check.Areas(), cobra.ShellCompDirectiveNoFileComp))
	f.output.add(cmd, "text", "json")
	return cmd
}

func (a *app) scimCheck(ctx context.Context, f scimCheckFlags) error {
	token, err := f.secret(a.in)
	if err != nil {
		return err
	}
	if f.url == "" {
		return usagef("--url is missing: the address of the service, such as https://scim.example.com/v2")
	}
	o := check.Options{URL: f.url, Token: token, Profile: f.profile, Only: f.only, Domain: f.domain, Now: a.now, Prefix: checkPrefix()}
	if err := o.Validate(); err != nil {
		return usagef("%s", err)
	}
	if !f.output.json() {
		o.Done = func(r check.Result) { writeCase(a.out, r) }
	}
	r, err := check.Run(ctx, o)
	if r == nil {
		return err
	}
	if r.Failed() {
		a.code = exitFailed
	}
	if f.output.json() {
		if told := writeJSON(a.out, r); told != nil {
			return told
		}
	} else if told := writeCounts(a.out, r); told != nil {
		return told
	}
	return err
}

// checkPrefix begins the names of what one check makes.
func checkPrefix() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // crypto/rand.Read never returns an error (Go 1.24)
	return "usherd-check-" + hex.EncodeToString(b)
}

const maxTokenFile = 64 << 10

// secret is the token that the flags give; it is in no error.
func (f *scimCheckFlags) secret(in io.Reader) (string, error) {
	var from io.Reader
	switch {
	case f.token != "" && f.tokenFile != "":
		return "", usagef("--token and --token-file exclude each other")
	case f.tokenFile == "":
		return f.token, nil
	case f.tokenFile == "-":
		from = in
	default:
		file, err := os.Open(f.tokenFile)
		if err != nil {
			return "", usagef("--token-file: %s", err)
		}
		defer file.Close() //nolint:errcheck // only read
		from = file
	}
	b, err := io.ReadAll(io.LimitReader(from, maxTokenFile))
	if err != nil {
		return "", usagef("--token-file: %s", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", usagef("--token-file: the file has to have the token and nothing else")
	}
	return token, nil
}

// width of the names of cases in the table.
const caseWidth = 76

// writeCase is the row of one case, and below it what was wrong.
func writeCase(w io.Writer, r check.Result) {
	outcome := string(r.Outcome)
	switch {
	case r.Outcome == check.Fails && r.Level == "should":
		outcome = "advice"
	case r.Outcome == check.Fails:
		outcome = "FAILS"
	case r.Outcome == check.Skipped:
		outcome += ": " + r.Reason
	}
	pad := strings.Repeat(" ", max(caseWidth-utf8.RuneCountInString(r.Name), 0))
	fmt.Fprintf(w, "%-9s  %-9s  %s%s  %s\n", r.RFC, r.Section, r.Name, pad, outcome)
	if r.Outcome == check.Fails {
		fmt.Fprintf(w, "    expected  %s\n    got       %s\n    case      %s\n", r.Expected, r.Got, r.ID)
	}
}

// writeCounts is what the check came to.
func writeCounts(w io.Writer, r *check.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t)
	for _, row := range []struct {
		n    int
		what string
	}{
		{r.Counts.OK, "ok"},
		{r.Counts.Fails, "fail"},
		{r.Counts.Advice, "advice: recommended, and not so"},
		{r.Counts.NotAnnounced, "not announced"},
		{r.Counts.Skipped, "skipped"},
	} {
		fmt.Fprintf(t, "%d\t  %s\n", row.n, row.what)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	end := ""
	if !r.Complete {
		end = ", interrupted"
	}
	_, err := fmt.Fprintf(w, "%s, %s in %.1f s%s; %s made and deleted\n", plural(r.Counts.Cases, "case"), plural(r.Requests, "request"), r.Seconds, end, plural(r.Made-len(r.Left), "resource"))
	for _, left := range r.Left {
		fmt.Fprintf(w, "could not be deleted: %s%s\n", r.URL, left)
	}
	return err
}
