package console_test

import (
	"net/http"
	"testing"
	"time"

	"usherd/connector"
)

func TestPagesOfOrganizations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Required, w.org.DeleteAfter, w.org.Name = []string{"department"}, 30*24*time.Hour, "<i>Acme</i>"
	w.create("ann", connector.Active)
	w.elsewhere("bob")
	b := w.as("auditor") // of acme alone
	a := b.get("/organizations")
	w.want(a, http.StatusOK, `<a href="/admin/organizations/acme"><bdi>&lt;i&gt;Acme&lt;/i&gt;</bdi></a>`, "auditor")
	w.not(a, "Other Inc")
	w.want(b.get("/organizations/other"), http.StatusNotFound)
	w.want(b.get("/organizations/acme"), http.StatusOK, "help@acme.test", "30 days", "Department", "office", "example.com", "Standard", `<bdi>1</bdi>`)

	root := w.as("root")
	a = root.get("/organizations?lang=en")
	w.want(a, http.StatusOK, "Other Inc", "None: partner_id_missing", "/admin/organizations/other?org=other")
	w.want(root.get("/organizations/other?org=other&lang=en"), http.StatusOK, "Without a partner ID nobody can be created", "to ask their company", "has no sources", "No domains", "No packages")
	w.want(root.get("/organizations/nothing"), http.StatusNotFound)
}
