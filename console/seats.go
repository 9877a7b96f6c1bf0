package console

import (
	"context"
	"html/template"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/console/chart"
)

// SeatStore is what the pages about seats read.
type SeatStore interface {
	SeatDays(ctx context.Context, org, pkg string, since time.Time) ([]connector.SeatDay, error)
	Queue(ctx context.Context, org, pkg string, after connector.ID, limit int) ([]connector.Queued, error)
}

func (s *Server) seats() {
	s.page("/seats", see, (*visit).packages)
	s.body("seats", packagesPage{})
	s.page("/seats/{package}", see, (*visit).pkg)
	s.body("package", packagePage{})
	s.page("/seats/{package}/waiting.csv", export, (*visit).exportQueue)
}

// packagesPage are all packages.
type packagesPage struct{ Rows []packageRow }

// packageRow is how full one package is.
type packageRow struct {
	Address, Name     string
	Users             string // address of the list of who has one
	Total, Used, Free string
	Share             int // percent; -1 = unlimited
	Waiting           int
	Forecast          pill
}

const (
	// chartDays is how much of the past a chart shows, and foreseen how much of what is to come at most.
	chartDays = 90
	foreseen  = 30
)

func (v *visit) packages() {
	counts, err := v.s.o.Store.Seats(v.r.Context(), v.id())
	var p packagesPage
	for i := 0; i < len(counts) && err == nil; i++ {
		var days []connector.SeatDay
		if days, err = v.seatDays(counts[i].Package); err == nil {
			p.Rows = append(p.Rows, v.packageRow(counts[i], days))
		}
	}
	if err != nil {
		v.accident("seats", err)
		return
	}
	v.show(http.StatusOK, "seats", frame{Title: v.t("nav.seats", nil), State: v.t("seats.state", nil)}, p)
}

func (v *visit) seatDays(pkg string) ([]connector.SeatDay, error) {
	return v.s.o.Store.SeatDays(v.r.Context(), v.id(), pkg, v.now.AddDate(0, 0, -chartDays))
}

func (v *visit) packageRow(n connector.SeatCount, days []connector.SeatDay) packageRow {
	row := packageRow{
		Address: v.link("/seats/" + n.Package), Users: v.link("/users", "package", n.Package, "active", "any"), Name: n.Name, Used: v.number(n.Used),
		Total: v.t("seats.unlimited", nil), Free: v.t("seats.unlimited", nil), Share: -1, Waiting: n.Waiting, Forecast: v.forecast(n, days),
	}
	if row.Name == "" {
		row.Name = n.Package
	}
	if n.Seats != connector.Unlimited {
		row.Total, row.Free, row.Share = v.number(n.Seats), v.number(n.Free()), 100
		if n.Seats > 0 {
			row.Share = min(100*n.Used/n.Seats, 100)
		}
	}
	return row
}

// forecast says when a package is full where it goes on as of late.
func (v *visit) forecast(n connector.SeatCount, days []connector.SeatDay) pill {
	perDay, known := connector.SeatTrend(days)
	in, fills := n.FullIn(perDay)
	switch _, configured := v.org.Settings.Package(n.Package); {
	case !configured:
		return pill{v.t("seats.gone", nil), "off"}
	case n.Seats == connector.Unlimited:
		return pill{v.t("seats.endless", nil), "good"}
	case n.Used > n.Seats:
		return pill{v.s.pages.Count(v.lang, "seats.over", n.Used-n.Seats), "bad"}
	case n.Free() == 0:
		return pill{v.t("seats.full", nil), "bad"}
	case !known:
		return pill{v.t("seats.early", nil), "off"}
	case !fills:
		return pill{v.t("seats.lasts", nil), "good"}
	case in <= foreseen:
		return pill{v.s.pages.Count(v.lang, "seats.in", in), "warn"}
	}
	return pill{v.s.pages.Count(v.lang, "seats.in", in), "info"}
}

// packagePage is one package with who waits for a seat of it.
type packagePage struct {
	packageRow
	Inactive string // how many of the seats inactive people hold; "" = they hold none
	Reclaim  string // address of the list of them
	Over     bool   // more are used than there are
	Chart    template.HTML
	Next     *nextSeats // nil = seats never run out
	Rows     []queueRow
	Export   string // address
	Pager    pager
}

// queueRow is a place on a waiting list.
type queueRow struct {
	Place          string // number of it; "" behind the first page, where it is not counted
	Person, Source string
	Address        string // of the failure; "" = it was dismissed
	User           string // address of the account; "" = there is none
	Waits          pill
	Since, Asked   *instant
}

// thePackage is the package that the path names, and answers where there is none.
func (v *visit) thePackage() (connector.SeatCount, bool) {
	counts, err := v.s.o.Store.Seats(v.r.Context(), v.id())
	if err != nil {
		v.accident("seats", err)
		return connector.SeatCount{}, false
	}
	i := slices.IndexFunc(counts, func(n connector.SeatCount) bool { return n.Package == v.r.PathValue("package") })
	if i < 0 {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return connector.SeatCount{}, false
	}
	return counts[i], true
}

func (v *visit) pkg() {
	n, ok := v.thePackage()
	if !ok {
		return
	}
	days, err := v.seatDays(n.Package)
	p := packagePage{packageRow: v.packageRow(n, days), Over: n.Seats != connector.Unlimited && n.Used > n.Seats, Export: v.link("/seats/" + n.Package + "/waiting.csv")}
	if err == nil {
		p.Chart, err = v.seatChart(n, days).HTML()
	}
	if err == nil {
		p.Next, err = v.nextSeats(n)
	}
	if err == nil {
		err = v.fillQueue(&p, n)
	}
	if err == nil && v.org.Settings.InactiveHoldsSeat {
		err = v.reclaimable(&p, n.Package)
	}
	if err != nil {
		v.accident("seats", err)
		return
	}
	v.show(http.StatusOK, "package", frame{Title: p.Name, Crumbs: []crumb{{v.t("nav.seats", nil), v.link("/seats")}}}, p)
}

// reclaimable counts the inactive people who hold a seat, as far as is counted.
func (v *visit) reclaimable(p *packagePage, pkg string) error {
	q := connector.UserQuery{Org: v.id(), Package: pkg, State: connector.Inactive, Limit: maxCounted + 1}
	list, _, err := v.s.o.Store.ListUsers(v.r.Context(), q)
	p.Inactive, p.Reclaim = atMost(len(list)), v.link("/users", "package", pkg, "state", string(connector.Inactive))
	return err
}

// seatChart draws the last days, with what is to come where it goes on like that.
func (v *visit) seatChart(n connector.SeatCount, days []connector.SeatDay) *chart.Figure {
	if len(days) < 2 { // no line goes through one day
		return &chart.Figure{Kind: "line", Summary: v.t("seats.chart.none", nil)}
	}
	if last := &days[len(days)-1]; last.Day.Equal(v.now.UTC().Truncate(24 * time.Hour)) { // counted once a day: today is as it is now
		last.Used, last.Seats, last.Waiting = n.Used, n.Seats, n.Waiting
	}
	l := &chart.Lines{Last: true, Limit: float64(max(n.Seats, 0))}
	table := chart.Table{Title: v.t("seats.chart.numbers", nil)}
	for _, key := range []string{"day", "used", "total", "waiting"} {
		table.Columns = append(table.Columns, v.t("seats."+key, nil))
	}
	for i, d := range days {
		for gap := 1; i > 0 && gap < int(d.Day.Sub(days[i-1].Day).Hours()/24); gap++ { // nobody has counted: as the day before
			l.Values = append(l.Values, float64(days[i-1].Used))
		}
		l.Values = append(l.Values, float64(d.Used))
	}
	for _, d := range slices.Backward(days) {
		total := v.t("seats.unlimited", nil)
		if d.Seats != connector.Unlimited {
			total = v.number(d.Seats)
		}
		table.Rows = append(table.Rows, chart.Row{Cells: []string{d.Day.Format(time.DateOnly), v.number(d.Used), total, v.number(d.Waiting)}})
	}
	last := days[len(days)-1]
	perDay, known := connector.SeatTrend(days)
	for i := 1; known && i <= min(foreseen, len(l.Values)); i++ {
		next := float64(last.Used) + perDay*float64(i)
		if n.Seats != connector.Unlimited {
			next = min(next, max(float64(n.Seats), float64(last.Used)))
		}
		l.Forecast = append(l.Forecast, max(next, 0))
	}
	f, top := chart.Line(l)
	f.Table, f.Top = table, v.number(int(math.Ceil(top)))
	f.From, f.To = days[0].Day.Format(time.DateOnly), last.Day.AddDate(0, 0, len(l.Forecast)).Format(time.DateOnly)
	f.Summary = v.t("seats.chart.summary", map[string]string{"Used": v.number(last.Used), "Since": v.number(days[0].Used), "Day": f.From})
	f.Legend = []chart.Key{{Class: "value", Name: v.t("seats.used", nil)}}
	if len(l.Forecast) > 0 {
		f.Legend = append(f.Legend, chart.Key{Class: "forecast", Name: v.t("seats.chart.forecast", nil)})
	}
	if l.Limit > 0 {
		f.Legend = append(f.Legend, chart.Key{Class: "limit", Name: v.t("seats.total", nil)})
	}
	return f
}

// fillQueue reads a page of the waiting list.
func (v *visit) fillQueue(p *packagePage, n connector.SeatCount) error {
	from, err := v.afterID()
	if err != nil {
		return err
	}
	list, err := v.s.o.Store.Queue(v.r.Context(), v.id(), n.Package, from, perPage+1)
	next := ""
	if len(list) > perPage {
		list = list[:perPage]
		next = list[perPage-1].ID.String()
	}
	for i := range list {
		row := v.queueRow(&list[i])
		if from.IsZero() {
			row.Place = strconv.Itoa(i + 1)
		}
		p.Rows = append(p.Rows, row)
	}
	p.Pager = v.pager(next, len(list))
	return err
}

func (v *visit) queueRow(q *connector.Queued) queueRow {
	f := frame{v: v}
	row := queueRow{
		Person: v.personal(queuedName(q)), Source: q.Source, Since: f.At(q.Since), Asked: f.At(q.Asked),
		Waits: pill{v.t("seats.waits.seat", nil), "wait"},
	}
	if provision.Lapsed(v.org.Settings, q.Waiter, v.now) {
		row.Waits = pill{v.t("seats.waits.lapsed", nil), "off"}
	}
	if q.Ref != "" {
		row.Address = v.link("/failures/" + q.Ref)
	}
	if !q.User.IsZero() {
		row.User = v.link("/users/" + q.User.String())
	}
	return row
}

// queuedName is how people know somebody who waits.
func queuedName(q *connector.Queued) string {
	switch {
	case q.Subject != "":
		return q.Subject
	case q.Record.DN != "":
		return q.Record.DN
	}
	return q.Record.Anchor.String()
}

// exportQueue sends the whole waiting list.
func (v *visit) exportQueue() {
	n, ok := v.thePackage()
	if !ok {
		return
	}
	v.sheet("waiting_"+n.Package, "waiting list "+n.Package, []string{"place", "person", "source", "package", "since", "last_asked", "ref", "user_id"},
		func(yield func([]string, error) bool) {
			place, from := 0, connector.ID{}
			for {
				list, err := v.s.o.Store.Queue(v.r.Context(), v.id(), n.Package, from, exportStep)
				if err != nil {
					yield(nil, err)
					return
				}
				for i := range list {
					q := &list[i]
					place++
					user := ""
					if !q.User.IsZero() {
						user = q.User.String()
					}
					if !yield([]string{
						strconv.Itoa(place), v.personal(queuedName(q)), q.Source, n.Package, q.Since.UTC().Format(time.RFC3339), q.Asked.UTC().Format(time.RFC3339), q.Ref, user,
					}, nil) {
						return
					}
				}
				if len(list) < exportStep {
					return
				}
				from = list[len(list)-1].ID
			}
		})
}

// exportStep is how many rows of a list are read at once for a file.
const exportStep = 500
