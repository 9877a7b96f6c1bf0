package report_test

import (
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

func TestEveryWordOfTheRulesHasATranslation(t *testing.T) {
	t.Parallel()
	fields := connector.Diff(nil, &connector.User{
		State: connector.Inactive, Package: "basic", PackageFixed: true, PendingApproval: true, Resume: connector.Active,
		DeactivatedBy: connector.BySource, DeactivatedSource: "corp-ad", DeactivatedReason: "gone", DeactivatedAt: start, DeleteAt: start,
	})
	for _, lang := range failure.Languages() {
		var list []*connector.Change
		for _, s := range []connector.SkipReason{
			connector.SkipNewButDisabled, connector.SkipProtected, connector.SkipOutOfScope, connector.SkipMoved, connector.SkipUnverifiable, connector.SkipChangedSince,
		} {
			list = append(list, &connector.Change{Action: connector.Skipped, Subject: "x", Skip: s})
		}
		for _, s := range connector.States() {
			list = append(list, &connector.Change{Action: connector.Updated, Subject: "x", After: &connector.User{State: s}, Fields: fields})
		}
		var b strings.Builder
		r := report.Report{Run: &connector.Run{}, Changes: stream(list), Lang: lang}
		if err := report.Text(&b, r, report.TextOptions{Full: true}); err != nil {
			t.Fatal(err)
		}
		for _, slug := range []string{"_", "PackageFixed", "PendingApproval", "Deactivated", "DeleteAt:", "Resume:"} {
			if i := strings.Index(b.String(), slug); i >= 0 && (lang != "en" || !strings.HasPrefix(b.String()[i:], "Deactivated ")) {
				t.Errorf("%s: %q has no words: …%s", lang, slug, b.String()[i:min(i+40, b.Len())])
			}
		}
	}
}

func TestAnExplanationTellsErrorsInItsLanguage(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{
		"en": "The domain acme.test is not verified: the entry acme.test waits for its proof: acme.test: no name server has answered in time.",
		"sv": "acme.test: ingen namnserver har svarat i tid", "pl": "acme.test: żaden serwer nazw nie odpowiedział na czas", "pt-BR": "acme.test: nenhum servidor de nomes respondeu a tempo",
	} {
		say, err := report.Explain(lang)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]string{"Domain": "acme.test", "Entry": "acme.test", "Error": "acme.test: no name server has answered in time"}
		if got := say("domain.failed", values); !strings.Contains(got, want) {
			t.Errorf("%s: %q", lang, got)
		}
		if values["Error"] != "acme.test: no name server has answered in time" {
			t.Error("the values of the caller have changed")
		}
	}
}
