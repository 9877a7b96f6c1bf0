package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector"
)

// app is what all commands share: the streams, the clock and the flags of the root.
type app struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	env      func(string) (string, bool)

	configPath string
	quiet      bool
	code       int // exit code of a command that did its work, such as 4 for "held"
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root() //nolint:contextcheck // commands get theirs from cobra
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	ctx = connector.Acting(ctx, connector.Actor{Name: actor()})
	if err := root.ExecuteContext(ctx); err != nil {
		printError(a.err, err)
		return exitCode(err)
	}
	return a.code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "usherd",
		Short: "Keeps an organization's users in step with directories and identity providers",
		Long: `usherd keeps an organization's users in step with Active Directory and LDAP, and with identity providers: who
gets an account, in which state and with which seat, and why somebody does not.

Start with:  usherd demo`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; see them with: usherd help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if strings.Contains(err.Error(), "shorthand") {
			err = fmt.Errorf("%w; a name that begins with - stands behind --", err)
		}
		return usagef("%s; see: %s --help", err, cmd.CommandPath())
	})
	path := "usherd.yaml"
	if p, ok := a.env("USHERD_CONFIG"); ok && p != "" {
		path = p
	}
	root.PersistentFlags().StringVarP(&a.configPath, "config", "c", path, "configuration file (or USHERD_CONFIG)")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "people", Title: "People:"},
		&cobra.Group{ID: "admin", Title: "Look after it:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", a.demoCmd(), a.serveCmd(), a.planCmd(), a.syncCmd(), a.importCmd(), a.sourcesCmd(), a.runsCmd(), a.reportCmd(), a.approveCmd(), a.rejectCmd(), a.rollbackCmd())
	add("people", a.usersCmd(), a.userCmd(), a.inviteCmd(), a.mailCmd(), a.subscribersCmd(), a.approvalsCmd(), a.groupsCmd(), a.groupCmd(), a.failuresCmd(), a.errorsCmd(), a.seatsCmd(), a.domainCmd(), a.claimCmd())
	add("admin", a.checkCmd(), a.reloadCmd(), a.healthcheckCmd(), a.tokenCmd(), a.scimCmd(), a.ssoCmd(), a.apiCmd(), a.consoleCmd(), a.reportsCmd(), a.auditCmd(), a.backupCmd(), a.restoreCmd(), a.migrateCmd(), a.versionCmd())
	root.SetHelpCommandGroupID("admin")
	root.SetCompletionCommandGroupID("admin")
	return root
}

// load reads the configuration, with every fault of it as the error.
func (a *app) load() (*config.File, error) { return a.loadWith(config.LoadOptions{}) }

// loadWith is load for commands that need no secrets.
func (a *app) loadWith(o config.LoadOptions) (*config.File, error) {
	return a.loadFile(a.configPath, o)
}

func (a *app) loadFile(path string, o config.LoadOptions) (*config.File, error) {
	o.Env = a.env
	o.CredentialsDir, _ = a.env("CREDENTIALS_DIRECTORY")
	file, err := config.Load(path, o)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("there is no configuration file %s: name one with -c, or start from an example with: usherd check --example > usherd.yaml", path)
	}
	return file, err
}

// interactive reports whether w is a terminal.
func interactive(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
