package storetest

import (
	"net/netip"
	"time"

	"usherd/connector"
)

// token adds one that has everything.
func (f *fixture) token(kind connector.TokenKind, change func(*connector.Token)) connector.Token {
	f.Helper()
	_, hash := connector.NewToken()
	k := connector.Token{
		ID: connector.NewID(f.now), Org: Org, Source: "entra", Kind: kind, Hash: hash, Name: "blå", Scopes: connector.Scopes(),
		Networks:  []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		CreatedAt: f.now, CreatedBy: "cli:ann", EndsAt: f.now.Add(time.Hour),
	}
	if change != nil {
		change(&k)
	}
	f.ok(f.s.AddToken(f.ctx, k))
	return k
}

func (f *fixture) tokens(filter connector.TokenFilter) []connector.Token {
	f.Helper()
	list, err := f.s.Tokens(f.ctx, filter)
	f.ok(err)
	for i := range list {
		list[i] = comparable(list[i])
	}
	return list
}

// comparable has its networks as texts in the name, since go-cmp does not look into them.
func comparable(k connector.Token) connector.Token {
	for _, p := range k.Networks {
		k.Name += " " + p.String()
	}
	k.Networks = nil
	return k
}

func (f *fixture) isToken(got *connector.Token, err error, want connector.Token) {
	f.Helper()
	f.ok(err)
	f.equal(comparable(*got), comparable(want))
}

func tokens(f *fixture) {
	a := f.token(connector.BearerToken, nil)
	b := f.token(connector.BearerToken, func(k *connector.Token) {
		k.Org, k.Networks, k.EndsAt, k.Name, k.Scopes = "another", nil, time.Time{}, "", []string{connector.ScopeRead}
	})
	c := f.token(connector.ClientSecret, nil)
	d := f.token(connector.BearerToken, func(k *connector.Token) { k.Source = "aad" })
	f.kind(f.s.AddToken(f.ctx, a), connector.Conflict)
	api := f.token(connector.APIToken, func(k *connector.Token) { k.Source, k.Scopes = "", connector.APIScopes() })
	f.equal(f.tokens(connector.TokenFilter{Org: Org, Kinds: []connector.TokenKind{connector.APIToken}}), []connector.Token{comparable(api)})
	_, hash := connector.NewAPIToken()
	f.kind(f.s.AddToken(f.ctx, connector.Token{
		ID: connector.NewID(f.now), Org: Org, Source: "entra", Kind: connector.APIToken, Hash: hash, Scopes: []string{connector.APIRead},
	}), connector.Invalid)
	f.kind(f.s.AddToken(f.ctx, connector.Token{ID: connector.NewID(f.now), Org: Org, Source: "x"}), connector.Invalid)

	got, err := f.s.Token(f.ctx, a.ID)
	f.isToken(got, err, a)
	got, err = f.s.TokenByHash(f.ctx, b.Hash)
	f.isToken(got, err, b)
	_, err = f.s.TokenByHash(f.ctx, connector.TokenHash{1})
	f.kind(err, connector.NotFound)
	_, err = f.s.Token(f.ctx, f.run)
	f.kind(err, connector.NotFound)
	got, err = f.s.FindToken(f.ctx, c.ID.Short())
	f.isToken(got, err, c)
	_, err = f.s.FindToken(f.ctx, "fff")
	f.kind(err, connector.Invalid)
	_, err = f.s.FindToken(f.ctx, "zzzzzzzz")
	f.kind(err, connector.NotFound)

	all := []connector.TokenKind{connector.ClientSecret, connector.BearerToken}
	x, y, z, u := comparable(a), comparable(b), comparable(c), comparable(d)
	f.equal(f.tokens(connector.TokenFilter{Kinds: all}), []connector.Token{u, x, z, y})
	f.equal(f.tokens(connector.TokenFilter{Org: Org, Source: "entra", Kinds: all}), []connector.Token{x, z})
	f.equal(f.tokens(connector.TokenFilter{Kinds: all[:1]}), []connector.Token{z})
	f.equal(f.tokens(connector.TokenFilter{}), []connector.Token{})

	later := f.now.Add(time.Minute)
	f.ok(f.s.UseTokens(f.ctx, map[connector.ID]time.Time{a.ID: later, f.run: later}))
	f.ok(f.s.UseTokens(f.ctx, map[connector.ID]time.Time{a.ID: f.now}))
	f.ok(f.s.UseTokens(f.ctx, nil))
	a.LastUsed = later
	got, err = f.s.Token(f.ctx, a.ID)
	f.isToken(got, err, a)

	before, err := f.s.TokenRevision(f.ctx)
	f.ok(err)
	f.ok(f.s.RevokeToken(f.ctx, a.ID, "cli:eva", later))
	f.ok(f.s.RevokeToken(f.ctx, a.ID, "cli:bob", later.Add(time.Hour)))
	a.RevokedAt, a.RevokedBy = later, "cli:eva"
	got, err = f.s.TokenByHash(f.ctx, a.Hash)
	f.isToken(got, err, a)
	after, err := f.s.TokenRevision(f.ctx)
	f.ok(err)
	if after <= before {
		f.Errorf("revision %d after %d", after, before)
	}
	f.kind(f.s.RevokeToken(f.ctx, f.run, "cli:eva", later), connector.NotFound)
	got, err = f.s.Token(f.ctx, d.ID)
	f.isToken(got, err, d)
}

// replacedTokens: the new one is there with the audit entry, and the old one ends when it was said to, or before.
func replacedTokens(f *fixture) {
	later := f.now.Add(time.Minute)
	for _, c := range []struct {
		ends, want time.Time // of the old one
	}{
		{later.Add(time.Minute), later.Add(time.Minute)},
		{f.now.Add(2 * time.Hour), f.now.Add(time.Hour)},
		{later, f.now.Add(time.Hour)},
	} {
		old := f.token(connector.ClientSecret, nil)
		child := f.token(connector.AccessToken, func(k *connector.Token) { k.Parent = old.ID })
		next := old.Next(later)
		next.Draw()
		next.CreatedBy = "cli:eva"
		before, err := f.s.TokenRevision(f.ctx)
		f.ok(err)
		ctx := connector.Acting(f.ctx, connector.Actor{Name: "cli:eva"})
		f.ok(f.s.ReplaceToken(ctx, old.ID, next, c.ends))
		after, err := f.s.TokenRevision(f.ctx)
		f.ok(err)
		if after <= before {
			f.Errorf("revision %d after %d", after, before)
		}
		old.EndsAt = c.want
		if c.ends.Equal(later) {
			old.RevokedAt, old.RevokedBy, child.RevokedAt, child.RevokedBy = later, "cli:eva", later, "cli:eva"
		}
		got, err := f.s.Token(f.ctx, old.ID)
		f.isToken(got, err, old)
		got, err = f.s.Token(f.ctx, child.ID)
		f.isToken(got, err, child)
		next.EndsAt = later.Add(time.Hour)
		got, err = f.s.Token(f.ctx, next.ID)
		f.isToken(got, err, next)
		entries, err := f.s.Audit(f.ctx, connector.AuditQuery{Org: Org, Action: connector.AuditTokenCreated, Target: "token " + next.ID.String()})
		f.ok(err)
		if len(entries) != 1 || entries[0].Details["replaces"] != old.ID.String() {
			f.Errorf("%+v", entries)
		}
		if c.ends.Equal(later) { // what opens nothing has no successor
			third := old.Next(later)
			third.Draw()
			f.kind(f.s.ReplaceToken(f.ctx, old.ID, third, later), connector.Conflict)
			f.kind(f.s.ReplaceToken(f.ctx, f.run, third, later), connector.NotFound)
			f.kind(f.s.ReplaceToken(f.ctx, old.ID, connector.Token{}, later), connector.Invalid)
		}
	}
}

func accessTokens(f *fixture) {
	secret, other := f.token(connector.ClientSecret, nil), f.token(connector.ClientSecret, nil)
	of := func(parent connector.ID) connector.Token {
		return f.token(connector.AccessToken, func(k *connector.Token) { k.Parent = parent })
	}
	a, b, c := of(secret.ID), of(other.ID), of(connector.ID{})
	revision, err := f.s.TokenRevision(f.ctx)
	f.ok(err)
	f.ok(f.s.RevokeToken(f.ctx, secret.ID, "cli:eva", f.now))
	a.RevokedAt, a.RevokedBy = f.now, "cli:eva"
	f.equal(f.tokens(connector.TokenFilter{Kinds: []connector.TokenKind{connector.AccessToken}}), []connector.Token{comparable(a), comparable(b), comparable(c)})

	n, err := f.s.DropTokens(f.ctx, f.now.Add(time.Hour))
	f.ok(err)
	f.equal(n, 0)
	n, err = f.s.DropTokens(f.ctx, f.now.Add(time.Hour+time.Second))
	f.ok(err)
	f.equal(n, 3)
	f.equal(len(f.tokens(connector.TokenFilter{Kinds: []connector.TokenKind{connector.ClientSecret, connector.AccessToken}})), 2)
	again, err := f.s.TokenRevision(f.ctx)
	f.ok(err)
	if again <= revision {
		f.Errorf("revision %d after %d", again, revision)
	}
}
