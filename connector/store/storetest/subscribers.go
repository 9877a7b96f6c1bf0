package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// subscriber is the n-th one of a template.
func (f *fixture) subscriber(n int, org, template string) *connector.Subscriber {
	at := f.now.Add(time.Duration(n) * time.Second)
	return &connector.Subscriber{
		ID: connector.NewID(at), Org: org, Template: template, Name: fmt.Sprintf("Line%03d@Phones", n), Announced: true,
		Profile: connector.Profile{connector.GivenName: {"Ann"}, connector.Email: {fmt.Sprintf("A%03d@example.com", n)}},
		Given:   connector.Profile{connector.FamilyName: {"Lee"}}, Status: connector.PendingEmailInput, LinksSince: at, CreatedAt: at, UpdatedAt: at,
	}
}

func (f *fixture) putSubscriber(s *connector.Subscriber, events ...connector.SubscriberEvent) error {
	return f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutSubscriber(f.ctx, s, events...) })
}

func (f *fixture) sameSubscribers(got []*connector.Subscriber, want ...*connector.Subscriber) {
	f.Helper()
	f.equal(got, want)
}

func subscribersWritten(f *fixture) {
	s := f.subscriber(1, Org, "phones")
	event := connector.SubscriberEvent{ID: connector.NewID(f.now), At: f.now, What: connector.StepAnnounced, Actor: "test", Status: s.Status}
	f.ok(f.putSubscriber(s, event))
	f.equal(s.Version, int64(1))
	twin := f.subscriber(1, Org, "phones")
	twin.Name = strings.ToUpper(twin.Name)
	if err := f.putSubscriber(twin); !errors.Is(err, connector.ErrMoved) {
		f.Errorf("another one of that name: %v", err)
	}
	stale := *s
	s.Status, s.Email, s.ProvenAt, s.User, s.Tries, s.Package, s.Language = connector.SubscriberError, "b@example.com", f.now, connector.ID{7}, 2, "gold", "sv"
	s.Failure = &connector.Failure{Code: connector.CodeCreation, Reason: connector.RequiredMissing, Fields: []string{connector.UserName}, Ref: "7KQ2-M4ZT", At: f.now, UserID: connector.ID{7}}
	refused := connector.SubscriberEvent{
		ID: connector.NewID(f.now), At: f.now, What: connector.StepRefused, Actor: "portal", Status: s.Status, Email: s.Email, Code: 31, Reason: s.Failure.Reason,
		Detail: "d", Ref: s.Failure.Ref,
	}
	f.ok(f.putSubscriber(s, refused))
	if err := f.putSubscriber(&stale); !errors.Is(err, connector.ErrMoved) {
		f.Errorf("a version that has moved: %v", err)
	}
	got, err := f.s.Subscriber(f.ctx, Org, s.ID)
	f.ok(err)
	f.sameSubscribers([]*connector.Subscriber{got}, s)
	events, err := f.s.SubscriberEvents(f.ctx, Org, s.ID, 0)
	f.ok(err)
	f.equal(events, []connector.SubscriberEvent{refused, event})
	s.Failure = nil
	f.ok(f.putSubscriber(s))
	got, err = f.s.Subscriber(f.ctx, Org, s.ID)
	f.ok(err)
	f.sameSubscribers([]*connector.Subscriber{got}, s)
	_, err = f.s.Subscriber(f.ctx, "third", s.ID)
	f.kind(err, connector.NotFound)
	f.kind(f.putSubscriber(&connector.Subscriber{Org: Org}), connector.Invalid)
	remove := func() error {
		return f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.DeleteSubscriber(f.ctx, s) })
	}
	f.ok(remove())
	f.kind(remove(), connector.NotFound)
	events, err = f.s.SubscriberEvents(f.ctx, Org, s.ID, 0)
	f.ok(err)
	f.equal(len(events), 0)
}

// subscribersFound asks for random subscribers as a naive reading would.
func subscribersFound(f *fixture) {
	seed := rand.Uint64()               //nolint:gosec // for a test
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // for a test
	f.Logf("seed %d", seed)
	statuses := connector.SubscriberStatuses()
	var all []*connector.Subscriber
	f.ok(f.s.Bulk(f.ctx, func(tx connector.Tx) error {
		all = nil
		for n := range 120 {
			s := f.subscriber(n, []string{Org, Org, "other"}[r.IntN(3)], []string{"phones", "chat"}[r.IntN(2)])
			s.Status = statuses[r.IntN(len(statuses))]
			if r.IntN(2) == 0 {
				s.Email = fmt.Sprintf("B%03d@example.com", r.IntN(40))
			}
			if r.IntN(3) == 0 {
				s.User = connector.ID{1, byte(r.IntN(20))} //nolint:gosec // below 20
			}
			if s.Status == connector.SubscriberError {
				s.Failure = &connector.Failure{Code: 31, Reason: []connector.Reason{connector.NoSeat, connector.EmailTaken}[r.IntN(2)], Package: "gold"}
			}
			if err := tx.PutSubscriber(f.ctx, s); err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	}))
	slices.SortFunc(all, func(a, b *connector.Subscriber) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	pick := func(wants func(*connector.Subscriber) bool) []*connector.Subscriber {
		return slices.DeleteFunc(slices.Clone(all), func(s *connector.Subscriber) bool { return s.Org != Org || !wants(s) })
	}
	for range rounds(60) {
		q := connector.SubscriberQuery{
			Org: Org, Template: []string{"", "phones", "chat"}[r.IntN(3)], HideProvisioned: r.IntN(2) == 0, Limit: 1 + r.IntN(30),
			Reason: []connector.Reason{"", "", connector.NoSeat}[r.IntN(3)], Search: []string{"", "", "LINE00", "a01", "b0", "line"}[r.IntN(6)],
		}
		if r.IntN(2) == 0 {
			q.Status = statuses[r.IntN(len(statuses))]
		}
		want := pick(func(s *connector.Subscriber) bool { return chosenSubscriber(q, s) })
		var got []*connector.Subscriber
		for {
			page, next, err := f.s.Subscribers(f.ctx, q)
			f.ok(err)
			if got = append(got, page...); next == "" {
				break
			}
			f.equal(len(page), q.Limit)
			q.After = next
		}
		f.sameSubscribers(got, want...)
	}
	subscribersOneByOne(f, all, pick)
	_, _, err := f.s.Subscribers(f.ctx, connector.SubscriberQuery{Org: Org, After: "x"})
	f.kind(err, connector.Invalid)
}

func subscribersOneByOne(f *fixture, all []*connector.Subscriber, pick func(func(*connector.Subscriber) bool) []*connector.Subscriber) {
	for _, s := range all[:30] {
		list, err := f.s.SubscribersNamed(f.ctx, Org, s.Template, []string{strings.ToUpper(s.Name), "nobody"})
		f.ok(err)
		f.sameSubscribers(list, pick(func(x *connector.Subscriber) bool { return x.Template == s.Template && x.Name == s.Name })...)
		list, err = f.s.SubscribersByEmail(f.ctx, Org, s.Template, strings.ToLower(s.Profile.Get(connector.Email)))
		f.ok(err)
		f.sameSubscribers(list, pick(func(x *connector.Subscriber) bool {
			return x.Template == s.Template && x.Profile.Get(connector.Email) == s.Profile.Get(connector.Email)
		})...)
		if s.Email != "" {
			list, err = f.s.SubscribersByEmail(f.ctx, Org, "", s.Email)
			f.ok(err)
			f.sameSubscribers(list, pick(func(x *connector.Subscriber) bool { return x.Email == s.Email })...)
		}
		list, err = f.s.SubscribersByID(f.ctx, Org, []connector.ID{s.ID, {1, 2, 3}, s.ID})
		f.ok(err)
		f.sameSubscribers(list, pick(func(x *connector.Subscriber) bool { return x.ID == s.ID })...)
		list, err = f.s.SubscribersOfUsers(f.ctx, Org, []connector.ID{s.User, {1, 3}})
		f.ok(err)
		f.sameSubscribers(list, pick(func(x *connector.Subscriber) bool {
			return !x.User.IsZero() && (x.User == s.User || x.User == connector.ID{1, 3})
		})...)
	}
	for _, template := range []string{"", "phones"} {
		want := map[connector.SubscriberStatus]int{}
		for _, s := range pick(func(s *connector.Subscriber) bool { return template == "" || s.Template == template }) {
			want[s.Status]++
		}
		got, err := f.s.CountSubscribers(f.ctx, Org, template)
		f.ok(err)
		f.equal(got, want)
	}
}

// chosenSubscriber is what a query means.
func chosenSubscriber(q connector.SubscriberQuery, s *connector.Subscriber) bool {
	switch {
	case q.Template != "" && s.Template != q.Template,
		q.Status != "" && s.Status != q.Status,
		q.HideProvisioned && s.Status == connector.Provisioned,
		q.Reason != "" && (s.Failure == nil || s.Failure.Reason != q.Reason):
		return false
	}
	for _, text := range []string{s.Name, s.Profile.Get(connector.Email), s.Email} {
		if q.Search == "" || text != "" && strings.HasPrefix(connector.Fold(text), connector.Fold(q.Search)) {
			return true
		}
	}
	return false
}
