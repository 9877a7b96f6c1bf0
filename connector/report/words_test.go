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
