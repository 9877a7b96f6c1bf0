package console_test

import (
	"encoding/csv"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
)

// pushesAs adds a source that pushes, as the configuration has it.
func (w *world) pushesAs(id string, s clients.Settings) {
	w.pushes(id)
	org := w.set.Organizations[0]
	if org.Clients == nil {
		org.Clients = map[string]clients.Settings{}
	}
	org.Clients[id] = s
}

// asked logs requests of the client okta, one a second.
func (w *world) asked(n int, f func(i int, r *connector.Request)) []connector.Request {
	w.t.Helper()
	list := make([]connector.Request, n)
	for i := range list {
		at := w.now.Add(time.Duration(i-n) * time.Second)
		list[i] = connector.Request{
			ID: connector.NewID(at), Org: "acme", Source: "okta", At: at, Method: http.MethodGet, Path: "/scim/acme/v2/Users", Status: http.StatusOK,
			Duration: 1500 * time.Microsecond, Profile: "okta", Remote: "192.0.2.9",
		}
		if f != nil {
			f(i, &list[i])
		}
	}
	if err := w.db.PutRequests(w.t.Context(), list, nil); err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestSCIMClientsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("operator")
	w.want(b.get("/scim"), http.StatusOK, "No source pushes people here", "usherd reload")
	w.want(b.get("/scim/clients/okta"), http.StatusNotFound)
	w.pushesAs("okta", clients.Settings{Profile: clients.Auto, KeepLog: time.Hour, Rate: 25, Burst: 100, Concurrency: 8})
	w.pushesAs("silent", clients.Settings{Profile: "strict"})
	a := b.get("/scim")
	w.want(a, http.StatusOK, `href="/admin/scim/clients/okta"`, `<span class="pill bad">none</span>`, "strict", "generic")
	w.want(b.get("/scim/clients/silent"), http.StatusOK, "set scim.log.keep", "It has no token", "None: all that it sent was as the standard says", "set in the configuration")
	k := connector.Token{
		ID: connector.NewID(w.now), Org: "acme", Source: "okta", Kind: connector.BearerToken, Name: "<i>Ann's</i>", Scopes: []string{"scim"}, CreatedAt: w.now, EndsAt: w.now.Add(48 * time.Hour),
	}
	k.Draw()
	if err := w.db.AddToken(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	w.asked(12, func(i int, r *connector.Request) {
		if i == 11 {
			r.Status = http.StatusConflict
		}
	})
	quirk := connector.QuirkCount{Org: "acme", Source: "okta", Quirk: "op-case", Count: 1234, First: w.now, Last: w.now}
	if err := w.db.PutRequests(t.Context(), nil, []connector.QuirkCount{quirk}); err != nil {
		t.Fatal(err)
	}
	if err := w.db.PutClientProfile(t.Context(), connector.ClientProfile{Org: "acme", Source: "okta", Profile: "okta", Why: "User-Agent <b>Okta</b>", At: w.now}); err != nil {
		t.Fatal(err)
	}
	w.want(b.get("/scim"), http.StatusOK, `<span class="pill bad">1</span>`, "in 2 days", ">12<", `status=4xx-5xx`, `<span class="pill warn">409</span>`)
	a = b.get("/scim/clients/okta")
	w.want(a, http.StatusOK, "recognised: User-Agent &lt;b&gt;Okta&lt;/b&gt;", "25 requests a second for long, 100 at once, 8 at a time", "1,234", "text of op-case",
		"&lt;i&gt;Ann&#39;s&lt;/i&gt;", "Ends soon", "https://scim.acme.test/scim/acme/v2", "1\u00a0h, without bodies")
	w.not(a, "<b>Okta", "/tokens?for=okta", "<i>")
	w.want(w.as("owner").get("/scim/clients/okta"), http.StatusOK, "/tokens?for=okta", "/tokens/new?for=okta")
}

// The log is filtered, paged and taken along; one request is shown with all that is known of it.
func TestSCIMRequestsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pushesAs("okta", clients.Settings{Profile: clients.Auto, KeepLog: time.Hour})
	b := w.as("helpdesk")
	w.want(b.get("/scim/requests"), http.StatusOK, "Nothing was asked yet")
	ann := w.create("ann", connector.Active)
	w.asked(150, func(i int, r *connector.Request) {
		if i%3 == 0 {
			r.Method = http.MethodPatch
		}
		if i == 0 {
			r.At, r.ID = w.now.Add(-50*time.Hour), connector.NewID(w.now.Add(-50*time.Hour))
		}
	})
	list := w.asked(1, func(_ int, r *connector.Request) {
		r.Method, r.Status, r.ScimType, r.Person, r.User = http.MethodPost, http.StatusConflict, "uniqueness", "=cmd <b>ann</b>", ann.ID
		r.Query, r.Quirks, r.Ref = "filter=userName%20eq%20%22ann%22", []string{"op-case"}, "AAAA-BBBB"
		r.Asked, r.Answered = []byte(`{"userName":"<script>ann"}`), []byte(`{"detail":"taken <b>","status":"409"}`)
	})
	a := b.get("/scim/requests")
	w.want(a, http.StatusOK, `<span class="pill warn">409</span>`, "uniqueness", "=cmd &lt;b&gt;ann", "POST /Users?filter=userName eq &#34;ann&#34;", "op-case", "1.5 ms")
	if n := strings.Count(a.text, `<tr><th scope="row">`); n != 50 {
		t.Error(n)
	}
	seen := 50
	for m := nextLink.FindStringSubmatch(a.text); m != nil; m = nextLink.FindStringSubmatch(a.text) {
		a = b.get(html.UnescapeString(m[1]))
		seen += strings.Count(a.text, `<tr><th scope="row">`)
	}
	if seen != 151 {
		t.Error(seen)
	}
	for query, want := range map[string]int{"status=4xx-5xx": 1, "status=409&client=okta": 1, "client=none": 0, "method=PATCH": 50, "method=PATCH&since=1d": 49, "q=ann": 1, "q=" + ann.ID.String(): 1, "status=5xx": 0, "": 151} {
		rows, err := csv.NewReader(strings.NewReader(b.get("/scim/requests/export.csv?" + query).text)).ReadAll()
		if err != nil || len(rows) != want+1 {
			t.Errorf("%s: %v, %d rows, want %d", query, err, len(rows)-1, want)
		}
		if page := strings.Count(b.get("/scim/requests?"+query).text, `<tr><th scope="row">`); page != min(want, 50) {
			t.Errorf("%s: %d rows on the page, want %d", query, page, min(want, 50))
		}
		if query == "q=ann" && (rows[1][8] != "'=cmd <b>ann</b>" || rows[1][6] != "409") {
			t.Error(rows[1])
		}
	}
	w.want(b.get("/scim/requests?status=5xx"), http.StatusOK, "No request fits")
	w.want(b.get("/scim/requests?after=bm9uZQ"), http.StatusNotFound)

	one := "/scim/requests/" + list[0].ID.String()
	a = b.get(one)
	w.want(a, http.StatusOK, "taken &lt;b&gt;", "text of op-case", "&lt;script&gt;ann", "AAAA-BBBB", "/users/"+ann.ID.String(), "Copy error text", "q="+ann.ID.String())
	w.not(a, "<script>ann", "<b>")
	w.not(b.get("/scim/requests/"+w.asked(1, nil)[0].ID.String()), "Copy error text</button>", "failcard")
	x := w.as("auditor")
	a = x.get(one)
	w.want(a, http.StatusOK, "Bodies hold personal data", "POST /Users?•••", "=•••")
	w.not(a, "ann", "taken")
	w.not(x.get("/scim/requests"), "ann&")
	w.not(x.get("/scim/requests/export.csv"), "ann")
	w.want(b.get("/scim/requests/x"), http.StatusNotFound)
	w.want(b.get("/scim/requests/"+connector.NewID(w.now).String()), http.StatusNotFound, "This request is not kept")
	w.want(w.as("root").get(one+"?org=other"), http.StatusNotFound)
	if entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditExported, Target: "scim requests"}); err != nil || len(entries) != 10 {
		t.Errorf("%v %d", err, len(entries))
	}
}

// What the store does not find by is looked for in parts: a page that has found nothing says that it goes on.
func TestSCIMRequestsAreLookedForInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pushesAs("okta", clients.Settings{Profile: clients.Auto, KeepLog: time.Hour})
	w.asked(2500, func(i int, r *connector.Request) {
		if i == 3 {
			r.Method, r.Person = http.MethodDelete, "found"
		}
	})
	b := w.as("operator")
	a := b.get("/scim/requests?method=DELETE")
	w.want(a, http.StatusOK, "None of the latest ones fits")
	w.want(b.get(html.UnescapeString(nextLink.FindStringSubmatch(a.text)[1])), http.StatusOK, "found")
	if got := strings.Count(b.get("/scim/requests/export.csv?method=DELETE").text, "\n"); got != 2 {
		t.Error(got)
	}
}
