package notice

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"usherd/connector"
)

const (
	// look is how often it is looked for what is to be told or delivered.
	look = 2 * time.Second
	// lookAround is how often it is looked at what lasts.
	lookAround = time.Minute
	// batch is how many are taken at once.
	batch = 1000
)

// Store is what a Reporter reads and writes.
type Store interface {
	UntoldRuns(ctx context.Context, limit int) ([]connector.UntoldRun, error)
	Outcomes(ctx context.Context, run, after connector.ID, limit int) ([]connector.Outcome, error)
	NoticeMarks(ctx context.Context, org string) ([]connector.NoticeMark, error)
	DueDeliveries(ctx context.Context, channel connector.Channel, now time.Time, limit int) ([]connector.Delivery, error)
	Write(ctx context.Context, f func(connector.Tx) error) error
}

// Target is a recipient of mails or a webhook.
type Target struct {
	Name          string // unique among all
	Channel       connector.Channel
	Organizations []string               // nil = all
	Events        []connector.NoticeKind // nil = all

	// Of a recipient.
	Email    string
	Language string        // "" = that of the organization
	Every    time.Duration // between two mails about what is not urgent

	// Of a webhook.
	URL    string
	Secret Secret
}

// Wants reports whether the target is to be told of notices of a kind in an organization.
func (t *Target) Wants(org string, kind connector.NoticeKind) bool {
	return (t.Organizations == nil || slices.Contains(t.Organizations, org)) && (t.Events == nil || slices.Contains(t.Events, kind))
}

// Settings are what may change while a Reporter works.
type Settings struct {
	Organizations []string // ids of those that are configured
	Targets       []Target
	Console       string // its public address without a slash at the end; "" = there is none
}

func (s *Settings) target(name string, channel connector.Channel) *Target {
	for i := range s.Targets {
		if t := &s.Targets[i]; t.Name == name && t.Channel == channel {
			return t
		}
	}
	return nil
}

// Options are what a Reporter works with.
type Options struct {
	Store    Store
	Settings func() Settings // those in force
	// Conditions are how everything is that lasts, all at once: what is not among them is in order, or gone.
	Conditions func(context.Context) ([]Condition, error)
	Now        func() time.Time
	Log        *zap.Logger
	Metrics    *Metrics
}

// Reporter tells administrators. Serve and Once are for one at a time.
type Reporter struct {
	o      Options
	looked time.Time // at what lasts
}

// New returns a Reporter.
func New(o Options) *Reporter { return &Reporter{o: o} }

// Serve tells until ctx ends, which holds the lease. A receiver that is slow keeps nobody else waiting.
func (r *Reporter) Serve(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return r.repeat(ctx, r.Tell) })
	g.Go(func() error { return r.repeat(ctx, r.Push) })
	return g.Wait()
}

func (r *Reporter) repeat(ctx context.Context, f func(context.Context) error) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			r.o.Log.Error("administrators cannot be told", zap.Error(err), zap.String("what_to_do", connector.HintOf(err)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Tell finds out what is to be told, and writes the mails that are due.
func (r *Reporter) Tell(ctx context.Context) error {
	s := r.o.Settings()
	err := r.tellRuns(ctx, &s)
	if now := r.o.Now(); len(s.Targets) > 0 && now.Sub(r.looked) >= lookAround {
		r.looked = now
		err = errors.Join(err, r.tellConditions(ctx, &s))
	}
	return errors.Join(err, r.write(ctx, &s))
}

// fact is something to be told.
type fact struct {
	kind connector.NoticeKind
	data connector.NoticeData
}

// put puts facts on their way to whoever wants them.
func (r *Reporter) put(ctx context.Context, tx connector.Tx, s *Settings, org string, facts []fact, marks marks) error {
	now := r.o.Now()
	for _, f := range facts {
		n := connector.Notice{ID: connector.NewID(now), Org: org, Kind: f.kind, At: now, Data: f.data}
		for i := range s.Targets {
			t := &s.Targets[i]
			if !t.Wants(org, f.kind) {
				continue
			}
			if err := tx.PutDelivery(ctx, delivery(n, t, due(now, t, f.kind, marks))); err != nil {
				return err
			}
		}
	}
	return nil
}

func delivery(n connector.Notice, t *Target, due time.Time) connector.Delivery {
	return connector.Delivery{ID: connector.NewID(n.At), Notice: n, Channel: t.Channel, Target: t.Name, Next: due}
}

// due is when a notice goes: at once, or with the next mail to the recipient.
func due(now time.Time, t *Target, kind connector.NoticeKind, marks marks) time.Time {
	if t.Channel != connector.ByMail || kind.Urgent() {
		return now
	}
	if next := marks[mailTopic(t.Name)].At.Add(t.Every); next.After(now) {
		return next
	}
	return now
}

func mailTopic(target string) string { return "mail/" + target }

// marks are what is remembered of an organization, by topic.
type marks map[string]connector.NoticeMark

func (r *Reporter) marks(ctx context.Context, org string) (marks, error) {
	list, err := r.o.Store.NoticeMarks(ctx, org)
	m := make(marks, len(list))
	for _, k := range list {
		m[k.Topic] = k
	}
	return m, err
}

// Test puts one notice of each kind that the target wants on its way to it, in an organization.
func Test(ctx context.Context, tx connector.Tx, t *Target, org string, now time.Time) (n int, err error) {
	for _, f := range samples(now) {
		if !t.Wants(org, f.kind) {
			continue
		}
		f.data.Test = true
		notice := connector.Notice{ID: connector.NewID(now), Org: org, Kind: f.kind, At: now, Data: f.data}
		if err := tx.PutDelivery(ctx, delivery(notice, t, now)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
