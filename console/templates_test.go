package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/subscribers"
	"usherd/internal/webdriver"
)

// activates gives acme a template, and people under it, as many of each status as are said.
func (w *world) activates(t connector.TemplateSettings, counts map[connector.SubscriberStatus]int) {
	w.t.Helper()
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: t.ID, Kind: connector.Template, Domains: []string{"xn--bcher-kva.example"}})
	w.org.Templates = append(w.org.Templates, t)
	err := w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		for status, n := range counts {
			for i := range n {
				s := &connector.Subscriber{
					ID: connector.NewID(w.now), Org: "acme", Template: t.ID, Name: fmt.Sprintf("%s-%d", status, i), Announced: true, Status: status, CreatedAt: w.now, UpdatedAt: w.now,
				}
				if err := tx.PutSubscriber(w.t.Context(), s); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("auditor")
	w.want(b.get("/templates"), http.StatusOK, "No templates.")
	w.org.DefaultPackage, w.org.Required = "standard", []string{"department"}
	w.activates(connector.TemplateSettings{ID: "phones", Name: "<b>Phones</b>", Untrusted: true, Fields: []string{connector.GivenName, "title"}},
		map[connector.SubscriberStatus]int{connector.Provisioned: 3, connector.SubscriberError: 1})
	w.activates(connector.TemplateSettings{ID: "desks", Name: "=desks", Unannounced: true, Fields: []string{}}, nil)
	a := b.get("/templates")
	w.want(a, http.StatusOK, "&lt;b&gt;Phones&lt;/b&gt;", `<a href="/admin/templates/desks"><bdi>=desks</bdi></a>`, "Something is missing")
	a = b.get("/templates/phones")
	w.want(a, http.StatusOK, "There is no activation page: add a portal block", "Links wait in the outbox", "<strong>3</strong> <span>Provisioned</span>", "template=phones",
		`<th scope="row">First Name <abbr title="required">*</abbr></th>`, `<th scope="row">Title</th>`, "bücher.example", "announced addresses are not believed", "Standard")
	w.not(a, "/activate/")

	w.set.Activation = subscribers.Activation{Portal: "https://portal.acme.test/", Mail: true}
	w.server.Replace(w.set)
	a = b.get("/templates/phones")
	w.want(a, http.StatusOK, "https://portal.acme.test/activate/acme/phones", "There is an activation page", "Links are sent by mail", "Ready")
	w.want(b.get("/templates/desks"), http.StatusOK, "who was not announced would be refused", "Nobody has been announced")
	w.want(b.get("/templates/none"), http.StatusNotFound)
	w.org.PartnerID = ""
	w.packages(connector.Package{ID: "standard", Seats: 0})
	w.want(b.get("/templates/phones"), http.StatusOK, "partner_id_missing", "everybody would wait")
}

func TestTemplatesInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.DefaultPackage = "standard"
	w.activates(connector.TemplateSettings{ID: "phones", Name: strings.Repeat("Phones of everybody ", 4), Untrusted: true, Fields: []string{connector.GivenName, connector.FamilyName, "title"}},
		map[connector.SubscriberStatus]int{connector.Provisioned: 3, connector.SubscriberError: 1, connector.PendingEmailInput: 2})
	w.set.Activation = subscribers.Activation{Portal: "https://portal.acme.test"}
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/templates", "owner")
	shoot(t, b, srv.URL, "/templates", "templates")
	shoot(t, b, srv.URL, "/templates/phones", "template")
	shoot(t, b, srv.URL, "/organizations", "organizations")
	shoot(t, b, srv.URL, "/organizations/acme", "organization")
	b.Open(srv.URL + "/templates/phones")
	if got := b.Text(".checks li:nth-child(2) .pill.warn"); !strings.HasPrefix(got, "Links wait in the outbox") {
		t.Error(got)
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
