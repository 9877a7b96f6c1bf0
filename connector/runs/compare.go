package runs

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
)

// Comparer is what two runs are compared by.
type Comparer interface {
	RunEvents(ctx context.Context, org string, run, before connector.ID, limit int) ([]connector.Event, error)
	EventsInRun(ctx context.Context, org string, run connector.ID, users []connector.ID) ([]connector.Event, error)
	Outcomes(ctx context.Context, run, after connector.ID, limit int) ([]connector.Outcome, error)
	OutcomesOf(ctx context.Context, run connector.ID, people []*connector.Change) ([]connector.Outcome, error)
	OutcomesFound(ctx context.Context, run connector.ID) (bool, error)
	Links(ctx context.Context, org, source string, anchors []connector.Anchor) ([]connector.Link, error)
	LinksOfUsers(ctx context.Context, org string, users []connector.ID) ([]connector.Link, error)
	Users(ctx context.Context, org string, ids []connector.ID) ([]*connector.User, error)
}

// Outcome is what became of a person in a run.
type Outcome struct {
	Action  connector.Action // what was done, or would be if it were not held
	Held    bool
	Skip    connector.SkipReason
	Reasons []connector.Reason // why it failed, in their order
}

func (o *Outcome) same(p *Outcome) bool {
	return o != nil && p != nil && o.Action == p.Action && o.Held == p.Held && o.Skip == p.Skip && slices.Equal(o.Reasons, p.Reasons)
}

// Person is somebody whose outcome is another one in one run than in the other. Of one who stayed as it was, or was not there, nothing is
// stored: that is nil.
type Person struct {
	User    *connector.User // as it is now; nil = there is no account
	Subject string          // how the source names who has none
	A, B    *Outcome
}

// Differences is a page of people whose outcome differs.
type Differences struct {
	People []Person
	Next   string // where the next page goes on; "" = this was the last
	// Old says that one of the runs was stored by a usherd that did not note whom it was about, so that the people cannot be compared.
	Old bool
}

const (
	// mostCompared bounds how many people are looked at for one page.
	mostCompared = 512
	compareStep  = 128
)

// Compare reads a page of the people whose outcome differs between two runs of an organization: first those of whom run a has stored
// something, then those of whom only b has. It reads either run in order, asks for the same people in the other one, and keeps neither in
// memory. People are the same by their account, and who has none by what the source knows them by. While a run grows, somebody may be missed.
func Compare(ctx context.Context, store Comparer, a, b *connector.Run, after string, limit int) (*Differences, error) {
	c := &comparison{ctx: ctx, store: store, runs: [2]*connector.Run{a, b}}
	at, err := parsePlace(after)
	if err != nil {
		return nil, err
	}
	d := &Differences{}
	for _, r := range c.runs {
		found, err := store.OutcomesFound(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		if !found {
			d.Old = true
			return d, nil
		}
	}
	for looked := 0; at.part < parts; {
		list, next, err := c.read(at)
		if err != nil {
			return nil, err
		}
		if err := c.judge(at.part/2, list); err != nil {
			return nil, err
		}
		for i := range list {
			s := &list[i]
			at.id = s.id
			if s.differs {
				d.People = append(d.People, Person{User: &connector.User{ID: s.user}, Subject: s.subject, A: s.found[0], B: s.found[1]})
			}
			if len(d.People) == limit {
				d.Next = at.String()
				return d, c.name(d.People)
			}
		}
		if looked += len(list); next.part != at.part {
			at = next
		} else if looked >= mostCompared {
			d.Next = at.String()
			break
		}
	}
	return d, c.name(d.People)
}

// parts are what is read one after the other: what a did, what a kept, what b did, what b kept.
const parts = 4

// place is where a comparison stands.
type place struct {
	part int
	id   connector.ID // the last that was looked at; zero = none of the part yet
}

func (p place) String() string { return strconv.Itoa(p.part) + ":" + p.id.String() }

func parsePlace(text string) (p place, err error) {
	if text == "" {
		return p, nil
	}
	part, id, _ := strings.Cut(text, ":")
	p.part, err = strconv.Atoi(part)
	if err == nil && p.part >= 0 && p.part < parts {
		if err = p.id.UnmarshalText([]byte(id)); err == nil {
			return p, nil
		}
	}
	return place{}, &connector.Error{Kind: connector.Invalid, Op: "compare runs", Err: fmt.Errorf("%q is no place in a comparison", text)}
}

type comparison struct {
	ctx   context.Context //nolint:containedctx // lives as long as the call that it came with
	store Comparer
	runs  [2]*connector.Run
}

// subject is a person whom one of the runs tells of.
type subject struct {
	id      connector.ID        // of what it tells
	user    connector.ID        // zero = there is no account
	keys    []*connector.Change // what the person may be kept by, in either source
	subject string
	found   [2]*Outcome
	differs bool
}

// read reads on from a place; next is in another part where this one ends.
func (c *comparison) read(at place) (list []subject, next place, err error) {
	var n int
	run := c.runs[at.part/2]
	if at.part%2 == 0 {
		var events []connector.Event
		events, err = c.store.RunEvents(c.ctx, run.Org, run.ID, at.id, compareStep)
		list, n = ofEvents(events), len(events)
	} else {
		var kept []connector.Outcome
		if kept, err = c.store.Outcomes(c.ctx, run.ID, at.id, compareStep); err == nil {
			list, err = c.ofOutcomes(run, kept)
		}
		n = len(kept)
	}
	if n < compareStep {
		at = place{part: at.part + 1}
	}
	return list, at, err
}

func ofEvents(events []connector.Event) []subject {
	list := make([]subject, len(events))
	for i := range events {
		e := &events[i]
		list[i] = subject{id: e.ID, user: e.User}
		if !e.Anchor.IsZero() { // of one who was deleted there is no link any more
			list[i].keys = append(list[i].keys, &connector.Change{Source: e.Source, Anchor: e.Anchor})
		}
	}
	return list
}

// ofOutcomes are people of whom something was kept, with their accounts.
func (c *comparison) ofOutcomes(run *connector.Run, kept []connector.Outcome) ([]subject, error) {
	list := make([]subject, len(kept))
	var anchors []connector.Anchor
	for i, o := range kept {
		ch := o.Change
		list[i] = subject{id: o.ID, subject: ch.Subject, keys: []*connector.Change{{Source: run.Source, Anchor: ch.Anchor, DN: ch.DN, Subject: ch.Subject}}}
		if list[i].subject == "" {
			list[i].subject = ch.DN
		}
		if ch.After != nil && ch.BaseVersion > 0 {
			list[i].user = ch.After.ID
		}
		if !ch.Anchor.IsZero() {
			anchors = append(anchors, ch.Anchor)
		}
	}
	links, err := c.store.Links(c.ctx, run.Org, run.Source, anchors)
	byAnchor := make(map[connector.Anchor]connector.ID, len(links))
	for i := range links {
		byAnchor[links[i].Anchor] = links[i].User
	}
	for i, o := range kept {
		if user := byAnchor[o.Change.Anchor]; !user.IsZero() {
			list[i].user = user
		}
	}
	return list, err
}

// judge finds out what both runs tell of people of whom one does, and whether that differs. Who has been, or will be, judged at another
// place is not: that is the latest place of the first run that tells of somebody.
func (c *comparison) judge(reading int, list []subject) error {
	var users []connector.ID
	for i := range list {
		if !list[i].user.IsZero() {
			users = append(users, list[i].user)
		}
	}
	links, err := c.store.LinksOfUsers(c.ctx, c.runs[0].Org, users)
	if err != nil {
		return err
	}
	keys := map[connector.ID][]*connector.Change{}
	for i := range links {
		l := &links[i]
		keys[l.User] = append(keys[l.User], &connector.Change{Source: l.Source, Anchor: l.Anchor})
		if l.DN != "" {
			keys[l.User] = append(keys[l.User], &connector.Change{Source: l.Source, DN: l.DN})
		}
	}
	for i := range list {
		list[i].keys = append(list[i].keys, keys[list[i].user]...)
	}
	var latest [2][]connector.ID
	for n := range c.runs {
		if latest[n], err = c.find(n, list, users); err != nil {
			return err
		}
	}
	for i := range list {
		s := &list[i]
		s.differs = latest[reading][i] == s.id && (reading == 0 || s.found[0] == nil) && !s.found[0].same(s.found[1])
	}
	return nil
}

// told is what a run tells of a person, and where.
type told struct {
	id      connector.ID
	outcome *Outcome
}

// find sets what a run tells of people, and returns the places; zero = nothing.
func (c *comparison) find(n int, list []subject, users []connector.ID) ([]connector.ID, error) {
	run := c.runs[n]
	byUser, byKey := map[connector.ID]told{}, map[string]told{}
	events, err := c.store.EventsInRun(c.ctx, run.Org, run.ID, users)
	if err != nil {
		return nil, err
	}
	for i := range events {
		e := &events[i]
		if byUser[e.User].before(e.ID) {
			byUser[e.User] = told{e.ID, &Outcome{Action: e.Action}}
		}
	}
	var asked []*connector.Change
	for i := range list {
		for _, k := range list[i].keys {
			if k.Source == run.Source {
				asked = append(asked, k)
			}
		}
	}
	kept, err := c.store.OutcomesOf(c.ctx, run.ID, asked)
	for _, o := range kept {
		if key := keyOf(o.Change); byKey[key].before(o.ID) {
			byKey[key] = told{o.ID, outcomeOf(o.Change)}
		}
	}
	latest := make([]connector.ID, len(list))
	for i := range list {
		s := &list[i]
		best := byUser[s.user]
		for _, k := range s.keys {
			if t := byKey[keyOf(k)]; k.Source == run.Source && t.outcome != nil && best.before(t.id) {
				best = t
			}
		}
		latest[i], s.found[n] = best.id, best.outcome
	}
	return latest, err
}

func (t told) before(id connector.ID) bool { return bytes.Compare(t.id[:], id[:]) < 0 }

// keyOf is what somebody is kept by: the anchor, else the DN, else the subject.
func keyOf(c *connector.Change) string {
	switch {
	case !c.Anchor.IsZero():
		return string(c.Anchor.Kind) + "\x00" + c.Anchor.Raw
	case c.DN != "":
		return "\x00" + connector.Fold(c.DN)
	}
	return "\x00" + connector.Fold(c.Subject)
}

func outcomeOf(c *connector.Change) *Outcome {
	o := &Outcome{Action: c.Action, Held: c.Held, Skip: c.Skip}
	for _, f := range c.Failures {
		o.Reasons = append(o.Reasons, f.Reason)
	}
	slices.Sort(o.Reasons)
	o.Reasons = slices.Compact(o.Reasons)
	return o
}

// name reads the accounts of people.
func (c *comparison) name(people []Person) error {
	var ids []connector.ID
	for i := range people {
		if id := people[i].User.ID; !id.IsZero() {
			ids = append(ids, id)
		}
	}
	users, err := c.store.Users(c.ctx, c.runs[0].Org, ids)
	byID := make(map[connector.ID]*connector.User, len(users))
	for _, u := range users {
		byID[u.ID] = u
	}
	for i := range people {
		people[i].User = byID[people[i].User.ID]
	}
	return err
}
