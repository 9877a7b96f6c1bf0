package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
)

func (a *app) tokenCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Give identity providers and programs tokens, and end them",
		Long: `An identity provider that pushes by SCIM proves by a token which source of which organization it is; a program that
uses the API proves by one for which organization it works, and its scopes say what it may do. There may be several at
a time, so that one can be changed for another without a gap: rotate makes the second one, which you give to the
provider, and lets the first go on for a while.

A token has the form usherd_scim_ or usherd_api_ and 49 letters and digits, the last six of which are a checksum
(CRC-32, in base 62), so that a scanner for leaked secrets can recognise it:  \busherd_(scim|api)_[0-9A-Za-z]{49}\b`,
		Args: noSuchCommand, RunE: showHelp,
	}
	cmd.AddCommand(a.tokenCreate(), a.tokenList(), a.tokenRotate(), a.tokenRevoke())
	return cmd
}

// newTokenFlags are what a new token is to be.
type newTokenFlags struct {
	org, source, name, kind, expires string
	api                              bool
	scopes, networks                 []string
	output                           outputFlag
}

func (a *app) tokenCreate() *cobra.Command {
	var f newTokenFlags
	cmd := &cobra.Command{
		Use: "create", Short: "Make a token and show it, once", Args: noArgs,
		Long: `create makes a token for a source that pushes, or for the application that asks who has signed in by one, and shows
it: only its hash is kept, so nobody can show it again.

With --kind secret it makes a client secret of OAuth 2.0, for which the provider gets short-lived access tokens. With
--api it makes a token for a program that uses the API of the organization; what it may do, each scope says by itself:

  read         look at everything            claims    claim users of other organizations
  users        change users and failures     domains   add, prove, claim and remove domains
  sign-in      ask who may sign in           import    take over users from a file
  subscribers  announce and change them      runs      start, approve, reject and undo runs
  tokens       make and end tokens: for the API with scopes that the token has itself
  diagnostics  take along what somebody who helps needs: configuration, health, runs`,
		Example: `  usherd token create --org acme --source entra
  usherd token create --org acme --source okta --expires 365d --network 192.0.2.0/24 --name "set up by Ann"
  usherd token create --source audit --scope scim:read -o json
  usherd token create --source entra --kind secret
  usherd token create --org acme --api --scope read --scope users --name "help desk"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error { return a.createToken(cmd.Context(), s, f) })
		},
	}
	cmd.Flags().StringVar(&f.org, "org", "", "organization (may be left out when there is only one)")
	cmd.Flags().StringVar(&f.source, "source", "", "source that pushes or signs people in (may be left out when there is only one)")
	cmd.Flags().BoolVar(&f.api, "api", false, "a token for the API of the organization")
	cmd.Flags().StringVar(&f.expires, "expires", connector.TokenLife, "how long it lives, or "+connector.TokenNoEnd)
	cmd.Flags().StringArrayVar(&f.networks, "network", nil, "network or address that it may come from, beside what the source allows; several times for several")
	cmd.Flags().StringArrayVar(&f.scopes, "scope", nil, "what it may do (default scim, with --api read); several times for several")
	cmd.Flags().StringVar(&f.name, "name", "", "a note for people")
	cmd.Flags().StringVar(&f.kind, "kind", string(connector.BearerToken), "token, or secret: a client secret of OAuth 2.0")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(slices.Concat(connector.Scopes(), connector.APIScopes()), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{string(connector.BearerToken), string(connector.ClientSecret)}, cobra.ShellCompDirectiveNoFileComp))
	f.output.add(cmd, "text", "json")
	return cmd
}

// createToken makes, stores and shows a token.
func (a *app) createToken(ctx context.Context, s *site, f newTokenFlags) error {
	k, err := f.token(a.now())
	if err != nil {
		return err
	}
	if k.Org, k.Source, err = s.bearer(&f); err != nil {
		return err
	}
	k.CreatedBy = actor()
	secret := k.Draw()
	if err := s.db.AddToken(ctx, k); err != nil {
		return err
	}
	return a.showSecret(s, &k, secret, f.output)
}

// showSecret shows a token at the one moment at which that can be done.
func (a *app) showSecret(s *site, k *connector.Token, secret connector.Secret, o outputFlag) error {
	door := s.door(k)
	if o.json() {
		return writeJSON(a.out, api.CreatedToken{Token: a.tokenJSON(s, k), Secret: secret.Reveal(), URL: door})
	}
	until := "for ever"
	if !k.EndsAt.IsZero() {
		until = "until " + date(k.EndsAt)
	}
	fmt.Fprintf(a.out, "%s %s of %s is good %s; it is shown only now:\n\n  %s\n\n", kindNames[k.Kind], k.ID.Short(), bearerName(k), until, secret.Reveal())
	if k.Kind == connector.ClientSecret {
		fmt.Fprintf(a.out, "client id: %s\n", bearerName(k))
	}
	if door != "" {
		fmt.Fprintf(a.out, "address:   %s\n", door)
	}
	_, err := fmt.Fprintf(a.out, "end it:    usherd token revoke %s\n", k.ID.Short())
	return err
}

var kindNames = map[connector.TokenKind]string{
	connector.BearerToken: "token", connector.ClientSecret: "client secret", connector.APIToken: "API token",
}

// bearerName is who has a token.
func bearerName(k *connector.Token) string {
	if k.Kind == connector.APIToken {
		return k.Org
	}
	return k.Org + "/" + k.Source
}

// bearer returns whose the token is to be: an organization's, or that of one of its sources.
func (s *site) bearer(f *newTokenFlags) (org, source string, err error) {
	if f.api {
		o, err := s.org(f.org)
		if err != nil {
			return "", "", err
		}
		return o.Org.ID, "", nil
	}
	t, err := s.pushing(f.org, f.source)
	if err != nil {
		return "", "", err
	}
	return t.org.Org.ID, t.id, nil
}

// token checks the flags.
func (f *newTokenFlags) token(now time.Time) (connector.Token, error) {
	req := connector.TokenRequest{Kind: connector.TokenKind(f.kind), Name: f.name, Expires: f.expires, Scopes: f.scopes, Networks: f.networks}
	if f.api {
		if f.source != "" || req.Kind != connector.BearerToken {
			return connector.Token{}, usagef("--api makes a token of an organization: leave out --source and --kind")
		}
		req.Kind = connector.APIToken
	}
	k, err := req.Token(now)
	if fault, ok := errors.AsType[*connector.TokenRequestError](err); ok {
		return k, usagef("%s: %s", strings.TrimSpace("--"+fault.Field+" "+fault.Value), fault.Text)
	}
	return k, err
}

// pushing returns the one source that pushes which the flags name.
func (s *site) pushing(orgID, source string) (target, error) {
	o, err := s.org(orgID)
	if err != nil {
		return target{}, err
	}
	var known []string
	for _, settings := range o.Org.Sources {
		if settings.Kind == connector.SCIM || settings.Kind == connector.SignIn {
			known = append(known, settings.ID)
		}
	}
	switch {
	case len(known) == 0:
		return target{}, usagef("no source of %s pushes or signs people in: add one with scim: {} to the configuration", o.Org.ID)
	case source == "" && len(known) > 1:
		return target{}, usagef("several sources push: name one with --source %s", strings.Join(known, " | "))
	case source == "":
		source = known[0]
	case !slices.Contains(known, source):
		return target{}, usagef("no source %q of %s pushes; there are: %s", source, o.Org.ID, strings.Join(known, ", "))
	}
	return target{org: o, id: source}, nil
}

// door is the address at which a token is good, "" when there is none.
func (s *site) door(k *connector.Token) string {
	c := &s.file.Config
	o, err := s.org(k.Org)
	switch signsIn := err == nil && o.SignOns[k.Source] != nil; {
	case k.Kind == connector.APIToken && c.API != nil:
		return c.API.URL + "/api/v1/orgs/" + k.Org
	case k.Kind == connector.APIToken:
		return ""
	case signsIn && c.SSO != nil:
		return c.SSO.URL + "/api/v1/orgs/" + k.Org + "/sign-in/exchange"
	case signsIn || c.SCIM == nil:
		return ""
	}
	return c.SCIM.URL + "/scim/" + k.Org + "/v2"
}

func (a *app) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End a token at once", Args: exactArgs("the token's id, at least its last characters"),
		Long: `revoke ends a token. A daemon that runs refuses it within a second; with a client secret the access tokens that
were given out for it end too.`,
		Example: "  usherd token revoke e53d1c2f",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error { return a.revokeToken(cmd.Context(), s, args[0]) })
		},
	}
}

// theToken finds a token by its id.
func (s *site) theToken(ctx context.Context, op, id string) (*connector.Token, error) {
	if _, ok := connector.HashToken(strings.TrimSpace(id)); ok { // not repeated in what is shown
		return nil, usagef("this is the token itself, not its id; see the ids with: usherd token list")
	}
	k, err := s.db.FindToken(ctx, id)
	if connector.KindOf(err) == connector.NotFound {
		err = &connector.Error{Kind: connector.NotFound, Op: op, Err: fmt.Errorf("there is no token %q", id), Hint: "see them with: usherd token list"}
	}
	return k, err
}

func (a *app) revokeToken(ctx context.Context, s *site, id string) error {
	k, err := s.theToken(ctx, "token revoke", id)
	if err != nil {
		return err
	}
	if !k.RevokedAt.IsZero() {
		_, err = fmt.Fprintf(a.out, "token %s of %s was revoked on %s by %s: nothing to do\n", k.ID.Short(), bearerName(k), date(k.RevokedAt), k.RevokedBy)
		return err
	}
	if err := s.db.RevokeToken(ctx, k.ID, actor(), a.now()); err != nil {
		return err
	}
	others, err := s.lastingTokens(ctx, k.Org, k.Source)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "token %s of %s is revoked\n", k.ID.Short(), bearerName(k))
	left := slices.ContainsFunc(others, func(o connector.Token) bool { return o.LiveAt(a.now()) && o.Source == k.Source })
	switch {
	case left:
	case k.Kind == connector.APIToken:
		fmt.Fprintf(a.out, "it was the last one: no program can use the API of %s until there is another\n", k.Org)
	default:
		fmt.Fprintf(a.out, "it was the last one: %s cannot push until it has another\n", bearerName(k))
	}
	return nil
}
