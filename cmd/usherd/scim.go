package main

import (
	"slices"

	"github.com/spf13/cobra"
)

func (a *app) scimCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "scim", Short: "See what identity providers push: their requests, their dialects, their tokens",
		Args: noSuchCommand, RunE: showHelp,
	}
	cmd.AddCommand(a.scimClientsCmd(), a.scimLogCmd(), a.scimCheckCmd())
	return cmd
}

// clients are the sources that push and that the flags name: all of them when they name none.
func (s *site) clients(orgID, source string) ([]target, error) {
	if err := s.knows(orgID, source); err != nil {
		return nil, err
	}
	all, err := s.targets(orgID, source)
	push := slices.DeleteFunc(slices.Clone(all), func(t target) bool { return !t.client() })
	if err == nil && len(push) == 0 {
		if source != "" {
			return nil, usagef("source %s is a directory: nobody pushes it", source)
		}
		return nil, usagef("no source pushes: give one a scim block in the configuration, see: usherd check --example")
	}
	return push, err
}
