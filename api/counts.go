package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
)

// CountStore is what the door reads of numbers. store.DB is one.
type CountStore interface {
	CountUsers(ctx context.Context, org string) (map[connector.State]int, error)
	// CountUsersOf counts whom one filter chooses, up to so many.
	CountUsersOf(ctx context.Context, q connector.UserQuery, most int) (n int, more bool, err error)
	SeenItems(ctx context.Context, org string, since time.Time) ([]connector.ItemCount, error)
	CountAttempts(ctx context.Context, org, source string, since time.Time, most int) (connector.AttemptCounts, error)
}

func (s *Server) counts() {
	route(s, operation{
		id: "getCounts", method: http.MethodGet, path: "/counts", scope: connector.APIRead, tag: organizationTag,
		summary: "Show the numbers that stand above lists: users, failures, subscribers, mails, sign-ins",
		about:   "States, subscribers and failures are counted whole; what is counted row by row says with more that it was left off.",
	}, s.getCounts)
}

const (
	mostUsersCounted   = 1000
	mostSignInsCounted = 2000
)

// Counts are the numbers of an organization.
type Counts struct {
	Users       UserCounts                         `json:"users"`
	Failures    []FailureCount                     `json:"failures" doc:"Open ones, the most frequent first."`
	Subscribers map[connector.SubscriberStatus]int `json:"subscribers" doc:"By status; those without any are left out."`
	Mails       map[connector.MailState]int        `json:"mails" doc:"Of the outbox, by state."`
	SignIns     map[string]SignInCount             `json:"sign_ins" doc:"Within 24 hours, by identity provider."`
}

// UserCounts are how many users each filter of listUsers chooses.
type UserCounts struct {
	States   map[connector.State]int `json:"states" doc:"Those without any are left out."`
	Packages map[string]Count        `json:"packages" doc:"By package."`
	Sources  map[string]Count        `json:"sources" doc:"By source that has a record of them."`
	Failing  Count                   `json:"failing" doc:"Of whom a failure is open."`
	Leaving  Count                   `json:"leaving" doc:"Whom the end of a grace period deletes."`
}

// Count is a number that was counted up to a limit.
type Count struct {
	Count int  `json:"count"`
	More  bool `json:"more,omitempty" doc:"There are more than that."`
}

// FailureCount is how many failures of a number and reason are open.
type FailureCount struct {
	Code   int              `json:"code" example:"31"`
	Title  string           `json:"title" example:"Auto account creation failed (31)"`
	Reason connector.Reason `json:"reason" example:"no_seat"`
	Count  int              `json:"count"`
	Latest time.Time        `json:"last_seen"`
}

// SignInCount is how often people signed in by an identity provider, and were refused.
type SignInCount struct {
	Attempts int  `json:"attempts"`
	Refused  int  `json:"refused"`
	More     bool `json:"more,omitempty" doc:"There are more attempts; the latest were counted."`
}

type countsOutput struct{ Body Counts }

func (s *Server) getCounts(ctx context.Context, c *call, _ *OrgPath) (*countsOutput, error) {
	x := Counts{Failures: []FailureCount{}, Mails: map[connector.MailState]int{}, SignIns: map[string]SignInCount{}}
	var err error
	if x.Users, err = s.userCounts(ctx, c); err != nil {
		return nil, err
	}
	if x.Subscribers, err = s.o.Store.CountSubscribers(ctx, c.id(), ""); err != nil {
		return nil, err
	}
	items, err := s.o.Store.SeenItems(ctx, c.id(), time.Time{})
	if err != nil {
		return nil, err
	}
	for _, n := range items {
		x.Failures = append(x.Failures, FailureCount{int(n.Code), s.catalogue.Title(n.Code, c.lang), n.Reason, n.Count, n.Latest.UTC()})
	}
	for _, state := range connector.MailStates() {
		if x.Mails[state], err = s.o.Store.CountMails(ctx, c.id(), state); err != nil {
			return nil, err
		}
	}
	for id := range c.org.SignOns {
		n, err := s.o.Store.CountAttempts(ctx, c.id(), id, s.now().Add(-24*time.Hour), mostSignInsCounted)
		if err != nil {
			return nil, err
		}
		x.SignIns[id] = SignInCount{n.Attempts, n.Refused, n.Attempts == mostSignInsCounted}
	}
	return &countsOutput{x}, nil
}

func (s *Server) userCounts(ctx context.Context, c *call) (x UserCounts, err error) {
	x.Packages, x.Sources = map[string]Count{}, map[string]Count{}
	if x.States, err = s.o.Store.CountUsers(ctx, c.id()); err != nil {
		return x, err
	}
	count := func(q connector.UserQuery) Count {
		if err != nil {
			return Count{}
		}
		q.Org = c.id()
		var n Count
		n.Count, n.More, err = s.o.Store.CountUsersOf(ctx, q, mostUsersCounted)
		return n
	}
	for _, p := range c.org.Settings.Packages {
		x.Packages[p.ID] = count(connector.UserQuery{Package: p.ID})
	}
	for i := range c.org.Settings.Sources {
		id := c.org.Settings.Sources[i].ID
		x.Sources[id] = count(connector.UserQuery{Source: id})
	}
	x.Failing, x.Leaving = count(connector.UserQuery{Failing: true}), count(connector.UserQuery{Leaving: true})
	return x, err
}
