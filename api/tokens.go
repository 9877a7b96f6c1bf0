package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

const tokensTag = "Tokens"

// TokenStore keeps tokens. store.DB is one.
type TokenStore interface {
	Tokens(ctx context.Context, f connector.TokenFilter) ([]connector.Token, error)
	Token(ctx context.Context, id connector.ID) (*connector.Token, error)
	AddToken(ctx context.Context, k connector.Token) error
	RevokeToken(ctx context.Context, id connector.ID, by string, now time.Time) error
	ReplaceToken(ctx context.Context, id connector.ID, next connector.Token, ends time.Time) error
}

func (s *Server) tokens() {
	route(s, operation{
		id: "listTokens", method: http.MethodGet, path: "/tokens", scope: connector.APITokens, tag: tokensTag,
		summary: "List the tokens of the organization: when they end, and when they were used",
		about:   "Never the tokens themselves. Access tokens, which live for minutes, are not shown.",
	}, s.listTokens)
	route(s, operation{
		id: "createToken", method: http.MethodPost, path: "/tokens", scope: connector.APITokens, tag: tokensTag, status: http.StatusCreated,
		summary: "Make a token", refuses: []int{http.StatusUnprocessableEntity},
		about: "Without source it is one for this API, and can have scopes that the token of the request has itself. With source it is one for a source that pushes or signs people in; that needs the scope users too. The token is in the answer, and nowhere else.",
	}, s.createToken)
	route(s, operation{
		id: "rotateToken", method: http.MethodPost, path: "/tokens/{token}/rotate", scope: connector.APITokens, tag: tokensTag, status: http.StatusCreated,
		summary: "Make a token in the place of another one", refuses: []int{http.StatusConflict, http.StatusUnprocessableEntity},
		about: "It is for the same, may do the same, and has a life as long. The old one goes on for overlap at most, so that there is time to put the new one in its place. The token is in the answer, and nowhere else.",
	}, s.rotateToken)
	route(s, operation{
		id: "revokeToken", method: http.MethodDelete, path: "/tokens/{token}", scope: connector.APITokens, tag: tokensTag, status: http.StatusNoContent,
		summary: "End a token", about: "It opens nothing within a second; with a client secret the access tokens that were given out for it end too. One that is revoked stays so.",
	}, s.revokeToken)
}

// Token is what is known of a token. What is not known is null or left out.
type Token struct {
	ID        string                  `json:"id"`
	Org       string                  `json:"org"`
	Source    string                  `json:"source" doc:"Empty for the API."`
	Kind      connector.TokenKind     `json:"kind" enum:"token,secret,api"`
	Name      string                  `json:"name"`
	Scopes    []string                `json:"scopes"`
	Networks  []string                `json:"networks" doc:"That it may come from; none: those of the source, or all."`
	Standing  connector.TokenStanding `json:"standing" enum:"live,ends_soon,ended,revoked"`
	Pushes    bool                    `json:"configured" doc:"The configuration has the organization and the source, as one that pushes or signs in."`
	CreatedAt *time.Time              `json:"created_at"`
	CreatedBy string                  `json:"created_by"`
	EndsAt    *time.Time              `json:"ends_at" doc:"null: never."`
	LastUsed  *time.Time              `json:"last_used" doc:"To about a minute."`
	RevokedAt *time.Time              `json:"revoked_at"`
	RevokedBy string                  `json:"revoked_by,omitempty"`
}

// NewToken is the form in which the API and the command line show a token.
func NewToken(k *connector.Token, configured bool, now time.Time) Token {
	return Token{
		k.ID.String(), k.Org, k.Source, k.Kind, k.Name, k.Scopes, connector.NetworkTexts(k.Networks), k.StandingAt(now), configured,
		when(k.CreatedAt), k.CreatedBy, when(k.EndsAt), when(k.LastUsed), when(k.RevokedAt), k.RevokedBy,
	}
}

// CreatedToken is a token at the one moment at which it can be shown.
type CreatedToken struct {
	Token
	Secret string `json:"token" doc:"The token itself."`
	URL    string `json:"url,omitempty" doc:"Where it is good, in the output of the command line."`
}

type listTokensInput struct {
	OrgPath
	Source string `query:"source" doc:"Only this source." maxLength:"32"`
	All    bool   `query:"all" doc:"Also those that were revoked."`
}

// TokenList is tokens in the order in which they were made.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

type tokensOutput struct{ Body TokenList }

func (s *Server) listTokens(ctx context.Context, c *call, in *listTokensInput) (*tokensOutput, error) {
	list, err := s.o.Store.Tokens(ctx, connector.TokenFilter{Org: c.id(), Source: in.Source, Kinds: append(connector.LastingKinds(), connector.APIToken)})
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{TokenList{[]Token{}}}
	for i := range list {
		if k := &list[i]; in.All || k.RevokedAt.IsZero() {
			out.Body.Tokens = append(out.Body.Tokens, NewToken(k, c.org.Settings.Bears(k.Source), s.now()))
		}
	}
	return out, nil
}

type createTokenInput struct {
	OrgPath
	Body ToCreateToken
}

// ToCreateToken is a token that is wanted.
type ToCreateToken struct {
	Source   string              `json:"source,omitempty" doc:"That pushes or signs people in; left out: the token is for the API." maxLength:"32"`
	Kind     connector.TokenKind `json:"kind,omitempty" doc:"Of a token of a source: token, or secret, a client secret of OAuth 2.0." enum:"token,secret"`
	Name     string              `json:"name,omitempty" doc:"A note for people." maxLength:"100"`
	Scopes   []string            `json:"scopes,omitempty" doc:"What it may do; left out: read, or scim for a source." maxItems:"20"`
	Networks []string            `json:"networks,omitempty" doc:"Networks or addresses that it may come from." maxItems:"100"`
	Expires  string              `json:"expires,omitempty" doc:"How long it lives, or never." default:"180d" maxLength:"20"`
}

type createdTokenOutput struct {
	Location string `header:"Location" doc:"Where it is ended."`
	Body     CreatedToken
}

func (s *Server) createToken(ctx context.Context, c *call, in *createTokenInput) (*createdTokenOutput, error) {
	b := &in.Body
	req := connector.TokenRequest{Kind: b.Kind, Name: b.Name, Expires: b.Expires, Scopes: b.Scopes, Networks: b.Networks}
	switch {
	case b.Source == "" && b.Kind != "":
		return nil, invalid("body.kind", "a token for the API is of no other kind: leave it out")
	case b.Source == "":
		req.Kind = connector.APIToken
	case !c.org.Settings.Bears(b.Source):
		return nil, invalid("body.source", "no such source pushes or signs people in")
	case b.Kind == "":
		req.Kind = connector.BearerToken
	}
	k, err := req.Token(s.now())
	if fault, ok := errors.AsType[*connector.TokenRequestError](err); ok {
		return nil, invalid("body."+fieldOf[fault.Field], fault.Text)
	}
	if err != nil {
		return nil, err
	}
	if p := c.mayGive(&k, b.Source); p != nil {
		return nil, p
	}
	k.Org, k.Source, k.CreatedBy = c.id(), b.Source, c.by()
	secret := k.Draw()
	if err := s.o.Store.AddToken(ctx, k); err != nil {
		return nil, err
	}
	return &createdTokenOutput{c.at("/tokens/" + k.ID.String()), CreatedToken{Token: NewToken(&k, true, s.now()), Secret: secret.Reveal()}}, nil
}

// fieldOf is the place in a request of what a TokenRequestError is about.
var fieldOf = map[string]string{"kind": "kind", "name": "name", "expires": "expires", "scope": "scopes", "network": "networks", "overlap": "overlap"}

// mayGive refuses a token that could do more than the one which asks for it.
func (c *call) mayGive(k *connector.Token, source string) *Problem {
	needs := k.Scopes
	if source != "" {
		needs = []string{connector.APIUsers}
	}
	missing := slices.DeleteFunc(slices.Clone(needs), func(scope string) bool { return slices.Contains(c.caller.Scopes, scope) })
	if len(missing) == 0 {
		return nil
	}
	return newProblem(http.StatusForbidden, "more_than_own", "this token cannot give what it has not itself: "+strings.Join(missing, ", "))
}

type rotateTokenInput struct {
	OrgPath
	Token string `path:"token" format:"uuid"`
	Body  ToRotateToken
}

// ToRotateToken says how a token is replaced.
type ToRotateToken struct {
	Overlap string `json:"overlap,omitempty" doc:"How long the old one goes on at most; 0s: it is revoked at once." default:"7d" maxLength:"20"`
}

func (s *Server) rotateToken(ctx context.Context, c *call, in *rotateTokenInput) (*createdTokenOutput, error) {
	overlap, err := connector.TokenOverlap(in.Body.Overlap)
	if fault, ok := errors.AsType[*connector.TokenRequestError](err); ok {
		return nil, invalid("body."+fieldOf[fault.Field], fault.Text)
	}
	old, err := s.theToken(ctx, c, in.Token)
	if err != nil {
		return nil, err
	}
	if p := c.mayGive(old, old.Source); p != nil {
		return nil, p
	}
	k := old.Next(s.now())
	k.CreatedBy = c.by()
	secret := k.Draw()
	if err := s.o.Store.ReplaceToken(ctx, old.ID, k, k.CreatedAt.Add(overlap)); err != nil {
		return nil, err
	}
	return &createdTokenOutput{c.at("/tokens/" + k.ID.String()), CreatedToken{Token: NewToken(&k, c.org.Settings.Bears(k.Source), s.now()), Secret: secret.Reveal()}}, nil
}

type tokenPath struct {
	OrgPath
	Token string `path:"token" format:"uuid"`
}

// theToken is one of the organization that people have made.
func (s *Server) theToken(ctx context.Context, c *call, text string) (*connector.Token, error) {
	id, err := connector.ParseID(text)
	if err != nil {
		return nil, invalid("path.token", err.Error())
	}
	k, err := s.o.Store.Token(ctx, id)
	if connector.KindOf(err) == connector.NotFound || err == nil && (k.Org != c.id() || k.Kind == connector.AccessToken) {
		return nil, newProblem(http.StatusNotFound, "not_found", "there is no such token")
	}
	return k, err
}

func (s *Server) revokeToken(ctx context.Context, c *call, in *tokenPath) (*struct{}, error) {
	k, err := s.theToken(ctx, c, in.Token)
	if err != nil || !k.RevokedAt.IsZero() {
		return nil, err
	}
	return nil, s.o.Store.RevokeToken(ctx, k.ID, c.by(), s.now())
}
