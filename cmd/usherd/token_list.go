package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/report"
)

// tokenJSON is the stable form of a token, as the API has it too.
func (a *app) tokenJSON(s *site, k *connector.Token) api.Token {
	return api.NewToken(k, s.hasBearer(k), a.now())
}

// hasBearer reports whether the configuration has whose token it is.
func (s *site) hasBearer(k *connector.Token) bool {
	o := s.has(k.Org)
	return o != nil && (k.Kind == connector.APIToken || o.Clients[k.Source] != nil || o.SignOns[k.Source] != nil)
}

// lastingTokens are those that people have made, for one source, or for all.
func (s *site) lastingTokens(ctx context.Context, orgID, source string) ([]connector.Token, error) {
	return s.db.Tokens(ctx, connector.TokenFilter{
		Org: orgID, Source: source, Kinds: append(connector.LastingKinds(), connector.APIToken),
	})
}

func (a *app) tokenList() *cobra.Command {
	var o outputFlag
	var orgID, source string
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens: when they end, and when they were used", Args: noArgs,
		Long: `list shows the tokens that people have made, never the tokens themselves. Below the table stands which end within
30 days. Access tokens, which live for minutes, are not shown.`,
		Example: "  usherd token list\n  usherd token list --org acme --source entra --all\n  usherd token list -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				list, err := s.lastingTokens(cmd.Context(), orgID, source)
				if err == nil && len(list) == 0 {
					err = s.knows(orgID, source)
				}
				if err != nil {
					return err
				}
				var shown []connector.Token
				for _, k := range list {
					if all || k.RevokedAt.IsZero() {
						shown = append(shown, k)
					}
				}
				if o.json() {
					out := []api.Token{}
					for i := range shown {
						out = append(out, a.tokenJSON(s, &shown[i]))
					}
					return writeJSON(a.out, map[string]any{"tokens": out})
				}
				return a.showTokens(s, shown)
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&source, "source", "", "source (default: all)")
	cmd.Flags().BoolVar(&all, "all", false, "also those that were revoked")
	o.add(cmd, "text", "json")
	return cmd
}

func (a *app) showTokens(s *site, list []connector.Token) error {
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Token"}, report.Column{Title: "Source", Flex: true}, report.Column{Title: "Kind"},
		report.Column{Title: "Name", Flex: true}, report.Column{Title: "Scope", Flex: true}, report.Column{Title: "From", Flex: true, Spare: true},
		report.Column{Title: "Ends"}, report.Column{Title: "Last used", Spare: true}, report.Column{Title: "Standing"})
	for i := range list {
		k := &list[i]
		standing := tokenWords[k.StandingAt(a.now())]
		if !s.hasBearer(k) {
			standing += ", source gone"
		}
		tab.Row(k.ID.Short(), bearerName(k), string(k.Kind), dash(k.Name), strings.Join(k.Scopes, " "),
			dash(strings.Join(connector.NetworkTexts(k.Networks), " ")), date(k.EndsAt), date(k.LastUsed), standing)
	}
	if err := a.endTable(tab, "no tokens: make one with usherd token create"); err != nil {
		return err
	}
	between := "\n"
	for _, k := range list {
		if left, soon := endsSoon(&k, a.now()); soon {
			fmt.Fprintf(a.out, "%stoken %s of %s ends %s: %s\n", between, k.ID.Short(), bearerName(&k), left.words, another(&k))
			between = ""
		}
	}
	return nil
}

var tokenWords = map[connector.TokenStanding]string{
	connector.TokenLive: "live", connector.TokenEnds: "ends soon", connector.TokenEnded: "ended", connector.TokenRevoked: "revoked",
}

// another says how a token is replaced.
func another(k *connector.Token) string {
	to := "provider"
	if k.Kind == connector.APIToken {
		to = "program"
	}
	return fmt.Sprintf("make another one with usherd token rotate %s and give it to the %s", k.ID.Short(), to)
}

// ending is how soon a token ends.
type ending struct {
	days  int // begun; 30, 7 and 1 are where the tone changes
	words string
}

// endsSoon tells of a live token that ends within 30 days.
func endsSoon(k *connector.Token, now time.Time) (ending, bool) {
	if k.StandingAt(now) != connector.TokenEnds {
		return ending{}, false
	}
	const day = 24 * time.Hour
	left := k.EndsAt.Sub(now)
	days := int((left + day - 1) / day)
	if days == 1 {
		return ending{days, "within a day, at " + date(k.EndsAt)}, true
	}
	return ending{days, fmt.Sprintf("within %d days, at %s", days, date(k.EndsAt))}, true
}

// warnOfTokens tells each day which tokens end within 30 days: louder within 7, and as an error on the last.
func (d *daemon) warnOfTokens(ctx context.Context, s *site) error {
	list, err := s.lastingTokens(ctx, "", "")
	if err != nil {
		return err
	}
	for i := range list {
		k := &list[i]
		left, soon := endsSoon(k, d.app.now())
		if !soon || !s.hasBearer(k) {
			continue
		}
		tell := d.log.Info
		switch {
		case left.days <= 1:
			tell = d.log.Error
		case left.days <= 7:
			tell = d.log.Warn
		}
		tell("token ends soon", zap.String("source", bearerName(k)), zap.String("token", k.ID.Short()), zap.String("name", k.Name),
			zap.Time("ends", k.EndsAt), zap.Int("days", left.days), zap.String("what_to_do", another(k)))
	}
	return nil
}
