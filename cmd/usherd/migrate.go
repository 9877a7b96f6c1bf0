package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
	"usherd/connector/store"
)

func (a *app) migrateCmd() *cobra.Command {
	var o outputFlag
	var from, to string
	cmd := &cobra.Command{
		Use: "migrate --from URL --to URL", Short: "Copy everything into an empty store, also one on another database engine", Args: noArgs,
		Long: `migrate copies all that a store holds into another one that is empty, from SQLite to PostgreSQL or back, in one
transaction: afterwards all is there, or nothing. What was written is read again and compared by number and digest before
it is made to last. Stop the daemons of both stores first; what the old store holds stays as it is.`,
		Example: `  usherd migrate --from sqlite:/var/lib/usherd/usherd.db --to 'postgres://usherd@db.example.com/usherd?sslmode=verify-full'
  usherd migrate --from postgres:///usherd --to sqlite:/backup/usherd.db`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || to == "" {
				return usagef("name both stores: usherd migrate --from URL --to URL")
			}
			list, err := a.migrate(cmd.Context(), from, to)
			if err != nil {
				return err
			}
			if o.json() {
				return writeJSON(a.out, map[string]any{"tables": list})
			}
			tab := report.NewTable(a.out, a.width(), report.Column{Title: "Table"}, report.Column{Title: "Rows", Right: true}, report.Column{Title: "Digest"})
			for _, t := range list {
				tab.Row(t.Table, strconv.FormatInt(t.Rows, 10), t.Digest[:16])
			}
			if err := tab.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, "\nAll is there, and the same. Name the new store in the configuration, and start the daemon with it.")
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "store that is read")
	cmd.Flags().StringVar(&to, "to", "", "empty store that all is written to")
	o.add(cmd, "text", "json")
	return cmd
}

func (a *app) migrate(ctx context.Context, from, to string) (list []store.Transferred, err error) {
	if err := there(from); err != nil {
		return nil, err
	}
	old, err := store.Open(ctx, from, store.Options{Now: a.now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	target, err := store.Open(ctx, to, store.Options{Now: a.now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	show, done := a.newProgress("migrate")
	defer done()
	var tell func(string, int64)
	if show != nil {
		tell = func(table string, rows int64) { show(provision.Progress{Phase: table, Done: int(rows)}) }
	}
	return store.Transfer(ctx, old, target, tell)
}

// there fails for a file that is not there: opening it would make an empty store.
func there(storeURL string) error {
	path, err := store.Path(storeURL)
	if err != nil {
		return nil //nolint:nilerr // no file, or none that can be opened: then opening it says so
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return &connector.Error{Kind: connector.NotFound, Op: "migrate", Err: fmt.Errorf("there is no store %s", path), Hint: "name the file behind sqlite:"}
	}
	return nil
}
