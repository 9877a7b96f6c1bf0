package sources_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usherd/connector"
	"usherd/connector/sources"
)

var office = sources.Key{Org: "acme", Source: "office"}

// denies is a directory that does not accept the service account, and counts how often it was asked.
type denies struct{ asked int }

func (d *denies) ask(context.Context) error {
	d.asked++
	return &connector.Error{Kind: connector.Denied, Op: "bind", Err: errors.New("invalid credentials"), Hint: "see directory.bind"}
}

// A service account that is not accepted is not tried again by each who looks at a page: that could lock it.
func TestDeniedIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk, dir := sources.NewDesk(time.Now), &denies{}
		ask := func(want int) {
			t.Helper()
			if err := desk.Ask(t.Context(), office, dir.ask); connector.KindOf(err) != connector.Denied || connector.HintOf(err) == "" {
				t.Errorf("told %v", err)
			}
			if dir.asked != want {
				t.Errorf("asked %d times, want %d", dir.asked, want)
			}
		}
		ask(1)
		ask(1)
		if err := desk.Change(t.Context(), office, dir.ask); connector.KindOf(err) != connector.Denied || dir.asked != 1 {
			t.Errorf("a change: %v, asked %d times", err, dir.asked)
		}
		other := 0
		if err := desk.Ask(t.Context(), sources.Key{Org: "beta", Source: "office"}, func(context.Context) error { other++; return nil }); err != nil || other != 1 {
			t.Errorf("the source of another organization: %v, asked %d times", err, other)
		}
		time.Sleep(time.Hour)
		ask(2)
		desk.Forget() // another configuration
		ask(3)
		if ok, err := desk.Test(t.Context(), office, func(context.Context) (bool, error) { return false, nil }); ok || err != nil {
			t.Errorf("a test that fails: %v %v", ok, err)
		}
		ask(3)
		if ok, err := desk.Test(t.Context(), office, func(context.Context) (bool, error) { return true, nil }); !ok || err != nil {
			t.Errorf("a test that succeeds: %v %v", ok, err)
		}
		ask(4)
	})
}

// A directory that does not answer holds nobody for ever, and says what helps.
func TestSlowDirectories(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := sources.NewDesk(time.Now)
		hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for name, c := range map[string]struct {
			ask  func() error
			most time.Duration
		}{
			"ask": {func() error { return desk.Ask(t.Context(), office, hangs) }, 10 * time.Second},
			"test": {func() error {
				_, err := desk.Test(t.Context(), office, func(ctx context.Context) (bool, error) { return true, hangs(ctx) })
				return err
			}, 30 * time.Second},
			"a test that swallows its end": {func() error {
				_, err := desk.Test(t.Context(), office, func(ctx context.Context) (bool, error) { <-ctx.Done(); return true, nil })
				return err
			}, 30 * time.Second},
		} {
			began := time.Now()
			err := c.ask()
			if took := time.Since(began); took != c.most || connector.KindOf(err) != connector.Unavailable || !strings.Contains(err.Error(), c.most.String()) {
				t.Errorf("%s: after %s %v", name, took, err)
			}
		}
	})
}

// Four ask at a time; who comes then is told so after two seconds, or gets the place of one who has ended.
func TestPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk, end := sources.NewDesk(time.Now), make(chan struct{})
		for range 4 {
			go func() { _ = desk.Change(t.Context(), office, func(context.Context) error { <-end; return nil }) }()
		}
		synctest.Wait()
		began := time.Now()
		nothing := func(context.Context) error { return nil }
		if err := desk.Ask(t.Context(), office, nothing); !errors.Is(err, sources.ErrBusy) || time.Since(began) != 2*time.Second {
			t.Errorf("the fifth: %v after %s", err, time.Since(began))
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := desk.Ask(gone, office, nothing); err == nil {
			t.Error("one who has gone was let in")
		}
		go func() { time.Sleep(time.Second); end <- struct{}{} }()
		if err := desk.Ask(t.Context(), office, nothing); err != nil {
			t.Errorf("after one has ended: %v", err)
		}
		close(end)
		synctest.Wait()
	})
}
