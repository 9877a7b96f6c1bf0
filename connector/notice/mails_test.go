package notice_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/notice"
	"usherd/connector/notify"
)

var update = flag.Bool("update", false, "write golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// noticesOf are those of which a mail tells.
func noticesOf(t *testing.T, m connector.Mail) []connector.Notice {
	t.Helper()
	var list []connector.Notice
	if err := json.Unmarshal([]byte(m.Values["notices"]), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

var runIDs = regexp.MustCompile(`(usherd (report|approve|reject) )[0-9a-f]{8,}`)

// Every kind has words in every language; with a console they lead there, without one to a command.
func TestReportsInAllLanguages(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	org := &connector.Organization{ID: "acme", Name: "Acme & Söner <b>"}
	for _, lang := range failure.Languages() {
		target := desk()
		target.Language = lang
		w := newWorld(t, target)
		w.ok(w.db.Write(t.Context(), func(tx connector.Tx) error {
			n, err := notice.Test(t.Context(), tx, &target, "acme", w.now)
			if n != len(connector.NoticeKinds()) {
				t.Errorf("%d of %d kinds", n, len(connector.NoticeKinds()))
			}
			return err
		}))
		w.tell()
		list, err := w.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		l, err := texts.Report(list[0], org, "")
		w.ok(err)
		golden(t, "report."+lang+".txt", l.Subject+"\n\n"+runIDs.ReplaceAllString(l.Plain, "${1}RUN"))
		linked, err := texts.Report(list[0], org, "https://usherd.acme.test")
		w.ok(err)
		if lang == "en" {
			golden(t, "report.en.html", regexp.MustCompile(`(usherd (approve|reject) )[0-9a-f]{8,}`).ReplaceAllString(linked.HTML, "${1}RUN"))
		}
		for form, text := range map[string]string{"subject": l.Subject, "plain": l.Plain, "html": l.HTML, "linked": linked.Plain} {
			if text == "" || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") || strings.Contains(text, "kinds.") {
				t.Errorf("%s %s:\n%s", lang, form, text)
			}
		}
		if !strings.Contains(linked.Plain, "https://usherd.acme.test/domains?org=acme") || strings.Contains(linked.HTML, "<b>") {
			t.Errorf("%s:\n%s", lang, linked.HTML)
		}
	}
}

// Whatever names hold, a mail is one, and nothing of it is markup.
func TestHostileNamesInReports(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	const evil = "x\r\nBcc: eve@evil.test\x00<script>alert(1)</script>{{.N}}\u202e"
	w := newWorld(t, desk())
	w.run(func(r *connector.Run) {
		r.Source = evil
		failing(evil)(r)
	})
	w.conditions = []notice.Condition{{Org: "acme", Topic: "seats/x", Level: 1, Kind: connector.NoticeSeats, Data: connector.NoticeData{Seats: &connector.NoticeSeatsLow{Package: evil}}}}
	w.tell()
	list, err := w.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	l, err := texts.Report(list[0], &connector.Organization{ID: "acme", Name: evil}, "https://usherd.acme.test")
	w.ok(err)
	if strings.ContainsAny(l.Subject, "\r\n\x00") || strings.Contains(l.HTML, "<script") || strings.Contains(l.Plain, "\r") || strings.Contains(l.Plain, "\nBcc:") {
		t.Errorf("%q\n%s", l.Subject, l.HTML)
	}
	if !strings.Contains(l.Plain, "https://usherd.acme.test/seats/x%0D%0ABcc") {
		t.Errorf("%s", l.Plain)
	}
	list[0].Values["notices"] = `[{"Kind":"run.held","Org":"acme","At":"2026-03-01T08:00:00Z"},{"Kind":"of.tomorrow","At":"2026-03-01T08:00:00Z"}]`
	if l, err = texts.Report(list[0], &connector.Organization{Name: "Acme"}, ""); err != nil || !strings.Contains(l.Plain, "of.tomorrow") {
		t.Errorf("what a newer version has written: %v\n%s", err, l.Plain)
	}
	list[0].Values["notices"] = "[]"
	if _, err = texts.Report(list[0], &connector.Organization{Name: "Acme"}, ""); err == nil {
		t.Error("a report of nothing")
	}
}
