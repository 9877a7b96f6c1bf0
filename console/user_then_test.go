package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/internal/webdriver"
)

// moved is somebody who was created three days ago and was deactivated a day ago by an administrator, who gave a reason that names the person.
func (w *world) moved(name string) *connector.User {
	w.t.Helper()
	u := w.create(name, connector.Active)
	w.now = w.now.Add(48 * time.Hour)
	if _, err := w.prov.Deactivate(w.t.Context(), provision.Command{User: u.ID, Actor: "root", Reason: "asked for by " + name + "@example.com"}); err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(24 * time.Hour)
	return u
}

// The page tells why somebody was as it was at a time, in the words that the API and the command line have for it, and does nothing then.
func TestWhySomebodyWasAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.now
	u := w.moved("ann")
	b := w.as("operator")
	a := b.get(path(u, ""))
	w.want(a, http.StatusOK, `<input id="at" type="datetime-local" name="at" step="1" value="" required>`, "Why at a time (UTC)", "● Inactive", "Reactivate…")
	w.not(a, "as it was on")

	at := created.Add(24 * time.Hour)
	a = b.get(path(u, "?at="+at.Format("2006-01-02T15:04")))
	w.want(a, http.StatusOK, "This is the account as it was on "+at.Format("2006-01-02 15:04:00")+" UTC", `href="/admin`+path(u, "")+`">The account as it is now`,
		"● Active", `value="`+at.Format("2006-01-02T15:04:05")+`"`)
	w.not(a, "Reactivate…", "Deactivate…", "● Inactive", "Will be deleted")

	// Each change leads to the page as of then, exactly: the one of the creation tells of no deactivation, the other does.
	links := whyLinks(a.text)
	if len(links) != 1 || strings.Count(a.text, "shown above") != 1 {
		t.Fatalf("%q\n%s", links, a.text)
	}
	w.want(b.get(links[0]), http.StatusOK, "● Inactive", "as it was on "+created.Add(48*time.Hour).Format(time.DateTime), "shown above", "root")
	if links = whyLinks(b.get(path(u, "")).text); len(links) != 2 {
		t.Fatalf("%q", links)
	}
	w.want(b.get(links[1]), http.StatusOK, "● Active", "as it was on "+created.Format(time.DateTime))

	for lang, text := range map[string]string{"sv": "Så här var kontot", "pl": "Tak konto wyglądało", "pt-BR": "Esta é a conta como era"} {
		w.want(b.get(path(u, "?lang="+lang+"&at="+at.Format("2006-01-02T15:04"))), http.StatusOK, text)
	}
	auditor := w.as("auditor")
	w.not(auditor.get(path(u, "?at="+w.now.Add(-time.Hour).Format(time.RFC3339))), "ann@example.com", "Given ann")
}

var whyMark = `">Why at this time`

func whyLinks(text string) (list []string) {
	for part := range strings.SplitSeq(text, whyMark) {
		if i := strings.LastIndex(part, `href="/admin`); i >= 0 && strings.Contains(part[i:], "?at=") && !strings.ContainsAny(part[i+6:], `">`) {
			list = append(list, strings.TrimSuffix(part[i+len(`href="/admin`):], "#why"))
		}
	}
	return list
}

// What is no time that is over is told beside the field, and the page is about now.
func TestTimesThatCannotBeExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.moved("ann")
	b := w.as("auditor")
	for at, text := range map[string]string{
		"yesterday":        "This is no date and time",
		"2026-13-01T00:00": "This is no date and time",
		w.now.Add(time.Minute).Format("2006-01-02T15:04"):      "This time is still to come",
		u.CreatedAt.Add(-time.Second).Format(time.RFC3339Nano): "There was no such account then. It was created on " + u.CreatedAt.Format(time.DateTime),
		"0001-01-01T00:00": "This is no date and time",
	} {
		a := b.get(path(u, "?at="+url.QueryEscape(at)))
		w.want(a, http.StatusUnprocessableEntity, text, `required aria-invalid="true" aria-describedby="atfault"`, `<p class="fault wide" id="atfault" role="alert">`, "● Inactive")
		w.not(a, "as it was on")
	}
}

func TestWhyAtATimeInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.moved("ann")
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, path(u, ""), "owner")
	b.Click(".timeline li:last-child p a")
	b.Await(".announce", "This is the account as it was on "+u.CreatedAt.Format(time.DateTime)+" UTC. What can be done about it is on the page of now. The account as it is now")
	b.Click("#why button")
	b.Await(".states .current .pill", "Active")
	b.Click(".announce a")
	b.Await(".states .current .pill", "Inactive")
	shoot(t, b, srv.URL, path(u, ""), "user-now")
	shoot(t, b, srv.URL, path(u, "?at="+w.now.Add(-40*time.Hour).Format("2006-01-02T15:04")), "user-then")
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	shoot(t, b, srv.URL, path(u, "?at="+w.now.AddDate(1, 0, 0).Format("2006-01-02T15:04")), "user-future")
}
