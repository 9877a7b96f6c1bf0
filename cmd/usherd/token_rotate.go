package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"usherd/connector"
)

func (a *app) tokenRotate() *cobra.Command {
	var overlap string
	var o outputFlag
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Make a token in the place of another one, and show it, once", Args: exactArgs("the token's id, at least its last characters"),
		Long: `rotate makes a token for the same, that may do the same and has a life as long, and shows it. The old one goes on for
--overlap at most, so that there is time to put the new one in its place; with 0s it is revoked at once.`,
		Example: "  usherd token rotate e53d1c2f\n  usherd token rotate e53d1c2f --overlap 1d\n  usherd token rotate e53d1c2f --overlap 0s -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error { return a.rotateToken(cmd.Context(), s, args[0], overlap, o) })
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", connector.Overlap, "how long the old one goes on at most")
	o.add(cmd, "text", "json")
	return cmd
}

func (a *app) rotateToken(ctx context.Context, s *site, id, text string, o outputFlag) error {
	overlap, err := connector.TokenOverlap(text)
	if fault, ok := errors.AsType[*connector.TokenRequestError](err); ok {
		return usagef("--overlap %s: %s", fault.Value, fault.Text)
	}
	old, err := s.theToken(ctx, "token rotate", id)
	if err != nil {
		return err
	}
	k := old.Next(a.now())
	k.CreatedBy = actor()
	secret := k.Draw()
	if err := s.db.ReplaceToken(ctx, old.ID, k, k.CreatedAt.Add(overlap)); err != nil {
		return err
	}
	if err := a.showSecret(s, &k, secret, o); err != nil || o.json() {
		return err
	}
	if old, err = s.db.Token(ctx, old.ID); err != nil {
		return err
	}
	what := "revoked"
	if old.RevokedAt.IsZero() {
		what = "good until " + date(old.EndsAt)
	}
	_, err = fmt.Fprintf(a.out, "the old one, %s, is %s\n", old.ID.Short(), what)
	return err
}
