package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
)

const reportsTag = "Reports"

// ReportStore is what the door reads of reports to administrators, and has tried again. store.DB is one.
type ReportStore interface {
	Deliveries(ctx context.Context, q connector.DeliveryQuery) ([]connector.Delivery, error)
	RetryDelivery(ctx context.Context, org string, id connector.ID, now time.Time) (bool, error)
	RetryDeliveries(ctx context.Context, org string, now time.Time) (int, error)
}

func (s *Server) reports() {
	route(s, operation{
		id: "listReports", method: http.MethodGet, path: "/reports", scope: connector.APIRead, tag: reportsTag, summary: "Show what administrators were told, the latest first",
		about: "One row for each recipient or webhook of the configuration. A mail counts as sent when it is in the outbox: mail says which one it is.",
	}, s.listReports)
	route(s, operation{
		id: "retryReport", method: http.MethodPost, path: "/reports/{report}/retry", scope: connector.APIUsers, tag: reportsTag, status: http.StatusNoContent,
		summary: "Have a report tried again now that has failed, or waits",
	}, s.retryReport)
	route(s, operation{
		id: "retryReports", method: http.MethodPost, path: "/reports/retry", scope: connector.APIUsers, tag: reportsTag, summary: "Have all reports tried again now that have failed",
		about: "At most 1,000 at once, the latest first.",
	}, s.retryReports)
}

// Report is something that an administrator was told, or will be. What is not known is null or left out.
type Report struct {
	ID       string                  `json:"id"`
	Notice   string                  `json:"notice" doc:"What webhooks get as id; the same for all who are told of it."`
	Org      string                  `json:"org"`
	Kind     connector.NoticeKind    `json:"kind"`
	At       *time.Time              `json:"at"`
	Test     bool                    `json:"test,omitempty" doc:"Somebody wanted to see one: nothing of it has happened."`
	Channel  connector.Channel       `json:"channel" enum:"mail,webhook"`
	To       string                  `json:"to" doc:"The recipient or webhook, as the configuration calls it."`
	State    connector.DeliveryState `json:"state" enum:"waiting,sent,failed"`
	Next     *time.Time              `json:"next" doc:"When one that waits is tried."`
	Attempts int                     `json:"attempts"`
	Code     int                     `json:"code,omitempty" doc:"Of the receiver."`
	Answer   string                  `json:"answer,omitempty" doc:"A word about that, or the fault on the way to it."`
	DoneAt   *time.Time              `json:"done_at"`
	Mail     string                  `json:"mail,omitempty" doc:"The mail in the outbox."`
	Run      string                  `json:"run,omitempty" doc:"The run of which it tells."`
	Command  string                  `json:"command" doc:"How the thing is looked at on the command line."`
}

// NewReport is the form in which the API and the command line show a report.
func NewReport(d *connector.Delivery) Report {
	n := &d.Notice
	x := Report{
		ID: d.ID.String(), Notice: n.ID.String(), Org: n.Org, Kind: n.Kind, At: when(n.At), Test: n.Data.Test, Channel: d.Channel, To: d.Target, State: d.State,
		Attempts: d.Attempts, Code: d.Code, Answer: d.Answer, DoneAt: when(d.DoneAt), Command: n.Command(), Mail: d.Mail.String(),
	}
	if d.State == connector.DeliveryWaiting {
		x.Next = when(d.Next)
	}
	if n.Data.Run != nil && !n.Data.Test {
		x.Run = n.Data.Run.ID.String()
	}
	return x
}

type listReportsInput struct {
	OrgPath
	State  connector.DeliveryState `query:"state" doc:"Only this state." enum:"waiting,sent,failed"`
	To     string                  `query:"to" doc:"Only to this recipient or webhook." maxLength:"32"`
	Before string                  `query:"before" doc:"Only older ones than the report with this id: next of the page before." format:"uuid"`
	Limit  int                     `query:"limit" doc:"How many at most." default:"50" minimum:"1" maximum:"500"`
}

// Reports is a page of what administrators were told.
type Reports struct {
	Reports []Report `json:"reports"`
	Next    string   `json:"next,omitempty" doc:"before of the next page; left out after the last."`
}

type reportsOutput struct{ Body Reports }

func (s *Server) listReports(ctx context.Context, c *call, in *listReportsInput) (*reportsOutput, error) {
	q := connector.DeliveryQuery{Org: c.id(), State: in.State, Target: in.To, Limit: in.Limit + 1}
	if err := before(&q.Before, in.Before); err != nil {
		return nil, err
	}
	list, err := s.o.Store.Deliveries(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &reportsOutput{Reports{Reports: []Report{}}}
	for i := range list[:min(len(list), in.Limit)] {
		out.Body.Reports = append(out.Body.Reports, NewReport(&list[i]))
	}
	if len(list) > in.Limit {
		out.Body.Next = list[in.Limit-1].ID.String()
	}
	return out, nil
}

type reportPath struct {
	OrgPath
	Report string `path:"report" format:"uuid"`
}

func (s *Server) retryReport(ctx context.Context, c *call, in *reportPath) (*struct{}, error) {
	id, err := connector.ParseID(in.Report)
	if err != nil {
		return nil, invalid("path.report", err.Error())
	}
	ok, err := s.o.Store.RetryDelivery(ctx, c.id(), id, s.now())
	if err == nil && !ok {
		err = newProblem(http.StatusNotFound, "not_found", "no such report waits or has failed")
	}
	return nil, err
}

// ReportsRetried is how many reports are tried again.
type ReportsRetried struct {
	Reports int `json:"reports"`
}

type reportsRetriedOutput struct{ Body ReportsRetried }

func (s *Server) retryReports(ctx context.Context, c *call, _ *OrgPath) (*reportsRetriedOutput, error) {
	n, err := s.o.Store.RetryDeliveries(ctx, c.id(), s.now())
	return &reportsRetriedOutput{ReportsRetried{n}}, err
}
