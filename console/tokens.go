package console

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// TokenStore is what the pages about tokens read and change.
type TokenStore interface {
	Tokens(ctx context.Context, f connector.TokenFilter) ([]connector.Token, error)
	Token(ctx context.Context, id connector.ID) (*connector.Token, error)
	AddToken(ctx context.Context, k connector.Token) error
	ReplaceToken(ctx context.Context, id connector.ID, next connector.Token, ends time.Time) error
	RevokeToken(ctx context.Context, id connector.ID, by string, now time.Time) error
}

func (s *Server) tokens() {
	s.page("/tokens", manage, (*visit).tokens)
	s.body("tokens", tokensPage{})
	s.page("/tokens/export.csv", manage, (*visit).exportTokens)
	s.action("/tokens/new", need{permission: manage, fresh: true}, (*visit).askToken, (*visit).makeToken)
	s.body("token_new", newTokenPage{})
	s.body("token_made", madeTokenPage{})
	s.action("/tokens/{token}/rotate", need{permission: manage, fresh: true}, (*visit).askRotate, (*visit).doRotate)
	s.action("/tokens/{token}/revoke", need{permission: manage, fresh: true}, (*visit).askRevoke, (*visit).doRevoke)
}

// tokensPage is the list of tokens.
type tokensPage struct {
	Query       string
	Ended       bool // those that open nothing any more are shown, too
	For, Sorts  []option
	New, Export string // addresses
	Rows        []tokenRow
	Hidden      int // that open nothing any more, and fit
	ShowAll     string
	Any         bool // there are some, though none may fit
	Pager       pager
}

// tokenRow is one token.
type tokenRow struct {
	Name, ID, For, Kind string
	Scopes, Networks    []string
	Standing            pill
	Gone                bool // the configuration does not have its source any more
	Made, Ends, Used    *instant
	By                  string
	Rotate, Revoke      string // addresses; "" = it opens nothing any more
}

// forAPI is how the API is called where sources are named.
const forAPI = "api"

// tokenSorts are the orders of the list; the first is that of who has none asked for.
var tokenSorts = []struct {
	name    string
	compare func(a, b *connector.Token) int
}{
	{"for", func(a, b *connector.Token) int { return cmp.Compare(a.Source, b.Source) }},
	{"ends", func(a, b *connector.Token) int { return endOf(a).Compare(endOf(b)) }},
	{"used", func(a, b *connector.Token) int { return b.LastUsed.Compare(a.LastUsed) }},
	{"made", func(a, b *connector.Token) int { return b.CreatedAt.Compare(a.CreatedAt) }},
}

// endOf is when a token ends, far away for one that never does.
func endOf(k *connector.Token) time.Time {
	if k.EndsAt.IsZero() {
		return time.Unix(1<<40, 0)
	}
	return k.EndsAt
}

// lastingTokens are those of the organization that people have made, in the order that is asked for.
func (v *visit) lastingTokens() ([]connector.Token, error) {
	list, err := v.s.o.Store.Tokens(v.r.Context(), connector.TokenFilter{Org: v.id(), Kinds: append(connector.LastingKinds(), connector.APIToken)})
	for _, x := range tokenSorts {
		if x.name == v.query("sort") {
			slices.SortStableFunc(list, func(a, b connector.Token) int { return x.compare(&a, &b) })
		}
	}
	return list, err
}

// fitsToken reports whether a token is one that the filters ask for, but for what has become of it.
func (v *visit) fitsToken(k *connector.Token) bool {
	source := v.query("for")
	if source == forAPI && k.Kind != connector.APIToken || source != "" && source != forAPI && k.Source != source {
		return false
	}
	q := connector.Fold(v.query("q"))
	return q == "" || strings.Contains(connector.Fold(k.Name), q) || strings.Contains(connector.Fold(k.CreatedBy), q) || strings.HasSuffix(k.ID.String(), q)
}

func (v *visit) tokens() {
	list, err := v.lastingTokens()
	if err != nil {
		v.accident("tokens", err)
		return
	}
	p := tokensPage{
		Query: v.query("q"), Ended: v.query("ended") == "1", New: v.link("/tokens/new"), Export: v.here("/tokens/export.csv"), ShowAll: v.with("ended", "1"), Any: len(list) > 0,
	}
	for _, x := range v.bearers() {
		p.For = append(p.For, option{x, x, x == v.query("for")})
	}
	for _, x := range tokenSorts {
		p.Sorts = append(p.Sorts, option{x.name, v.t("tokens.sort."+x.name, nil), x.name == v.query("sort")})
	}
	ending, next, reached := 0, "", v.after() == ""
	for i := range list {
		k := &list[i]
		if k.StandingAt(v.now) == connector.TokenEnds {
			ending++
		}
		switch {
		case !v.fitsToken(k):
		case !p.Ended && !k.LiveAt(v.now):
			p.Hidden++
		case !reached:
		case len(p.Rows) == perPage:
			next = cmp.Or(next, p.Rows[perPage-1].ID)
		default:
			p.Rows = append(p.Rows, v.tokenRow(k))
		}
		reached = reached || k.ID.String() == v.after()
	}
	p.Pager = v.pager(next, len(p.Rows))
	f := frame{Title: v.t("nav.tokens", nil), State: v.t("tokens.state", nil)}
	if ending > 0 {
		f.State = v.s.pages.Count(v.lang, "tokens.ending", ending)
	}
	v.show(http.StatusOK, "tokens", f, p)
}

// here is another path with the parameters of this page, but for its place in the list.
func (v *visit) here(path string) string {
	q := v.r.URL.Query()
	q.Del("after")
	q.Del("lang")
	if len(q) == 0 {
		return v.link(path)
	}
	return v.s.path + path + "?" + q.Encode()
}

// bearers are what tokens of this organization can be for.
func (v *visit) bearers() []string {
	list := []string{forAPI}
	for _, s := range v.org.Settings.Sources {
		if v.org.Settings.Bears(s.ID) {
			list = append(list, s.ID)
		}
	}
	return list
}

func (v *visit) tokenRow(k *connector.Token) tokenRow {
	f := frame{v: v}
	row := tokenRow{
		Name: k.Name, ID: k.ID.String(), For: cmp.Or(k.Source, forAPI), Kind: v.t("tokens.short."+string(k.Kind), nil), Scopes: k.Scopes,
		Networks: connector.NetworkTexts(k.Networks), Standing: v.standingPill(k), Gone: !v.org.Settings.Bears(k.Source),
		Made: f.At(k.CreatedAt), Ends: f.At(k.EndsAt), Used: f.At(k.LastUsed), By: k.CreatedBy,
	}
	if k.LiveAt(v.now) {
		row.Rotate, row.Revoke = v.link("/tokens/"+row.ID+"/rotate"), v.link("/tokens/"+row.ID+"/revoke")
	}
	return row
}

// lastWeek is from when on the end of something is bad news.
const lastWeek = 7 * 24 * time.Hour

// standingPill says how a token is now.
func (v *visit) standingPill(k *connector.Token) pill {
	standing := k.StandingAt(v.now)
	p := pill{v.t("tokens.standing."+string(standing), nil), "off"}
	switch {
	case standing == connector.TokenLive:
		p.Kind = "good"
	case standing == connector.TokenEnds && k.EndsAt.Sub(v.now) <= lastWeek:
		p.Kind = "bad"
	case standing == connector.TokenEnds:
		p.Kind = "warn"
	}
	return p
}

// tokenColumns are those of the file: new ones are only added at the end.
var tokenColumns = []string{"id", "for", "kind", "name", "scopes", "networks", "standing", "created_at", "created_by", "ends_at", "last_used", "revoked_at", "revoked_by"}

func (v *visit) exportTokens() {
	list, err := v.lastingTokens()
	if err != nil {
		v.accident("tokens", err)
		return
	}
	v.sheet("tokens", "tokens", tokenColumns, v.tokenCells(list))
}

func (v *visit) tokenCells(list []connector.Token) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for i := range list {
			k := &list[i]
			if !v.fitsToken(k) || v.query("ended") != "1" && !k.LiveAt(v.now) {
				continue
			}
			row := []string{
				k.ID.String(), cmp.Or(k.Source, forAPI), string(k.Kind), k.Name, strings.Join(k.Scopes, " "), strings.Join(connector.NetworkTexts(k.Networks), " "),
				string(k.StandingAt(v.now)), stamp(k.CreatedAt), k.CreatedBy, stamp(k.EndsAt), stamp(k.LastUsed), stamp(k.RevokedAt), k.RevokedBy,
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// stamp is a time in a file, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// newTokenPage asks what a token is to be: first for what, then the rest.
type newTokenPage struct {
	For      []option // to choose from, as addresses; none = it is chosen
	Chosen   string
	IsAPI    bool
	Kinds    []option
	Scopes   []option
	Lives    []option
	Name     string
	Networks string
	Fault    string // what is wrong
	Field    string // with which field
	Back     string
}

// tokenLives are how long a token may live, to choose from.
var tokenLives = []string{"30d", "90d", connector.TokenLife, "365d", connector.TokenNoEnd}

func (v *visit) askToken() {
	v.showNewToken(&connector.TokenRequest{Kind: connector.BearerToken, Expires: connector.TokenLife}, nil)
}

// chosenBearer is for what a token is to be, "" where that is not known yet.
func (v *visit) chosenBearer() string {
	if x := v.query("for"); slices.Contains(v.bearers(), x) {
		return x
	}
	return ""
}

func (v *visit) showNewToken(req *connector.TokenRequest, fault *connector.TokenRequestError) {
	p := newTokenPage{Chosen: v.chosenBearer(), Name: req.Name, Networks: strings.Join(req.Networks, "\n"), Back: v.link("/tokens")}
	f, status := frame{Title: v.t("tokens.new.title", nil), Crumbs: v.tokensCrumb()}, http.StatusOK
	if p.Chosen == "" {
		for _, x := range v.bearers() {
			text := x
			if x == forAPI {
				text = v.t("tokens.new.api", nil)
			}
			p.For = append(p.For, option{Value: v.link("/tokens/new", "for", x), Text: text})
		}
		v.show(status, "token_new", f, p)
		return
	}
	scopes := connector.Scopes()
	if p.IsAPI = p.Chosen == forAPI; p.IsAPI {
		scopes = connector.APIScopes()
	} else {
		for _, kind := range connector.LastingKinds() {
			p.Kinds = append(p.Kinds, option{string(kind), v.t("tokens.kind."+string(kind), nil), kind == req.Kind})
		}
	}
	for i, x := range scopes {
		chosen := slices.Contains(req.Scopes, x) || len(req.Scopes) == 0 && i == 0
		p.Scopes = append(p.Scopes, option{x, v.t("tokens.scope."+strings.NewReplacer(":", "_", "-", "_").Replace(x), nil), chosen})
	}
	for _, x := range tokenLives {
		p.Lives = append(p.Lives, option{x, v.t("tokens.life."+x, nil), x == req.Expires})
	}
	if fault != nil {
		p.Field, p.Fault, status = fault.Field, v.t("tokens.fault."+fault.Field, map[string]string{"Value": fault.Value}), http.StatusUnprocessableEntity
	}
	v.show(status, "token_new", f, p)
}

func (v *visit) tokensCrumb() []crumb { return []crumb{{v.t("nav.tokens", nil), v.link("/tokens")}} }

// makeToken answers with the token itself: it is kept nowhere, so that no other page could show it.
func (v *visit) makeToken() {
	bearer := v.chosenBearer()
	req := connector.TokenRequest{Kind: connector.TokenKind(v.value("kind")), Name: v.value("name"), Expires: v.value("expires"), Scopes: v.form["scope"], Networks: names(v.value("networks"))}
	if bearer == forAPI {
		req.Kind = connector.APIToken
	}
	k, err := req.Token(v.now)
	fault, wrong := errors.AsType[*connector.TokenRequestError](err)
	switch {
	case bearer == "":
		v.showNewToken(&req, nil)
		return
	case wrong:
		v.showNewToken(&req, fault)
		return
	case bearer != forAPI:
		k.Source = bearer
	}
	k.Org, k.CreatedBy = v.id(), v.session.Actor()
	secret := k.Draw()
	if err := v.s.o.Store.AddToken(v.r.Context(), k); err != nil {
		v.accident("token", err)
		return
	}
	v.showSecret(&k, secret, nil)
}

// madeTokenPage shows a token, once.
type madeTokenPage struct {
	tokenRow
	Secret   string
	ClientID string // of a client secret
	Address  string // where it is good; "" = there is no such door
	Old      *instant
	OldGone  bool // the one in whose place it is was revoked
	Back     string
}

// showSecret shows a token at the one moment at which that can be done. Old is the one whose place it takes, nil = none.
func (v *visit) showSecret(k *connector.Token, secret connector.Secret, old *connector.Token) {
	p := madeTokenPage{tokenRow: v.tokenRow(k), Secret: secret.Reveal(), Back: v.link("/tokens")}
	if v.org.TokenAddress != nil {
		p.Address = v.org.TokenAddress(k)
	}
	if k.Kind == connector.ClientSecret {
		p.ClientID = k.Org + "/" + k.Source
	}
	if old != nil {
		f := frame{v: v}
		p.Old, p.OldGone = f.At(old.EndsAt), !old.RevokedAt.IsZero()
	}
	v.show(http.StatusOK, "token_made", frame{Title: v.t("tokens.made.title", nil), State: v.t("tokens.made.once", nil), Crumbs: v.tokensCrumb()}, p)
}

// theToken is the token that the path names, and answers where there is none, or where it opens nothing any more.
func (v *visit) theToken() (*connector.Token, bool) {
	id, err := connector.ParseID(v.r.PathValue("token"))
	if err != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return nil, false
	}
	k, err := v.s.o.Store.Token(v.r.Context(), id)
	switch {
	case err != nil:
		v.accident("token", err)
	case k.Org != v.id() || k.Kind == connector.AccessToken:
		v.say(http.StatusNotFound, "console.nowhere", nil)
	case !k.LiveAt(v.now):
		v.say(http.StatusConflict, "tokens.gone", nil)
	default:
		return k, true
	}
	return nil, false
}

// tokenName is how people know a token.
func tokenName(k *connector.Token) string { return cmp.Or(k.Name, k.ID.Short()) }

// overlaps are how long a token that is replaced goes on, to choose from.
var overlaps = []string{"0s", "1d", connector.Overlap, "30d"}

func (v *visit) askRotate() {
	if k, ok := v.theToken(); ok {
		v.showRotate(k, http.StatusOK, "")
	}
}

func (v *visit) showRotate(k *connector.Token, status int, fault string) {
	c := confirm{Effect: []string{v.tokenFacts(k), v.t("tokens.rotate.effect", nil)}, Button: v.t("tokens.rotate.button", nil), Back: v.link("/tokens"), Fault: fault}
	for _, x := range overlaps {
		c.Choices = append(c.Choices, choice{Value: x, Text: v.t("tokens.overlap."+x, nil), Chosen: x == connector.Overlap})
	}
	v.show(status, "confirm", v.tokenFrame(k, "tokens.rotate.link"), c)
}

func (v *visit) tokenFrame(k *connector.Token, title string) frame {
	return frame{Title: v.t(title, nil), State: "\u2068" + tokenName(k) + "\u2069 · " + cmp.Or(k.Source, forAPI), Crumbs: v.tokensCrumb()}
}

// tokenFacts says when a token was used last, for who is about to take it away.
func (v *visit) tokenFacts(k *connector.Token) string {
	if k.LastUsed.IsZero() {
		return v.t("tokens.neverused", nil)
	}
	return v.t("tokens.lastused", map[string]string{"When": v.relative(k.LastUsed), "At": k.LastUsed.UTC().Format(time.DateTime + "Z")})
}

func (v *visit) doRotate() {
	old, ok := v.theToken()
	if !ok {
		return
	}
	overlap, err := connector.TokenOverlap(v.value("choice"))
	if err != nil {
		v.showRotate(old, http.StatusUnprocessableEntity, v.t("tokens.fault.overlap", nil))
		return
	}
	k := old.Next(v.now)
	k.CreatedBy = v.session.Actor()
	secret := k.Draw()
	if err = v.s.o.Store.ReplaceToken(v.r.Context(), old.ID, k, k.CreatedAt.Add(overlap)); err == nil {
		old, err = v.s.o.Store.Token(v.r.Context(), old.ID)
	}
	if err != nil {
		v.accident("token", err)
		return
	}
	v.showSecret(&k, secret, old)
}

func (v *visit) askRevoke() {
	k, ok := v.theToken()
	if !ok {
		return
	}
	list, err := v.lastingTokens()
	if err != nil {
		v.accident("token", err)
		return
	}
	c := confirm{Effect: []string{v.tokenFacts(k), v.t("tokens.revoke.effect", nil)}, Button: v.t("tokens.revoke.button", nil), Danger: true, Reason: true, Back: v.link("/tokens")}
	if !slices.ContainsFunc(list, func(o connector.Token) bool { return o.ID != k.ID && o.Source == k.Source && o.LiveAt(v.now) }) {
		c.Effect = append(c.Effect, v.t("tokens.revoke.last", map[string]string{"For": cmp.Or(k.Source, forAPI)}))
	}
	v.show(http.StatusOK, "confirm", v.tokenFrame(k, "tokens.revoke.link"), c)
}

func (v *visit) doRevoke() {
	k, ok := v.theToken()
	if !ok {
		return
	}
	if err := v.s.o.Store.RevokeToken(v.r.Context(), k.ID, v.session.Actor(), v.now); err != nil {
		v.accident("token", err)
		return
	}
	v.done(v.link("/tokens"), "good", "tokens.revoke.done", map[string]string{"Name": tokenName(k)})
}
