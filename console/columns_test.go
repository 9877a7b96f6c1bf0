package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/sources"
	"usherd/internal/webdriver"
)

var (
	headOf = regexp.MustCompile(`<th scope="col"[^>]*>(?:<a[^>]*>|<abbr[^>]*>)?([^<]*)`)
	cellIn = regexp.MustCompile(`<t[hd][ >]`)
)

// columnsOf are the heads of the table of a page, and how many cells its first row has.
func columnsOf(text string) (heads []string, cells int) {
	_, table, _ := strings.Cut(text, "data-rows")
	head, rest, _ := strings.Cut(table, "</thead>")
	for _, m := range headOf.FindAllStringSubmatch(head, -1) {
		heads = append(heads, m[1])
	}
	_, body, _ := strings.Cut(rest, "<tbody>")
	row, _, _ := strings.Cut(body, "</tr>")
	return heads, len(cellIn.FindAllString(row, -1))
}

// Each big list shows the columns that its address names, and those only that it has; files stay whole.
func TestColumnsOfListsAreChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("ann", connector.Active, func(u *connector.User) { u.Package = "standard" })
	w.fails("office", failed("bob", connector.NoSeat))
	w.aRun(1, nil)
	w.templates()
	w.announce("phones", "pia", "pia@example.com")
	w.pushesAs("okta", clients.Settings{})
	w.asked(1, nil)
	w.signsIn("entra", &sources.SignOn{})
	w.tried(1, nil)
	b := w.as("owner")
	for _, x := range []struct{ page, cols, first, second, whole string }{
		{"/users?active=any", "cols=email", "Name", "E-mail", "/users/export.csv?cols=email"},
		{"/failures?", "cols=times&cols=nonsense", "Name", "Times", "/failures/export.csv?cols=times"},
		{"/runs?quiet=1", "cols=held,nonsense", "Started", "Held", "/runs/export.csv?cols=held"},
		{"/provisioning?exclude=none", "cols=status", "Subscriber id", "Status", "/provisioning/export.csv?cols=status"},
		{"/scim/requests?", "cols=client", "When", "Client", "/scim/requests/export.csv?cols=client"},
		{"/sso/attempts?", "cols=ref", "When", "Reference", "/sso/attempts/export.csv?cols=ref"},
	} {
		a := b.get(x.page)
		w.want(a, http.StatusOK, `<details class="columns">`, `name="cols"`)
		all, cells := columnsOf(a.text)
		if len(all) < 6 || cells != len(all) {
			t.Errorf("%s: %d cells under %q", x.page, cells, all)
		}
		a = b.get(x.page + "&" + x.cols)
		w.want(a, http.StatusOK, `type="hidden" name="cols" value="`)
		heads, cells := columnsOf(a.text)
		if heads[0] == "" { // where rows are ticked
			heads, cells = heads[1:], cells-1
		}
		if len(heads) != 2 || cells != 2 || heads[0] != x.first || heads[1] != x.second {
			t.Errorf("%s: %d cells under %q", x.page, cells, heads)
		}
		if none, _ := columnsOf(b.get(x.page + "&cols=nonsense").text); len(none) != len(all) {
			t.Errorf("%s: %q", x.page, none)
		}
		if file, _, _ := strings.Cut(b.get(x.whole).text, "\n"); strings.Count(file, ",") < 5 {
			t.Errorf("%s: %s", x.whole, file)
		}
	}
	a := b.get("/users?active=any&q=ann&cols=email&cols=state")
	w.want(a, http.StatusOK, `<input type="hidden" name="active" value="any"><input type="hidden" name="q" value="ann"><fieldset>`, `href="/admin/users?active=any&amp;q=ann"`,
		`<input id="col-email" type="checkbox" name="cols" value="email" checked>`, `<input id="col-package" type="checkbox" name="cols" value="package">`)
}

// Lists go by the columns that an index tells about, this way and the other, and the heads say so.
func TestListsGoByColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, name := range []string{"cy", "ann", "bob"} {
		w.now = w.now.Add(time.Minute)
		w.create(name, connector.Active, func(u *connector.User) { u.Profile.Set(connector.DisplayName, []string{"Anton", "Zoe", "Mia"}[i]) })
	}
	b := w.as("operator")
	for sort, want := range map[string]string{
		"": "Zoe Mia Anton", "name": "Anton Mia Zoe", "-name": "Zoe Mia Anton", "username": "Zoe Mia Anton", "-username": "Anton Mia Zoe",
		"changed": "Anton Zoe Mia", "-changed": "Mia Zoe Anton", "nonsense": "Zoe Mia Anton", "-": "Zoe Mia Anton",
	} {
		a := b.get("/users?sort=" + sort)
		var got []string
		for _, m := range rowName.FindAllStringSubmatch(a.text, -1) {
			got = append(got, m[1])
		}
		if is := strings.Join(got, " "); is != want {
			t.Errorf("%s: %s, want %s", sort, is, want)
		}
		n := strings.Count(a.text, "aria-sort=")
		if sorts := sort != "" && sort != "nonsense" && sort != "-"; sorts != (n == 1) {
			t.Errorf("%s: %d columns say that the list goes by them", sort, n)
		}
	}
	w.want(b.get("/users?sort=changed&cols=changed"), http.StatusOK, `aria-sort="ascending"><a class="by" href="/admin/users?cols=changed&amp;sort=-changed">`,
		`<input type="hidden" name="cols" value="changed">`, `<input type="hidden" name="sort" value="changed">`)
	w.want(b.get("/users?sort=-changed"), http.StatusOK, `aria-sort="descending"><a class="by" href="/admin/users?sort=changed">`)
	for _, own := range []string{"/users?sort=name&q=ann", "/users?sort=name&state=deleted"} {
		w.not(b.get(own), "aria-sort", `class="by"`)
	}
}

// Runs go from the latest on, or from the first.
func TestRunsGoByTheirStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, last := w.aRun(1, nil), w.aRun(1, nil)
	b := w.as("auditor")
	for _, x := range []struct {
		query, order, other string
		runs                []*connector.Run
	}{
		{"", "descending", "/admin/runs?sort=started", []*connector.Run{last, first}},
		{"?sort=started", "ascending", "/admin/runs", []*connector.Run{first, last}},
		{"?sort=started&source=office", "ascending", "/admin/runs?source=office", []*connector.Run{first, last}},
	} {
		a := b.get("/runs" + x.query)
		w.want(a, http.StatusOK, `aria-sort="`+x.order+`"><a class="by" href="`+x.other+`">`)
		if upper, lower := strings.Index(a.text, "run-"+x.runs[0].ID.String()), strings.Index(a.text, "run-"+x.runs[1].ID.String()); upper < 0 || upper > lower {
			t.Errorf("%s: %d %d", x.query, upper, lower)
		}
		if file := b.get("/runs/export.csv" + x.query).text; strings.Index(file, x.runs[0].ID.String()) > strings.Index(file, x.runs[1].ID.String()) {
			t.Errorf("%s: %s", x.query, file)
		}
	}
}

var rowName = regexp.MustCompile(`<th scope="row"><a href="[^"]*"><bdi>([^<]*)`)

// Columns are chosen in a real browser, with and without script, and stay chosen when something is looked for.
func TestColumnsInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		w.create("ann", connector.Active, func(u *connector.User) { u.Package = "standard" })
		w.aRun(1, nil)
		w.aRun(0, func(r *connector.Run) { r.Result, r.Finished = connector.ResultRunning, time.Time{} })
		srv := w.listens()
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/users", "owner")
		if script {
			shoot(t, b, srv.URL, "/users?cols=email,state,changed&sort=-changed", "users-columns")
			shoot(t, b, srv.URL, "/runs?cols=result,failed", "runs-columns")
			b.Open(srv.URL + "/users")
		}
		b.Click(".columns summary")
		b.Click("#col-username")
		b.Click(".columns button")
		b.Await(".columns summary .quiet", "(some are hidden)")
		b.Click(".filters button.act")
		b.Await("thead th:nth-child(4)", "State")
		b.Click("th a.by")
		b.Await("th[aria-sort=ascending]", "Name")
		b.Click("th a.by")
		b.Await("th[aria-sort=descending]", "Name")
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}
