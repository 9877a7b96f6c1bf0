package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

// What becomes of a hold stands in every form, in every language.
func TestWhatBecameOfAHold(t *testing.T) {
	t.Parallel()
	some := &connector.Part{Only: []string{"leaverab", "uid=x,ou=people"}, People: 2, Of: 82}
	approved := func(h *connector.Hold) {
		h.Status, h.By, h.At, h.Next = connector.HoldApproved, "cli:bob", start, id(0x60)
	}
	for name, test := range map[string]struct {
		change func(*connector.Hold)
		after  time.Duration
		status connector.HoldStatus
		want   map[string][]string // by language
		runs   string
	}{
		"open": {func(*connector.Hold) {}, time.Hour, connector.HoldOpen, map[string][]string{
			"en": {"82 people wait for approval", "usherd approve 1a2b3c4d --except KEY"},
		}, "held "},
		"waits for the second": {func(h *connector.Hold) {
			h.First = &connector.Approval{By: "cli:anna", At: start, Part: some}
		}, time.Hour, connector.HoldOpen, map[string][]string{
			"en":    {"Approved by cli:anna (2026-11-22 03:00:04 UTC, 2/82), waits for a second administrator", "usherd approve 1a2b3c4d --only leaverab --only 'uid=x,ou=people'"},
			"sv":    {"väntar på en andra administratör"},
			"pl":    {"czeka na drugiego administratora"},
			"pt-BR": {"aguarda um segundo administrador"},
		}, "held, approved by cli:anna, waits for a second"},
		"approved in part": {func(h *connector.Hold) { approved(h); h.Part = some }, time.Hour, connector.HoldApproved, map[string][]string{
			"en":    {"Held at first, then approved in part: 2/82.", "Decided by cli:bob", "The rest waits in run 1a2b3c60"},
			"sv":    {"delvis godkänd: 2/82"},
			"pl":    {"częściowo zatwierdzony: 2/82"},
			"pt-BR": {"aprovada em parte: 2/82"},
		}, " approved in part: 2/82"},
		"superseded": {func(h *connector.Hold) { h.Status, h.Next = connector.HoldSuperseded, id(0x60) }, time.Hour, connector.HoldSuperseded, map[string][]string{
			"en": {"A newer run has taken its place: 1a2b3c60"}, "sv": {"ersatt av 1a2b3c60"}, "pl": {"zastąpiony przez 1a2b3c60"}, "pt-BR": {"substituída por 1a2b3c60"},
		}, " superseded by 1a2b3c60"},
		"expired, though nobody wrote it": {func(*connector.Hold) {}, 24 * time.Hour, connector.HoldExpired, map[string][]string{
			"en": {"Nobody decided in time"}, "sv": {"Ingen bestämde i tid"},
		}, " expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, lang := range failure.Languages() {
				r := sample(lang)
				test.change(r.Run.Hold)
				r.Now = start.Add(test.after)
				forms := map[string]func(*strings.Builder) error{
					"text": func(b *strings.Builder) error { return report.Text(b, r, report.TextOptions{Width: 500}) },
					"html": func(b *strings.Builder) error { return report.HTML(b, r) },
				}
				for form, write := range forms {
					var b strings.Builder
					if err := write(&b); err != nil {
						t.Fatal(err)
					}
					text := strings.NewReplacer("&#39;", "'", "<code>", "", "</code>", "").Replace(b.String())
					for _, want := range test.want[lang] {
						if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
							t.Errorf("%s, %s: does not say %q", lang, form, want)
						}
					}
					if waits := strings.Contains(text, "usherd approve"); waits != (test.status == connector.HoldOpen) {
						t.Errorf("%s, %s: offers to approve: %t", lang, form, waits)
					}
				}
			}
			r := sample("en")
			test.change(r.Run.Hold)
			r.Now = start.Add(test.after)
			var b bytes.Buffer
			if err := report.JSON(&b, r); err != nil {
				t.Fatal(err)
			}
			var doc struct {
				Hold struct {
					Status connector.HoldStatus `json:"status"`
				} `json:"hold"`
			}
			if err := json.Unmarshal(b.Bytes(), &doc); err != nil || doc.Hold.Status != test.status {
				t.Errorf("JSON says %q, %v", doc.Hold.Status, err)
			}
			b.Reset()
			if err := report.Runs(&b, []*connector.Run{r.Run}, "en", report.TextOptions{Width: 200, Now: r.Now}); err != nil || !strings.Contains(b.String(), test.runs) {
				t.Errorf("the list says %s, %v", b.String(), err)
			}
		})
	}
}

func TestReportTellsOfDeletionsToCome(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{
		"en": "5 users will be deleted within 7 days: usherd users --due 7d", "sv": "5 användare tas bort inom 7 dagar",
		"pl": "5 użytkowników zostanie usuniętych w ciągu 7 dni", "pt-BR": "5 usuários serão excluídos em até 7 dias",
	} {
		r := sample(lang)
		r.Run.Due = 5
		var text, doc strings.Builder
		if err := report.Text(&text, r, report.TextOptions{Width: 200}); err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("%s: does not say %q, %v", lang, want, err)
		}
		if err := report.JSON(&doc, r); err != nil || !strings.Contains(doc.String(), `"due_within_7_days":5`) {
			t.Errorf("%s: JSON, %v", lang, err)
		}
	}
}
