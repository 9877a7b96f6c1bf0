// Package clients tells how the identity providers are that push by SCIM: which dialect they speak, what they asked, and how
// long their tokens last. Command line, API and console show the same.
package clients

import (
	"context"
	"time"

	"usherd/connector"
)

// Store is what is read.
type Store interface {
	ClientProfile(ctx context.Context, org, source string) (connector.ClientProfile, error)
	Requests(ctx context.Context, q connector.RequestQuery) ([]connector.Request, error)
	CountRequests(ctx context.Context, org, source string, since time.Time) (connector.RequestCounts, error)
	Quirks(ctx context.Context, org, source string) ([]connector.QuirkCount, error)
	Tokens(ctx context.Context, f connector.TokenFilter) ([]connector.Token, error)
}

// Settings are what the configuration says of a source that pushes.
type Settings struct {
	Profile     string        // of the dialect; Auto = it is recognised
	KeepLog     time.Duration // 0 = its requests are not logged
	LogBodies   bool
	Rate, Burst int // requests a second for long, and at once
	Concurrency int // requests at a time
}

// Auto is the profile of a client whose dialect is recognised, and Generic the one of whom is not recognised yet.
const (
	Auto    = "auto"
	Generic = "generic"
)

// Client is how a source that pushes is. What is not known is null.
type Client struct {
	Org         string                 `json:"org"`
	Source      string                 `json:"source"`
	Profile     string                 `json:"profile" doc:"The dialect in force."`
	Why         string                 `json:"profile_why"`
	Last        *time.Time             `json:"last_request"`
	LastStatus  int                    `json:"last_status,omitempty"`
	Requests    int                    `json:"requests_24h"`
	Errors      int                    `json:"errors_24h" doc:"Of them, answered with 400 and above."`
	Rate        int                    `json:"rate" doc:"How many requests a second it may send for long."`
	Burst       int                    `json:"burst" doc:"How many it may send at once."`
	Concurrency int                    `json:"concurrency" doc:"How many of its requests are answered at a time."`
	Keeps       string                 `json:"log_keep" doc:"0s: nothing is logged."`
	Bodies      bool                   `json:"log_bodies"`
	Quirks      []connector.QuirkCount `json:"quirks" doc:"Which leniencies it has needed."`
	Tokens      []ClientToken          `json:"tokens"`
}

// ClientToken is a token that a client may have: revoked ones are left out.
type ClientToken struct {
	ID       string                  `json:"id"`
	Kind     connector.TokenKind     `json:"kind"`
	Name     string                  `json:"name,omitempty"`
	Standing connector.TokenStanding `json:"standing"`
	Ends     *time.Time              `json:"ends"`
	LastUsed *time.Time              `json:"last_used"`
}

// day is over which requests are counted.
const day = 24 * time.Hour

// Of tells how a client is at that time.
func Of(ctx context.Context, db Store, org, source string, s Settings, now time.Time) (Client, error) {
	c := Client{
		Org: org, Source: source, Keeps: connector.Duration(s.KeepLog).String(), Bodies: s.LogBodies, Rate: s.Rate, Burst: s.Burst, Concurrency: s.Concurrency,
		Quirks: []connector.QuirkCount{}, Tokens: []ClientToken{},
	}
	recognised, err := db.ClientProfile(ctx, org, source)
	if err != nil {
		return c, err
	}
	switch {
	case s.Profile != Auto:
		c.Profile, c.Why = s.Profile, "set in the configuration"
	case recognised.Profile != "":
		c.Profile, c.Why = recognised.Profile, "recognised: "+recognised.Why
	default:
		c.Profile, c.Why = Generic, "not recognised yet"
	}
	if err := c.asked(ctx, db, now); err != nil {
		return c, err
	}
	return c, c.tokens(ctx, db, now)
}

// asked fills in what the log of requests tells.
func (c *Client) asked(ctx context.Context, db Store, now time.Time) error {
	last, err := db.Requests(ctx, connector.RequestQuery{Org: c.Org, Source: c.Source, Limit: 1})
	if err != nil {
		return err
	}
	if len(last) > 0 {
		c.Last, c.LastStatus = when(last[0].At), last[0].Status
	}
	counts, err := db.CountRequests(ctx, c.Org, c.Source, now.Add(-day))
	if err != nil {
		return err
	}
	c.Requests, c.Errors = counts.Requests, counts.Errors
	quirks, err := db.Quirks(ctx, c.Org, c.Source)
	c.Quirks = append(c.Quirks, quirks...)
	return err
}

func (c *Client) tokens(ctx context.Context, db Store, now time.Time) error {
	list, err := db.Tokens(ctx, connector.TokenFilter{Org: c.Org, Source: c.Source, Kinds: connector.LastingKinds()})
	for _, k := range list {
		if standing := k.StandingAt(now); standing != connector.TokenRevoked {
			c.Tokens = append(c.Tokens, ClientToken{ID: k.ID.String(), Kind: k.Kind, Name: k.Name, Standing: standing, Ends: when(k.EndsAt), LastUsed: when(k.LastUsed)})
		}
	}
	return err
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
