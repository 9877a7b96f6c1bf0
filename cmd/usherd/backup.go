package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector/store"
)

func (a *app) backupCmd() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Copy the store to a file, consistent, while everything goes on",
		Args: exactArgs("the file to write; it must not exist"), Example: "  usherd backup /backup/usherd-monday.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				path, err := filepath.Abs(args[0])
				if err != nil {
					return err
				}
				if err := s.db.Backup(cmd.Context(), path); err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "%s: complete\n", path)
				return err
			})
		},
	}
}

func (a *app) restoreCmd() *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the store", Args: exactArgs("the file that usherd backup wrote"),
		Long: `restore checks the backup, keeps the present store aside and puts the backup in its place. Stop the daemon
first: a store in use is refused.`,
		Example: "  usherd restore /backup/usherd-monday.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.loadWith(config.LoadOptions{NoSecrets: true})
			if err != nil {
				return err
			}
			old, err := store.Restore(cmd.Context(), file.Config.Store, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s: restored\n", file.Config.Store)
			if old != "" {
				fmt.Fprintf(a.out, "the store of before is kept as %s\n", old)
			}
			return nil
		},
	}
}
