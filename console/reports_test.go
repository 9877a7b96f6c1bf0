package console_test

import (
	"net/http"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// report puts one on its way, and says what became of it.
func (w *world) report(org, to string, n connector.Notice, become func(*connector.Delivery)) connector.Delivery {
	w.t.Helper()
	n.ID, n.Org, n.At = connector.NewID(w.now), org, w.now
	d := connector.Delivery{ID: connector.NewID(w.now), Notice: n, Channel: connector.ByWebhook, Target: to, Next: w.now.Add(time.Hour)}
	err := w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		if err := tx.PutDelivery(w.t.Context(), d); err != nil || become == nil {
			return err
		}
		become(&d)
		_, err := tx.SetDelivery(w.t.Context(), d)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func givenUp(d *connector.Delivery) {
	d.State, d.Attempts, d.Code, d.Answer, d.DoneAt = connector.DeliveryFailed, 8, 502, "Bad Gateway", d.Notice.At
}

func arrived(d *connector.Delivery) {
	d.State, d.Attempts, d.Code, d.Answer, d.DoneAt = connector.DeliverySent, 1, 204, "No Content", d.Notice.At
}

func TestReportsAreListedAndTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	w.want(b.get("/reports"), http.StatusOK, "Nobody was told anything", "usherd reports test")
	run := connector.NewID(w.now)
	failed := w.report("acme", "chat", connector.Notice{Kind: connector.NoticeRunChanged, Data: connector.NoticeData{Source: "office<i>", Run: &connector.NoticeRun{ID: run}}}, givenUp)
	sent := w.report("acme", "desk", connector.Notice{Kind: connector.NoticeSeats, Data: connector.NoticeData{Test: true, Seats: &connector.NoticeSeatsLow{Package: "standard"}}}, arrived)
	waits := w.report("acme", "chat", connector.Notice{Kind: connector.NoticeDomain, Data: connector.NoticeData{Domain: &connector.NoticeProof{Name: "acme.test"}}}, nil)
	other := w.report("other", "elsewhere", connector.Notice{Kind: connector.NoticeOutbox}, givenUp)
	a := b.get("/reports")
	w.want(a, http.StatusOK, "office&lt;i&gt;", "/admin/runs/"+run.String(), "502 Bad Gateway", "standard", "acme.test", "/admin/reports/"+failed.ID.String()+"/retry", "/admin/reports/"+waits.ID.String()+"/retry")
	w.not(a, "elsewhere", "/admin/reports/"+sent.ID.String()+"/retry")
	w.not(b.get("/reports?to=desk"), "acme.test", "Bad Gateway")
	w.not(b.get("/reports?state=failed"), "acme.test", "standard<")
	w.not(w.as("auditor").get("/reports"), "/retry")
	w.want(b.get("/reports?after=eA"), http.StatusNotFound)

	w.want(w.as("auditor").get("/reports/"+failed.ID.String()+"/retry"), http.StatusForbidden)
	for _, id := range []string{other.ID.String(), "nothing", connector.NewID(w.now).String()} {
		w.want(b.get("/reports/"+id+"/retry"), http.StatusNotFound)
	}
	w.want(b.get("/reports/"+sent.ID.String()+"/retry"), http.StatusOK, "It has arrived already")
	w.want(b.get("/reports/"+failed.ID.String()+"/retry"), http.StatusOK, "run.changed", "chat", "Try again now")
	w.want(b.post("/reports/"+failed.ID.String()+"/retry", nil), http.StatusSeeOther)
	if d, _, err := w.db.Delivery(t.Context(), failed.ID); err != nil || d.State != connector.DeliveryWaiting || !d.Next.Equal(w.now) {
		t.Errorf("%+v %v", d, err)
	}
	w.report("acme", "chat", connector.Notice{Kind: connector.NoticeOutbox}, givenUp)
	w.want(b.get("/reports/retry"), http.StatusOK, "All reports of this organization")
	w.want(b.post("/reports/retry", nil), http.StatusSeeOther)
	if list, err := w.db.Deliveries(t.Context(), connector.DeliveryQuery{State: connector.DeliveryFailed}); err != nil || len(list) != 1 || list[0].ID != other.ID {
		t.Errorf("%+v %v", list, err)
	}
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditReportRetried})
	if err != nil || len(entries) != 2 || entries[0].Actor.Name != "console:helpdesk" {
		t.Errorf("%v %+v", err, entries)
	}
	for range 60 {
		w.report("acme", "many", connector.Notice{Kind: connector.NoticeOutbox}, arrived)
	}
	w.want(b.get("/reports?to=many"), http.StatusOK, `rel="next"`)
}

// The page in a real browser, which has nothing to complain about.
func TestTourOfReportsInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	w := newWorld(t)
	w.report("acme", "chat", connector.Notice{Kind: connector.NoticeRunFailed, Data: connector.NoticeData{Source: "office", Run: &connector.NoticeRun{ID: connector.NewID(w.now)}}}, givenUp)
	w.report("acme", "desk", connector.Notice{Kind: connector.NoticeSeats, Data: connector.NoticeData{Test: true, Seats: &connector.NoticeSeatsLow{Package: "standard"}}}, arrived)
	w.report("acme", "chat", connector.Notice{Kind: connector.NoticeDomain, Data: connector.NoticeData{Domain: &connector.NoticeProof{Name: "acme.test"}}}, nil)
	srv := w.listens()
	b := d.Browser(t, true, "en")
	enter(b, srv.URL, "/", "owner")
	shoot(t, b, srv.URL, "/reports", "sys-reports")
	for _, fault := range b.Faults() {
		t.Errorf("the browser complains: %s", fault)
	}
}
