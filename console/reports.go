package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
)

// ReportStore is what the pages about reports to administrators read, and have tried again.
type ReportStore interface {
	Deliveries(ctx context.Context, q connector.DeliveryQuery) ([]connector.Delivery, error)
	Delivery(ctx context.Context, id connector.ID) (connector.Delivery, bool, error)
	RetryDelivery(ctx context.Context, org string, id connector.ID, now time.Time) (bool, error)
	RetryDeliveries(ctx context.Context, org string, now time.Time) (int, error)
}

func (s *Server) reports() {
	s.page("/reports", see, (*visit).reports)
	s.body("reports", reportsPage{})
	s.action("/reports/retry", need{permission: handle}, (*visit).askRetryReports, (*visit).doRetryReports)
	s.action("/reports/{report}/retry", need{permission: handle}, (*visit).askRetryReport, (*visit).doRetryReport)
}

// reportsPage is what administrators were told.
type reportsPage struct {
	To     string
	States []option
	Rows   []reportRow
	Pager  pager
	Retry  string // where all that have failed are tried again; "" = not by who looks
}

// reportRow is one report to one recipient or webhook.
type reportRow struct {
	Event, About string
	Address      string // what it tells of; "" = it has no page
	Test         bool
	To, Channel  string
	OnlyTo       string // the list of this recipient alone
	State        pill
	At, Next     *instant
	Tries        string
	Answer       string
	Retry        string // "" = it needs none, or not by who looks
}

func (v *visit) reports() {
	p := reportsPage{To: v.query("to")}
	state := connector.DeliveryState(v.query("state"))
	if !slices.Contains(connector.DeliveryStates(), state) {
		state = ""
	}
	for _, s := range connector.DeliveryStates() {
		p.States = append(p.States, option{string(s), v.t("reports.is."+string(s), nil), s == state})
	}
	q := connector.DeliveryQuery{Org: v.id(), State: state, Target: p.To, Limit: perPage + 1}
	if q.Before.UnmarshalText([]byte(v.after())) != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	list, err := v.s.o.Store.Deliveries(v.r.Context(), q)
	if err != nil {
		v.accident("reports", err)
		return
	}
	next := ""
	if len(list) > perPage {
		list = list[:perPage]
		next = list[perPage-1].ID.String()
	}
	failed := false
	for i := range list {
		failed = failed || list[i].State == connector.DeliveryFailed
		p.Rows = append(p.Rows, v.reportRow(&list[i]))
	}
	if failed && v.may(handle) {
		p.Retry = v.link("/reports/retry")
	}
	p.Pager = v.pager(next, len(list))
	v.show(http.StatusOK, "reports", frame{Title: v.t("nav.reports", nil), State: v.t("reports.state", nil)}, p)
}

func (v *visit) reportRow(d *connector.Delivery) reportRow {
	f := frame{v: v}
	n := &d.Notice
	kinds := map[connector.DeliveryState]string{connector.DeliveryWaiting: "wait", connector.DeliverySent: "good", connector.DeliveryFailed: "bad"}
	row := reportRow{
		Event: string(n.Kind), About: aboutOf(n), Test: n.Data.Test, To: d.Target, Channel: v.t("reports.by."+string(d.Channel), nil), OnlyTo: v.with("to", d.Target),
		State: pill{v.t("reports.is."+string(d.State), nil), kinds[d.State]}, At: f.At(n.At), Tries: v.number(d.Attempts), Answer: d.Answer,
	}
	if d.Code != 0 {
		row.Answer = strconv.Itoa(d.Code) + " " + d.Answer
	}
	if n.Data.Run != nil && !n.Data.Test {
		row.Address = v.runAddress(&connector.Run{ID: n.Data.Run.ID})
	}
	if d.State == connector.DeliveryWaiting {
		row.Next = f.At(d.Next)
	}
	if d.State != connector.DeliverySent && v.may(handle) {
		row.Retry = v.link("/reports/" + d.ID.String() + "/retry")
	}
	return row
}

// aboutOf names what a notice tells of.
func aboutOf(n *connector.Notice) string {
	switch d := &n.Data; {
	case d.Seats != nil:
		return d.Seats.Package
	case d.Domain != nil:
		return d.Domain.Name
	case d.End != nil:
		return d.End.Name
	default:
		return d.Source
	}
}

func (v *visit) reportsCrumb() []crumb { return []crumb{{v.t("nav.reports", nil), v.link("/reports")}} }

// theReport is the one that the path names, and answers where the organization has none.
func (v *visit) theReport() (d connector.Delivery, ok bool) {
	id, err := connector.ParseID(v.r.PathValue("report"))
	if err == nil {
		if d, ok, err = v.s.o.Store.Delivery(v.r.Context(), id); err != nil {
			v.accident("report", err)
			return d, false
		}
	}
	if ok = ok && d.Notice.Org == v.id(); !ok {
		v.say(http.StatusNotFound, "console.nowhere", nil)
	}
	return d, ok
}

func (v *visit) askRetryReport() {
	d, ok := v.theReport()
	if !ok {
		return
	}
	c := confirm{
		Effect: []string{v.t("reports.retry.effect", map[string]string{"To": d.Target, "Event": string(d.Notice.Kind)})}, Button: v.t("reports.retry.button", nil), Back: v.link("/reports"),
	}
	if d.State == connector.DeliverySent {
		c.Button, c.Fault = "", v.t("reports.retry.sent", nil)
	}
	v.show(http.StatusOK, "confirm", frame{Title: v.t("reports.retry.link", nil), Crumbs: v.reportsCrumb()}, c)
}

func (v *visit) doRetryReport() {
	d, ok := v.theReport()
	if !ok {
		return
	}
	ok, err := v.s.o.Store.RetryDelivery(v.r.Context(), v.id(), d.ID, v.now)
	switch {
	case err != nil:
		v.accident("report", err)
	case !ok:
		v.done(v.link("/reports"), "warn", "reports.retry.sent", nil)
	default:
		v.done(v.link("/reports"), "good", "reports.retry.done", nil)
	}
}

func (v *visit) askRetryReports() {
	v.show(http.StatusOK, "confirm", frame{Title: v.t("reports.retry.all", nil), Crumbs: v.reportsCrumb()}, confirm{
		Effect: []string{v.t("reports.retry.effect_all", nil)}, Button: v.t("reports.retry.button", nil), Back: v.link("/reports"),
	})
}

func (v *visit) doRetryReports() {
	n, err := v.s.o.Store.RetryDeliveries(v.r.Context(), v.id(), v.now)
	if err != nil {
		v.accident("reports", err)
		return
	}
	v.done(v.link("/reports"), "good", "reports.retry.done_all", map[string]string{"Count": v.number(n)})
}
