package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
)

// reminders are how long before the end of a claim the person is reminded of it.
var reminders = []time.Duration{7 * 24 * time.Hour, 3 * 24 * time.Hour, 24 * time.Hour}

// nextReminder is when something is due for an open claim next: a reminder, or the default action.
func nextReminder(c *connector.Claim, now time.Time) time.Time {
	for _, before := range reminders {
		if at := c.Until.Add(-before); at.After(now) {
			return at
		}
	}
	return c.Until
}

// ClaimDecision is what the person says becomes of the old account.
type ClaimDecision struct {
	Org    string // that has claimed
	Claim  connector.ID
	Choice connector.ClaimChoice
	Email  string       // with ClaimKeep, the address under which the old account goes on; the caller has it proved
	Link   connector.ID // that is used up by the decision; zero = none
	Actor  string       // who decides, in words that the history keeps
}

var (
	errClaimOver = errors.New("nothing is open any more about this claim")
	errNoChoice  = errors.New("the choices are move, delete and keep, and keep needs another address")
	errOrgGone   = errors.New("the organization that had the account is not in the configuration any more, so the account cannot be kept there")
)

// DecideClaim ends a claim as the person wants it: the user moves on by the table of states, and the data of the old
// account goes along, is deleted, or stays with an account of its own. The failures say why it cannot be kept: then nothing is
// changed. A claim that is not open any more is an error of Kind Conflict.
func (c *Claims) DecideClaim(ctx context.Context, x ClaimDecision) (*connector.Claim, []connector.Failure, error) {
	p, err := c.org(x.Org)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains(connector.ClaimChoices(), x.Choice) || (x.Choice == connector.ClaimKeep) == (x.Email == "") {
		return nil, nil, &connector.Error{Kind: connector.Invalid, Op: "claims", Err: errNoChoice}
	}
	var e *ending
	err = c.retried(ctx, p, func(tx connector.Tx) error {
		claim, err := tx.Claim(ctx, x.Org, x.Claim)
		if err != nil {
			return err
		}
		e = &ending{to: p, from: c.orgs[claim.From], old: c.nameOf(claim.From), claim: claim, signal: lifecycle.ClaimDecided, choice: x.Choice, email: x.Email, actor: x.Actor}
		if err = e.end(ctx, tx); err != nil || e.over || len(e.failures) > 0 || x.Link.IsZero() {
			return err
		}
		_, err = tx.UseMailLink(ctx, x.Org, x.Link, p.o.Now())
		return err
	})
	switch {
	case err != nil:
		return nil, nil, err
	case e.over:
		return e.claim, nil, &connector.Error{
			Kind: connector.Conflict, Op: "claim of " + e.claim.Email, Err: fmt.Errorf("%w: it is %s", errClaimOver, e.claim.Status),
		}
	}
	return e.claim, e.failures, nil
}

// ClaimsDone is what ExpireClaims has done.
type ClaimsDone struct {
	Reminded  int
	Expired   int
	Cancelled int // as the claimer is not configured any more
	Blocked   int // that should be cancelled, but the account cannot be given back now
}

// claimPage is how many due claims are looked at a time.
const claimPage = 100

// ExpireClaims reminds people of open claims, and does the default action where the time is over: the data goes along. Open
// claims of organizations that are not in the configuration any more are cancelled: who was claimed has the account back. Each is done once, in a transaction with the note that it is, whoever calls this how often and whenever.
func (c *Claims) ExpireClaims(ctx context.Context) (done ClaimsDone, err error) {
	for _, id := range c.others("") {
		p := c.orgs[id]
		for {
			due, err := p.o.Store.ClaimsDue(ctx, id, p.o.Now(), claimPage)
			if err != nil {
				return done, err
			}
			for i := range due {
				if err := c.due(ctx, p, due[i].ID, &done); err != nil {
					return done, err
				}
			}
			if len(due) < claimPage {
				break
			}
		}
		if err := c.cancelOrphans(ctx, p, &done); err != nil {
			return done, err
		}
	}
	return done, nil
}

// due does what is due for one claim.
func (c *Claims) due(ctx context.Context, p *Provisioner, id connector.ID, done *ClaimsDone) error {
	var step ClaimsDone
	err := c.retried(ctx, p, func(tx connector.Tx) error {
		step = ClaimsDone{}
		claim, err := tx.Claim(ctx, p.o.Org.ID, id)
		now := p.o.Now()
		if err != nil || claim.Status != connector.ClaimOpen || claim.NextAt.After(now) { // somebody else has done it
			return err
		}
		if now.Before(claim.Until) {
			step.Reminded++
			claim.NextAt = nextReminder(claim, now)
			if err := tx.PutClaim(ctx, claim); err != nil {
				return err
			}
			return p.remind(ctx, tx, claim, c.nameOf(claim.From))
		}
		e := &ending{
			to: p, from: c.orgs[claim.From], old: c.nameOf(claim.From), claim: claim, signal: lifecycle.ClaimExpired, choice: connector.ClaimMove,
			actor: "the time to decide was over",
		}
		if err = e.end(ctx, tx); !e.over {
			step.Expired++
		}
		return err
	})
	if err == nil {
		done.Reminded, done.Expired = done.Reminded+step.Reminded, done.Expired+step.Expired
	}
	return err
}

// retried runs f in a transaction, and again when what it rests on has moved.
func (c *Claims) retried(ctx context.Context, p *Provisioner, f func(tx connector.Tx) error) error {
	err := connector.ErrMoved
	for try := 0; try < maxTries && errors.Is(err, connector.ErrMoved); try++ {
		err = p.o.Store.Write(ctx, f)
	}
	return err
}

// ending is the end of one claim.
type ending struct {
	to, from *Provisioner // from is nil where that organization is not configured any more
	old      string       // its name, or its id then
	claim    *connector.Claim
	signal   lifecycle.Signal
	choice   connector.ClaimChoice
	email    string
	actor    string

	over     bool // there was nothing left to end
	failures []connector.Failure
}

// end decides and writes it.
func (e *ending) end(ctx context.Context, tx connector.Tx) error {
	if e.over = e.claim.Status != connector.ClaimOpen; e.over {
		return nil
	}
	users, err := tx.Users(ctx, e.claim.Org, []connector.ID{e.claim.User})
	if err != nil {
		return err
	}
	if len(users) == 0 || !pends(users[0]) { // deleted before the person has decided
		e.over = true
		e.close(connector.ClaimEnded)
		return tx.PutClaim(ctx, e.claim)
	}
	if e.choice == connector.ClaimKeep {
		if err := e.keep(ctx, tx, users[0].PendingApproval); err != nil || len(e.failures) > 0 {
			return err
		}
	}
	if err := e.convert(ctx, tx, users[0]); err != nil {
		return err
	}
	status := connector.ClaimDecided
	if e.signal == lifecycle.ClaimExpired {
		status = connector.ClaimExpired
	}
	e.claim.Choice, e.claim.KeptEmail = e.choice, e.email
	e.close(status)
	if err := tx.PutClaim(ctx, e.claim); err != nil {
		return err
	}
	return e.to.conclude(ctx, tx, e.claim, e.old, users[0])
}

// pends reports whether the user waits for the decision, now or when it is reactivated.
func pends(u *connector.User) bool {
	return u.State == connector.ClaimPending || u.State == connector.Inactive && u.Resume == connector.ClaimPending
}

func (e *ending) close(status connector.ClaimStatus) {
	e.claim.Status, e.claim.NextAt, e.claim.Data, e.claim.Package = status, time.Time{}, nil, ""
	e.claim.DecidedAt, e.claim.DecidedBy = e.to.o.Now(), e.actor
}

// convert moves the user on by the table of states. One that is inactive stays so, and what it returns to is what the
// claim would have brought.
func (e *ending) convert(ctx context.Context, tx connector.Tx, u *connector.User) error {
	p := e.to
	facts, err := p.adminFacts(ctx, tx, u)
	if err != nil {
		return err
	}
	after := *u
	ch := &connector.Change{
		Action: connector.Updated, Org: p.o.Org.ID, Source: connector.Claimed, Anchor: e.claim.Anchor(), Subject: u.Profile.Subject(), BaseVersion: u.Version, After: &after,
	}
	facts.From = e.claim.Was
	if u.State == connector.Inactive {
		after.Resume, _ = lifecycle.Next(connector.ClaimPending, e.signal, facts)
	} else {
		move(ch, &after, e.signal, facts)
	}
	after.Was = ""
	if e.choice == connector.ClaimMove {
		if err := e.bring(ctx, tx, ch, &after); err != nil {
			return err
		}
	}
	settle(ch, u, p.o.Org, p.o.Now())
	return e.put(ctx, tx, p, ch)
}

// bring has the data go along: what the old account knew becomes what the claim says of the person, which gives way to
// all sources. What the rules of the organization do not let in stays behind, and the history says so.
func (e *ending) bring(ctx context.Context, tx connector.Tx, ch *connector.Change, after *connector.User) error {
	links, err := tx.LinksOfUsers(ctx, after.Org, []connector.ID{after.ID})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(links, func(l connector.Link) bool { return l.Source == connector.Claimed })
	if i < 0 {
		return nil
	}
	own := links[i]
	said := own.Profile
	if said == nil {
		said = after.Profile
	}
	data := e.claim.Data.Clone()
	for name, values := range said {
		data.Set(name, values...)
	}
	kept, err := e.allowed(ctx, tx, ch, after, links, i, data)
	if err != nil {
		return err
	}
	after.Profile = e.folded(links, i, kept)
	if len(links) > 1 {
		own.Profile = kept
	}
	own.UpdatedAt = e.to.o.Now()
	ch.Link = &own
	return nil
}

// allowed is the data without what the rules refuse of it.
func (e *ending) allowed(ctx context.Context, tx connector.Tx, ch *connector.Change, after *connector.User, links []connector.Link, own int, data connector.Profile) (connector.Profile, error) {
	d := &decision{org: e.to.o.Org, src: &connector.SourceSettings{ID: connector.Claimed, Kind: connector.Administrator}, user: after}
	d.profile, d.pkg = e.folded(links, own, data), after.Package
	f := newFacts(e.to.o.Now())
	if err := f.loadRules(ctx, tx, after.Org, []*decision{d}); err != nil {
		return nil, err
	}
	for _, x := range d.rules(f) {
		for _, name := range x.Fields {
			if slices.Contains(connector.ClaimedAttributes(), name) || len(data[name]) == 0 {
				continue
			}
			delete(data, name)
			ch.Warnings = append(ch.Warnings, fmt.Sprintf("%s of the old account was left behind: %s", name, x.Reason))
		}
	}
	return data, nil
}

// folded is the profile when the claim says that.
func (e *ending) folded(links []connector.Link, own int, data connector.Profile) connector.Profile {
	says := map[string]connector.Standing{}
	var parts []policy.Contribution
	for i, l := range links {
		c := policy.Contribution{Source: l.Source, Profile: l.Profile, Package: l.Package}
		if i == own {
			c.Profile = data
		}
		says[l.Source] = l.Standing
		parts = append(parts, c)
	}
	profile, _, _ := policy.Fold(e.to.o.Org, counting(e.to.o.Org, parts, says))
	return profile
}

// keep makes the account anew in the old organization, under the other address, with all its data. It is a new user
// there: the one that was claimed has ended. Unapproved says that nobody has approved the account yet: it waits there, too.
func (e *ending) keep(ctx context.Context, tx connector.Tx, unapproved bool) error {
	if e.from == nil {
		return &connector.Error{Kind: connector.Refused, Op: "claim of " + e.claim.Email, Err: errOrgGone, Hint: "choose move or delete"}
	}
	profile := e.claim.Data.Clone()
	if connector.Fold(profile.Get(connector.UserName)) == connector.Fold(e.claim.Email) {
		profile.Set(connector.UserName, e.email)
	}
	profile.Set(connector.Email, e.email)
	profile.Set(connector.OtherEmails, slices.DeleteFunc(slices.Clone(profile[connector.OtherEmails]), func(a string) bool {
		return connector.Fold(a) == connector.Fold(e.email)
	})...)
	return e.revive(ctx, tx, profile, unapproved)
}
