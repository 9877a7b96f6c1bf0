package api_test

import (
	"net/http"
	"testing"

	"usherd/api"
	"usherd/connector"
)

// phones is a template by which people can be announced.
func phones(w *world) {
	o := w.orgs["acme"]
	o.Templates = []connector.TemplateSettings{{ID: "phones", Name: "Phones"}}
	o.Sources = append(o.Sources, connector.SourceSettings{ID: "phones", Kind: connector.Template})
}

func TestSubscribersByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, phones)
	c := w.client("acme", connector.APISubscribers, connector.APIRead)
	type answer struct {
		Subscribers []api.Announced `json:"subscribers"`
	}
	body := `{"subscribers":[{"template":"phones","subscriber_id":"4711","email":"ann@home.test","attributes":{"userName":"ann.home","givenName":"Ann","familyName":"Lee"}},
		{"template":"phones","subscriber_id":"4712","email":"bo@home.test"}]}`
	announce := func() *answer {
		return read[answer](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/subscribers", body))
	}
	first := announce()
	if len(first.Subscribers) != 2 || first.Subscribers[0].Status != "provisioned" || !first.Subscribers[0].New ||
		first.Subscribers[1].Status != "error" || first.Subscribers[1].Failure.Reason != "required_missing" || first.Subscribers[1].Failure.Code != 31 {
		t.Fatalf("%+v", first)
	}
	again := announce()
	if !again.Subscribers[0].Same || again.Subscribers[0].UserID != first.Subscribers[0].UserID {
		t.Errorf("said twice: %+v", again)
	}
	page := get[api.SubscriberPage](c, "/orgs/acme/subscribers?exclude=provisioned")
	if len(page.Subscribers) != 1 || page.Subscribers[0].SubscriberID != "4712" {
		t.Errorf("%+v", page)
	}
	one := get[api.SubscriberDetail](c, "/orgs/acme/subscribers/%s", page.Subscribers[0].ID)
	if len(one.History) < 2 || one.History[len(one.History)-1].What != connector.StepAnnounced {
		t.Errorf("%+v", one.History)
	}
	c.want(http.StatusNoContent, http.MethodDelete, "/orgs/acme/subscribers/"+one.ID, nil)
	c.want(http.StatusNotFound, http.MethodDelete, "/orgs/acme/subscribers/"+one.ID, nil)
}
