package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/internal/webdriver"
)

// chooseIn ticks rows of a list at an address, or all that match, and gives the page of the selection.
func (b *browser) chooseIn(address, deed string, form url.Values) string {
	b.w.t.Helper()
	form.Set("deed", deed)
	a := b.post(address, form)
	to := strings.TrimPrefix(a.to(), "/admin")
	if !strings.HasPrefix(to, "/selections/") {
		b.w.t.Fatalf("%d %s\n%s", a.StatusCode, a.to(), a.text)
	}
	return to
}

// item is the open failure of somebody.
func (w *world) item(subject string) connector.OpenItem {
	w.t.Helper()
	items, _, err := w.db.OpenItems(w.t.Context(), connector.ItemQuery{Org: "acme", Subject: subject})
	if err != nil || len(items) == 0 {
		w.t.Fatal(subject, err)
	}
	return items[0]
}

// Failures are tried again together: a directory is asked for each, what it refuses again is told, and who comes by other doors is left out.
func TestManyFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "okta", Kind: connector.SCIM})
	w.fails("office", failed("ann<b>", connector.RequiredMissing), failed("bob", connector.RequiredMissing), failed("cy", connector.RequiredMissing), failed("di", connector.NoSeat))
	w.fails("okta", failed("zed", connector.RequiredMissing))
	b := w.as("helpdesk")
	list := b.get("/failures?reason=required_missing")
	w.want(list, http.StatusOK, `name="user" value="`+w.item("ann").ID.String()+`"`, "all 4 that match", `formaction="/admin/failures?code=31&amp;reason=no_seat"`)
	w.not(list, `value="dismiss"`)
	w.not(w.as("auditor").get("/failures"), `name="deed"`, `name="user"`)
	page := b.chooseIn("/failures?reason=required_missing", "retry", url.Values{"all": {"1"}})
	w.want(b.get(page), http.StatusOK, "Try 3 failures again", "ann&lt;b&gt;", "office", "required_missing")
	w.not(b.get(page), ">di<", ">zed<")
	ticked := b.chooseIn("/failures", "retry", url.Values{"user": {w.item("zed").ID.String(), w.item("cy").ID.String()}})
	w.want(b.get(ticked), http.StatusOK, "Try 1 failure again", "Left out", "zed")
	w.runner.retry = func(key string) (*provision.Person, error) {
		switch key {
		case "bob":
			return &provision.Person{}, nil
		case "cy":
			again := failed("cy", connector.NoSeat)
			again.Failures[0].Ref, again.Failures[0].At, again.Failures[0].Subject = "9999-9999", w.now, "cy"
			return &provision.Person{Change: again}, nil
		}
		return &provision.Person{Change: &connector.Change{Action: connector.Created}}, nil
	}
	if err := w.db.Dismiss(t.Context(), "acme", w.item("cy").Ref); err != nil { // closed in between
		t.Fatal(err)
	}
	w.fails("office", failed("cy", connector.RequiredMissing))
	w.want(b.get(page), http.StatusOK, "Try 2 failures again", "1 failure is closed already")
	page = b.chooseIn("/failures?code=31&reason=required_missing", "retry", url.Values{"all": {"1"}})
	w.want(b.post(page, nil), http.StatusSeeOther)
	done := b.get(page)
	w.want(done, http.StatusOK, "1 failure went well this time", "The directory knows nobody by that name any more", "no_seat", ">cy<", ">bob<")
	w.not(done, ">zed<")
	if want := []string{"retry acme office ann<b> by console:helpdesk", "retry acme office bob by console:helpdesk", "retry acme office cy by console:helpdesk"}; !slices.Equal(w.runner.asked, want) {
		t.Errorf("%q", w.runner.asked)
	}
}

// A directory that does not answer is not asked for the others, and each is told why; other directories are asked.
func TestADirectoryThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "plant", Kind: connector.Directory})
	w.fails("office", failed("ann", connector.NoSeat), failed("bob", connector.NoSeat))
	w.fails("plant", failed("cy", connector.NoSeat))
	w.runner.retry = func(key string) (*provision.Person, error) {
		if key == "cy" {
			return &provision.Person{Change: &connector.Change{Action: connector.Created}}, nil
		}
		return nil, &connector.Error{Kind: connector.Unavailable, Op: "find", Err: context.DeadlineExceeded, Hint: "check the network"}
	}
	b := w.as("operator")
	page := b.chooseIn("/failures", "retry", url.Values{"all": {"1"}})
	w.want(b.post(page, nil), http.StatusSeeOther)
	a := b.get(page)
	w.want(a, http.StatusOK, "1 failure went well this time", ">ann<", ">bob<")
	if n := strings.Count(a.text, "check the network"); n != 2 || len(w.runner.asked) != 2 {
		t.Errorf("%d told, asked %q", n, w.runner.asked)
	}
}

// Failures are dismissed together by who may, with one reason, and the audit log has each as the single dismissal has it.
func TestManyFailuresAreDismissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []*connector.Change
	for i := range 60 {
		all = append(all, failed(fmt.Sprintf("p%02d", i), connector.NoSeat))
	}
	w.fails("office", all...)
	w.want(w.as("helpdesk").post("/failures", url.Values{"deed": {"dismiss"}, "all": {"1"}}), http.StatusForbidden)
	b := w.as("operator")
	w.want(b.get("/failures"), http.StatusOK, "all 60 that match", `value="dismiss"`)
	w.want(b.get("/failures?q=p0"), http.StatusOK, "all 10 that match")
	few := b.chooseIn("/failures?q=p0", "dismiss", url.Values{"all": {"1"}})
	w.want(b.get(few), http.StatusOK, "Dismiss 10 failures", `name="reason"`)
	w.want(b.get(few+"?lang=pl"), http.StatusOK, "Odrzuć 10 wpisów")
	w.want(b.post(few+"?lang=en", url.Values{"reason": {"they\nleft"}}), http.StatusUnprocessableEntity)
	w.want(b.post(few, url.Values{"reason": {"they left"}}), http.StatusSeeOther)
	w.want(b.get(few), http.StatusOK, "10 entries are closed")
	many := b.chooseIn("/failures", "dismiss", url.Values{"all": {"1"}})
	w.now = w.now.Add(11 * time.Minute) // the sign-in is old
	if a := b.post(many, nil); !strings.HasPrefix(a.to(), "/admin/reauth") {
		t.Error(a.to())
	}
	w.want(b.post("/reauth", url.Values{"password": {secret}}), http.StatusSeeOther)
	w.want(b.post(many, nil), http.StatusSeeOther)
	w.want(b.get(many), http.StatusOK, "50 entries are closed")
	w.want(b.get("/failures"), http.StatusOK, "No open failures")
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditDismissed, Limit: 100})
	if err != nil || len(entries) != 60 || entries[59].Actor.Reason != "they left" || entries[59].Actor.Name != "console:operator" || entries[0].Actor.Reason != "" {
		t.Errorf("%v %d", err, len(entries))
	}
}

// The failures of one run are chosen that are still open, by ticks, for a reason, or all of them.
func TestFailuresOfARunAreChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept := []*connector.Change{failed("ann", connector.NoSeat), failed("bob", connector.RequiredMissing), failed("cy", connector.NoSeat)}
	w.fails("office", kept...)
	w.fails("office", failed("of another run", connector.NoSeat))
	r := w.aRun(0, nil, kept...)
	ann, bob := w.item("ann"), w.item("bob")
	if err := w.db.Dismiss(t.Context(), "acme", w.item("cy").Ref); err != nil {
		t.Fatal(err)
	}
	at := "/runs/" + r.ID.String()
	b := w.as("operator")
	a := b.get(at + "?tab=failures")
	w.want(a, http.StatusOK, `name="user" value="`+ann.ID.String()+`"`, `name="user" value="`+bob.ID.String()+`"`, `href="/admin/failures/`+ann.Ref+`"`, "all of this run that are still open")
	if n := strings.Count(a.text, `name="user"`); n != 2 {
		t.Errorf("%d can be chosen", n)
	}
	w.not(w.as("auditor").get(at+"?tab=failures"), `name="user"`, `name="deed"`)
	w.not(b.get(at+"?tab=failures&reason=no_seat"), ">bob<")
	for _, x := range []struct {
		query, deed string
		form        url.Values
		want        string
	}{
		{"?tab=failures", "dismiss", url.Values{"all": {"1"}}, "Dismiss 2 failures"},
		{"?tab=failures&reason=no_seat", "retry", url.Values{"all": {"1"}}, "Try 1 failure again"},
		{"?tab=failures", "retry", url.Values{"user": {bob.ID.String() + " " + ann.ID.String()}}, "Try 2 failures again"},
	} {
		page := b.get(b.chooseIn(at+x.query, x.deed, x.form))
		w.want(page, http.StatusOK, x.want)
		w.not(page, "of another run")
	}
	w.want(b.post(at+"?tab=failures", url.Values{"deed": {"retry"}}), http.StatusSeeOther)
	w.want(b.get(at+"?tab=failures"), http.StatusOK, "Nobody was chosen")
}

// All of one reason are tried again in a real browser, with and without script.
func TestFailuresAreChosenInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		kept := []*connector.Change{failed("\u202eשלום<b>", connector.RequiredMissing), failed(strings.Repeat("verylongname", 9), connector.RequiredMissing), failed("cy", connector.NoSeat)}
		w.fails("office", kept...)
		r := w.aRun(0, nil, kept...)
		w.runner.retry = func(key string) (*provision.Person, error) {
			if key == "cy" {
				return &provision.Person{Change: &connector.Change{Action: connector.Created}}, nil
			}
			return &provision.Person{}, nil
		}
		w.aRun(0, func(r *connector.Run) { r.Result, r.Finished = connector.ResultRunning, time.Time{} })
		srv := w.listens()
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/failures", "owner")
		if script {
			shoot(t, b, srv.URL, "/failures/"+w.item("cy").Ref, "failure-helps")
			shoot(t, b, srv.URL, "/errors/31", "error-helps")
			shoot(t, b, srv.URL, "/runs", "runs-live")
			shoot(t, b, srv.URL, "/failures?reason=required_missing", "failures-select")
			shoot(t, b, srv.URL, "/runs/"+r.ID.String()+"?tab=failures", "run-failures-select")
			shoot(t, b, srv.URL, w.as("owner").chooseIn("/failures", "dismiss", url.Values{"all": {"1"}}), "selection-dismiss")
			b.Open(srv.URL + "/failures")
		}
		b.Open(srv.URL + "/failures/" + w.item("cy").Ref)
		b.Click(`.helps a[href="/seats"]`)
		b.Leave(srv.URL + "/failures/" + w.item("cy").Ref)
		if got := b.Text("h1"); got != "Seats" {
			t.Error(got)
		}
		b.Open(srv.URL + "/runs")
		b.Click("button[name=pause]")
		b.Await("button[name=pause]", "Go on")
		b.Open(srv.URL + "/")
		b.Click("button[name=pause]")
		b.Await("button[name=pause]", "Pause")
		b.Open(srv.URL + "/failures")
		b.Click(`button[formaction$="required_missing"]`)
		b.Leave(srv.URL + "/failures")
		if got := b.Text("form button.act"); got != "Try 2 failures again" {
			t.Error(got)
		}
		b.Click("form button.act")
		if got := b.Text("p.announce"); got != "0 failures went well this time." {
			t.Error(got)
		}
		b.Open(srv.URL + "/runs/" + r.ID.String() + "?tab=failures")
		b.Click(`#all`)
		b.Click(`button.button[value=dismiss]`)
		b.Leave(srv.URL + "/runs/" + r.ID.String() + "?tab=failures")
		if got := b.Text("form button.danger"); got != "Dismiss 3 failures" {
			t.Error(got)
		}
		b.Click("form button.danger")
		if got := b.Text("p.announce"); got != "3 entries are closed." {
			t.Error(got)
		}
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}
