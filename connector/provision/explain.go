package provision

import (
	"context"
	"fmt"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
)

const (
	maxTransitions = 200  // that one explanation tells, the latest
	maxPlace       = 1000 // of a waiting list that is looked at
)

// ExplainRequest says whom to explain. User and Say are needed.
type ExplainRequest struct {
	User connector.ID
	// Say words a sentence in the reader's language: connector/report has those with these keys.
	Say func(key string, values any) string
	At  time.Time // zero = now
	// Fresh are sources that are asked what they say of the person at this moment, by name. One that cannot
	// be asked is told in its record.
	Fresh map[string]connector.Source
	// Place tells where the mapping rule for an attribute stands, Words what a failure is called and what
	// to do about it. Either may be nil.
	Place func(source, attribute string) (file string, line int)
	Words func(f connector.Failure) (title string, remedy []string)
}

// Explain tells why a user is as it is, or was at an instant: each attribute with its source, each
// transition with its cause, and what would have to happen for another state. It changes nothing. A user
// who did not exist then is an error of Kind NotFound.
func (p *Provisioner) Explain(ctx context.Context, req ExplainRequest) (*Explanation, error) {
	x := &explainer{p: p, org: p.o.Org, req: req, now: p.o.Now(), marks: map[string]mark{}, runs: map[connector.ID]*connector.Run{}}
	x.at = x.now
	if !req.At.IsZero() && req.At.Before(x.now) {
		x.at, x.past = req.At, true
	}
	for _, load := range []func(context.Context) error{
		x.loadUser, x.loadEvents, x.loadLinks, x.loadDomain, x.loadSeats, x.loadItems, x.loadFacts, x.loadRuns, x.askFresh,
	} {
		if err := load(ctx); err != nil {
			return nil, err
		}
	}
	return x.explain(), nil
}

// explainer gathers what an explanation of one user rests on.
type explainer struct {
	p    *Provisioner
	org  *connector.Organization
	req  ExplainRequest
	now  time.Time
	at   time.Time
	past bool

	stored   *connector.User
	user     *connector.User // as it was at the instant
	marks    map[string]mark // field -> the event that set it last
	steps    []step
	older    int
	links    []connector.Link
	domain   *ExplainedDomain
	seats    []connector.SeatCount
	waiting  *WaitingPlace
	items    []connector.OpenItem
	facts    lifecycle.Facts
	runs     map[connector.ID]*connector.Run
	fresh    map[connector.Anchor]*FreshRecord
	says     connector.Standing // all sources together
	saysSrc  string
	offers   []policy.Contribution // all, by priority
	counting []policy.Contribution // those that count
}

// mark is the event that set a field last.
type mark struct {
	at     time.Time
	source string
	cause  connector.Cause
}

// step is a transition with its event.
type step struct {
	connector.Transition
	event connector.Event
}

func (x *explainer) loadUser(ctx context.Context) error {
	users, err := x.p.o.Store.Users(ctx, x.org.ID, []connector.ID{x.req.User})
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return &connector.Error{Kind: connector.NotFound, Op: "explain", Err: errNobody, Hint: "see them with: usherd users"}
	}
	x.stored = users[0]
	return nil
}

// loadEvents replays the history up to the instant. What happens while it is read belongs to no answer.
func (x *explainer) loadEvents(ctx context.Context) error {
	u := &connector.User{ID: x.stored.ID, Org: x.org.ID, Profile: connector.Profile{}, CreatedAt: x.stored.CreatedAt}
	for e, err := range x.p.o.Store.UserEvents(ctx, x.org.ID, x.stored.ID) {
		if err != nil {
			return err
		}
		if e.Version > x.stored.Version || x.past && e.At.After(x.at) {
			break
		}
		connector.Replay(u, e.Fields)
		u.Version, u.UpdatedAt = e.Version, e.At
		for _, f := range e.Fields {
			x.marks[f.Field] = mark{e.At, e.Source, e.Cause}
		}
		for _, t := range e.Transitions {
			if x.steps = append(x.steps, step{t, e}); len(x.steps) == 2*maxTransitions {
				x.steps = slices.Delete(x.steps, 0, maxTransitions)
				x.older += maxTransitions
			}
		}
	}
	if over := len(x.steps) - maxTransitions; over > 0 {
		x.steps, x.older = x.steps[over:], x.older+over
	}
	if x.user = u; !x.past {
		x.user = x.stored
	}
	if x.user.Version > 0 {
		return nil
	}
	return &connector.Error{
		Kind: connector.NotFound, Op: "explain",
		Err: fmt.Errorf("%s did not exist at %s: it was created at %s",
			x.stored.Profile.Subject(), timeText(x.at), timeText(x.stored.CreatedAt)),
		Hint: "ask for an instant after that",
	}
}

func (x *explainer) loadLinks(ctx context.Context) error {
	links, err := x.p.o.Store.LinksOfUsers(ctx, x.org.ID, []connector.ID{x.stored.ID})
	if err != nil {
		return err
	}
	order := policy.Owners(x.org, "", sourcesOf(links))
	slices.SortStableFunc(links, func(a, b connector.Link) int {
		return slices.Index(order, a.Source) - slices.Index(order, b.Source)
	})
	x.links = links
	says := map[string]connector.Standing{}
	for _, l := range links {
		says[l.Source] = l.Standing
		profile := l.Profile
		if profile == nil { // the only link
			profile = x.stored.Profile
		}
		x.offers = append(x.offers, policy.Contribution{Source: l.Source, Profile: profile, Package: l.Package})
	}
	x.counting = counting(x.org, x.offers, says)
	x.says, x.saysSrc = verdict(x.org, says)
	return nil
}

func sourcesOf(links []connector.Link) []string {
	var out []string
	for _, l := range links {
		out = append(out, l.Source)
	}
	return out
}

// loadDomain finds the entry that verifies the domain of the primary address, else one of ours that waits
// for its proof.
func (x *explainer) loadDomain(ctx context.Context) error {
	name, ok := policy.EmailDomain(x.user.Profile.Get(connector.Email))
	if !ok {
		return nil
	}
	up := connector.ParentDomains(name)
	entries, err := x.p.o.Store.DomainsByName(ctx, up)
	if err != nil {
		return err
	}
	x.domain = &ExplainedDomain{Name: name, Elsewhere: standing(x.org.ID, name, entries).ClaimedElsewhere}
	for _, n := range up {
		for _, d := range entries {
			if d.Name != n || d.Org != x.org.ID || d.AddedAt.After(x.at) {
				continue
			}
			proven := d.Verified() && !d.VerifiedAt.After(x.at)
			if x.domain.Verified || x.domain.Entry != "" && !proven {
				continue
			}
			x.domain.Entry, x.domain.Verified, x.domain.LastError = d.Name, proven, d.LastError
			if proven {
				x.domain.Since = d.VerifiedAt.UTC()
			}
		}
	}
	return nil
}

// loadSeats reads the seats, and the place of the person on a waiting list.
func (x *explainer) loadSeats(ctx context.Context) (err error) {
	if x.past {
		return nil
	}
	if x.seats, err = x.p.seats(ctx); err != nil {
		return err
	}
	mine := map[connector.Anchor]string{}
	for _, l := range x.links {
		mine[l.Anchor] = l.Source
	}
	for _, s := range x.seats {
		if s.Waiting == 0 || x.waiting != nil {
			continue
		}
		list, err := x.p.o.Store.Waiting(ctx, x.org.ID, s.Package, maxPlace)
		if err != nil {
			return err
		}
		for i, w := range list {
			if w.Record != nil && mine[w.Record.Anchor] == w.Source && w.Source != "" {
				x.waiting = &WaitingPlace{Package: s.Package, Place: i + 1, Since: w.Since.UTC()}
				break
			}
		}
	}
	return nil
}

func (x *explainer) loadItems(ctx context.Context) error {
	items, _, err := x.p.o.Store.OpenItems(ctx, connector.ItemQuery{Org: x.org.ID, About: x.stored})
	for _, i := range items {
		if i.FirstSeen.After(x.at) {
			continue
		}
		x.items = append(x.items, i)
		if i.Reason == connector.NoSeat && x.waiting == nil && !x.past {
			x.waiting = &WaitingPlace{Package: i.Package}
		}
	}
	return err
}

func (x *explainer) loadFacts(ctx context.Context) (err error) {
	x.facts, err = x.p.adminFacts(ctx, x.p.o.Store, x.user)
	if x.past {
		x.facts.DomainVerified = x.domain != nil && x.domain.Verified
	}
	return err
}

// loadRuns reads the runs behind the transitions. One that is not kept any more is none.
func (x *explainer) loadRuns(ctx context.Context) error {
	for _, s := range x.steps {
		id := s.event.Cause.Run
		if _, known := x.runs[id]; known || id.IsZero() {
			continue
		}
		run, err := x.p.o.Store.Run(ctx, id)
		if err != nil && connector.KindOf(err) != connector.NotFound {
			return err
		}
		x.runs[id] = run
	}
	return nil
}

// explain puts the answer together.
func (x *explainer) explain() *Explanation {
	u := x.user
	return &Explanation{
		Org: x.org.ID, At: x.at.UTC(), Past: x.past, User: u.ID, Subject: x.subject(), State: u.State, Version: u.Version,
		CreatedAt: u.CreatedAt.UTC(), PendingApproval: u.PendingApproval, Older: x.older, Domain: x.domain,
		Why: x.why(), SignIn: x.signIn(), Deactivated: x.deactivated(), Package: x.pkg(), Local: x.local(),
		Attributes: x.attributes(), Records: x.records(), Transitions: x.transitions(), Failures: x.failures(), Ways: x.ways(),
	}
}

// subject names the user; a tombstone keeps its user name.
func (x *explainer) subject() string {
	if s := x.user.Profile.Subject(); s != "" {
		return s
	}
	return x.user.ID.String()
}
