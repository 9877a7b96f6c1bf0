package console

import (
	"context"
	"html/template"
	"net/http"
	"slices"
	"time"

	"usherd/connector"
	"usherd/console/chart"
)

// OverviewStore is what the overview reads.
type OverviewStore interface {
	CountUsers(ctx context.Context, org string) (map[connector.State]int, error)
	Seats(ctx context.Context, org string) ([]connector.SeatCount, error)
	OpenHolds(ctx context.Context, org, source string) ([]*connector.Run, error)
	Runs(ctx context.Context, f connector.RunFilter) ([]*connector.Run, error)
	OpenItems(ctx context.Context, q connector.ItemQuery) (items []connector.OpenItem, next string, err error)
	SeenItems(ctx context.Context, org string, since time.Time) ([]connector.ItemCount, error)
	ClaimsDue(ctx context.Context, org string, until time.Time, limit int) ([]connector.Claim, error)
}

func (s *Server) overview() {
	s.page("/{$}", see, (*visit).overview)
	s.body("overview", overviewPage{})
	s.waits("/approvals", (*visit).decisions)
	s.waits("/failures", (*visit).openFailures)
}

// overviewPage is the first page.
type overviewPage struct {
	People  []tile
	Seats   []tile
	Waiting []tile
	Sources []sourceCard
	Seen    []seenRow // failures of the last 24 hours
	Coming  []comingRow
	Doors   []doorRow   // sign-ons and pushes of the last 24 hours
	First   []firstStep // what to do until the first run; none once there was one
}

// sourceCard is one source at a glance.
type sourceCard struct {
	ID, Kind string
	Address  string
	Pill     pill
	Run      *runLine // the last one; nil = none yet
	Running  bool
	Chart    template.HTML
	Next     *instant // when it is read by itself; nil = that is not known
	// RunNow and Preview are addresses; "" = this administrator starts none, or nothing can be read.
	RunNow, Preview string

	kind           connector.SourceKind
	ran, previewed bool // it was read in full, or looked at
}

// runLine is a run in one line.
type runLine struct {
	Address string
	At      *instant
	Took    string
	Counts  connector.Counts
	Error   string
}

// stripLength is how many runs a strip shows.
const stripLength = 60

// overviewEvery is after how many seconds the overview is asked for again while a run goes on.
const overviewEvery = 10

func (v *visit) overview() {
	var p overviewPage
	for _, fill := range []func(*overviewPage) error{v.people, v.seats, v.waiting, v.sources, v.seen, v.coming, v.doors} {
		if err := fill(&p); err != nil {
			v.accident("overview", err)
			return
		}
	}
	p.First = v.firstSteps(p.Sources)
	f := frame{Title: v.t("nav.overview", nil)}
	for _, c := range p.Sources {
		if c.Running {
			f.Refresh = overviewEvery
		}
	}
	v.show(http.StatusOK, "overview", f, p)
}

func (v *visit) people(p *overviewPage) error {
	counts, err := v.s.o.Store.CountUsers(v.r.Context(), v.id())
	f := frame{v: v}
	for _, state := range []connector.State{connector.Active, connector.Verified, connector.NotVerified, connector.Inactive, connector.ClaimPending} {
		if state == connector.ClaimPending && counts[state] == 0 {
			continue
		}
		pill := f.StatePill(state)
		p.People = append(p.People, tile{
			Text: pill.Text, Kind: pill.Kind, Number: v.number(counts[state]), Address: v.link("/users", "state", string(state), "active", "any"), Share: -1,
		})
	}
	return err
}

// seatTiles are the packages with what is free of each.
func (v *visit) seatTiles() ([]tile, error) {
	counts, err := v.s.o.Store.Seats(v.r.Context(), v.id())
	var list []tile
	for _, n := range counts {
		t := tile{Text: n.Name, Address: v.link("/users", "package", n.Package, "active", "any"), Share: -1}
		if n.Name == "" {
			t.Text = n.Package
		}
		if n.Seats == connector.Unlimited {
			t.Number, t.Note = v.number(n.Used), v.t("overview.unlimited", nil)
		} else {
			t.Number, t.Share = v.number(n.Free()), 100
			t.Note = v.t("overview.free", map[string]string{"Seats": v.number(n.Seats)})
			if n.Seats > 0 {
				t.Share = min(100*n.Used/n.Seats, 100)
			}
			if n.Free() == 0 {
				t.Kind = "bad"
			}
		}
		if n.Waiting > 0 {
			t.Note += " · " + v.s.pages.Count(v.lang, "overview.queue", n.Waiting)
		}
		list = append(list, t)
	}
	return list, err
}

func (v *visit) seats(p *overviewPage) (err error) {
	p.Seats, err = v.seatTiles()
	return err
}

// waiting is what somebody has to decide.
func (v *visit) waiting(p *overviewPage) error {
	open, err := v.heldRuns()
	if err != nil {
		return err
	}
	pending, err := v.pendingAccounts()
	if err != nil {
		return err
	}
	items, err := v.openFailures()
	if err != nil {
		return err
	}
	for _, w := range []struct {
		key, path string
		n         int
	}{{"held", "/approvals", open}, {"pending", "/users", pending}, {"failures", "/failures", items}} {
		t := tile{Text: v.t("overview."+w.key, nil), Number: atMost(w.n), Share: -1}
		if w.n > 0 {
			t.Kind = "warn"
		}
		switch w.key {
		case "pending":
			t.Address = v.link("/users", "pending", "1", "active", "any")
		default:
			if _, there := v.s.permissionOf(w.path); there {
				t.Address = v.link(w.path)
			}
		}
		p.Waiting = append(p.Waiting, t)
	}
	return nil
}

// heldRuns is how many runs wait for approval.
func (v *visit) heldRuns() (n int, err error) {
	held, err := v.s.o.Store.OpenHolds(v.r.Context(), v.id(), "")
	for _, r := range held {
		if r.Hold.Open(v.now) {
			n++
		}
	}
	return n, err
}

// pendingAccounts is how many accounts wait for approval, as far as is counted.
func (v *visit) pendingAccounts() (int, error) {
	list, _, err := v.s.o.Store.ListUsers(v.r.Context(), connector.UserQuery{Org: v.id(), Pending: true, Limit: maxCounted + 1})
	return len(list), err
}

// openFailures is how many failures are open, as far as is counted.
func (v *visit) openFailures() (int, error) {
	list, _, err := v.s.o.Store.OpenItems(v.r.Context(), connector.ItemQuery{Org: v.id(), Limit: maxCounted + 1})
	return len(list), err
}

// decisions is how many runs and accounts wait for approval.
func (v *visit) decisions() (int, error) {
	held, err := v.heldRuns()
	if err != nil {
		return 0, err
	}
	pending, err := v.pendingAccounts()
	return held + pending, err
}

// sources are those that have runs; of others it is told what came through them.
func (v *visit) sources(p *overviewPage) error {
	for _, x := range v.org.Settings.Sources {
		c, err := v.sourceCard(x)
		if err != nil {
			return err
		}
		if c.Run == nil && x.Kind != connector.Directory && !x.Kind.Brought() {
			continue
		}
		if next := v.nextRun(x.ID); next.After(v.now) {
			c.Next = (&frame{v: v}).At(next)
		}
		p.Sources = append(p.Sources, c)
	}
	return nil
}

// sourceCard tells of a source by its last runs.
func (v *visit) sourceCard(x connector.SourceSettings) (sourceCard, error) {
	c := sourceCard{ID: x.ID, kind: x.Kind, Kind: v.t("words.kind."+string(x.Kind), nil)}
	if _, there := v.s.permissionOf("/sources/{source}"); there {
		c.Address = v.link("/sources/" + x.ID)
	}
	if x.Kind == connector.Directory && v.may(run) {
		c.RunNow, c.Preview = v.link("/runs/start", "what", x.ID+" "+string(connector.ModeFull)), v.link("/runs/start", "what", x.ID+" "+string(connector.ModePreview))
	}
	runs, err := v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Source: x.ID, Limit: stripLength})
	if err != nil {
		return c, err
	}
	if len(runs) == 0 {
		c.Pill = pill{v.t("overview.never", nil), "off"}
		return c, nil
	}
	f := frame{v: v}
	c.Pill, c.Run = f.ResultPill(runs[0].Result), v.runLine(runs[0])
	c.Running = runs[0].Result == connector.ResultRunning
	for _, r := range runs {
		c.ran = c.ran || r.Mode == connector.ModeFull && r.Result != connector.ResultFailed
		c.previewed = c.previewed || r.Mode == connector.ModePreview && r.Result != connector.ResultFailed
	}
	c.Chart, err = v.strip(runs).HTML()
	return c, err
}

// strip draws runs, which come the latest first.
func (v *visit) strip(runs []*connector.Run) *chart.Figure {
	f, ok := frame{v: v}, 0
	beats := make([]chart.Beat, 0, len(runs))
	for _, r := range slices.Backward(runs) {
		if r.Result == connector.ResultOK {
			ok++
		}
		b := chart.Beat{Class: string(r.Result), Title: f.ResultPill(r.Result).Text + ", " + f.At(r.Started).Title, URL: v.runAddress(r)}
		switch r.Result { //nolint:exhaustive // the others are as they should be
		case connector.ResultPartial:
			b.Form = chart.Split
		case connector.ResultHeld:
			b.Form = chart.Raised
		case connector.ResultFailed:
			b.Form = chart.Low
		case connector.ResultCancelled:
			b.Form = chart.Frame
		}
		beats = append(beats, b)
	}
	strip := chart.Strip(stripLength, beats)
	strip.Summary = v.t("overview.strip", map[string]string{"OK": v.number(ok), "All": v.number(len(runs))})
	return strip
}

func (v *visit) runLine(r *connector.Run) *runLine {
	f := frame{v: v}
	l := &runLine{Address: v.runAddress(r), At: f.At(r.Started), Counts: r.Counts, Error: v.told(r.Error)}
	if !r.Finished.IsZero() {
		l.Took = f.Took(r.Finished.Sub(r.Started))
	} else {
		l.Took = f.Took(max(v.now.Sub(r.Started), time.Second))
	}
	return l
}

// runAddress is the page of a run, "" while there is none.
func (v *visit) runAddress(r *connector.Run) string {
	if _, there := v.s.permissionOf("/runs/{run}"); !there {
		return ""
	}
	return v.link("/runs/" + r.ID.String())
}
