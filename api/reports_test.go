package api_test

import (
	"net/http"
	"testing"

	"usherd/api"
	"usherd/connector"
)

// What administrators were told is listed page by page, and tried again, each organization its own.
func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead, connector.APIUsers)
	put := func(org, to string, state connector.DeliveryState) connector.Delivery {
		t.Helper()
		now := w.now()
		d := connector.Delivery{ID: connector.NewID(now), Channel: connector.ByWebhook, Target: to, State: state, Attempts: 8, Code: 502, Answer: "Bad Gateway", Next: now, DoneAt: now}
		d.Notice = connector.Notice{ID: connector.NewID(now), Org: org, Kind: connector.NoticeRunChanged, At: now, Data: connector.NoticeData{Source: "hq", Run: &connector.NoticeRun{ID: connector.NewID(now)}}}
		w.ok(w.db.Write(t.Context(), func(tx connector.Tx) error {
			if err := tx.PutDelivery(t.Context(), d); err != nil {
				return err
			}
			_, err := tx.SetDelivery(t.Context(), d)
			return err
		}))
		return d
	}
	failed, other := put("acme", "chat", connector.DeliveryFailed), put("beta", "chat", connector.DeliveryFailed)
	put("acme", "desk", connector.DeliverySent)
	put("acme", "chat", connector.DeliveryFailed)
	first := get[api.Reports](c, "/orgs/acme/reports?limit=2")
	if len(first.Reports) != 2 || first.Next == "" || first.Reports[1].To != "desk" {
		t.Fatalf("%+v", first)
	}
	last := get[api.Reports](c, "/orgs/acme/reports?limit=2&before=%s", first.Next)
	if len(last.Reports) != 1 || last.Next != "" || last.Reports[0].ID != failed.ID.String() || last.Reports[0].Run != failed.Notice.Data.Run.ID.String() || last.Reports[0].Code != 502 || last.Reports[0].Next != nil {
		t.Errorf("%+v", last)
	}
	if got := get[api.Reports](c, "/orgs/acme/reports?to=chat&state=failed"); len(got.Reports) != 2 {
		t.Errorf("%+v", got)
	}
	c.want(http.StatusNoContent, http.MethodPost, "/orgs/acme/reports/"+failed.ID.String()+"/retry", nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/acme/reports/"+other.ID.String()+"/retry", nil)
	if got := read[api.ReportsRetried](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/reports/retry", nil)); got.Reports != 1 {
		t.Errorf("%+v", got)
	}
	if got := get[api.Reports](c, "/orgs/acme/reports?state=waiting"); len(got.Reports) != 2 || got.Reports[0].Next == nil {
		t.Errorf("%+v", got)
	}
}
