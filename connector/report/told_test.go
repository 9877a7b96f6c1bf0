package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

// A rollback says what it puts back, that the next run leaves it so, and what is not tried again; the run that
// was put back says that it was.
func TestRollbackIsTold(t *testing.T) {
	t.Parallel()
	for _, lang := range failure.Languages() {
		run, _ := sampleRun()
		run.Hold, run.Seats, run.Warnings, run.Phases, run.Server, run.Entries = nil, nil, nil, nil, "", 0
		run.Mode, run.Result, run.Undoes = connector.ModeRollback, connector.ResultOK, id(0x70)
		run.Counts = connector.Counts{Updated: 2000, Reactivated: 499, Skipped: 3, Failed: 1}
		run.Skips = map[connector.SkipReason]int{connector.SkipChangedSince: 2, connector.SkipMoved: 1}
		undone := *run
		undone.ID, undone.Undoes, undone.Mode = id(0x70), connector.ID{}, connector.ModeFull
		var b strings.Builder
		for _, r := range []report.Report{{Run: run, Lang: lang}, {Run: &undone, Lang: lang, UndoneBy: []connector.ID{run.ID}}} {
			if err := report.Text(&b, r, report.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			b.WriteString("\n")
		}
		golden(t, "rollback."+lang+".txt", b.String())
	}
}

// A file is read once, by somebody: what is left to do is another thing than of a directory.
func TestImportIsTold(t *testing.T) {
	t.Parallel()
	catalogue, err := failure.New()
	if err != nil {
		t.Fatal(err)
	}
	catalogue = catalogue.OfKind(connector.Import)
	for _, lang := range failure.Languages() {
		var b strings.Builder
		for _, mode := range []connector.Mode{connector.ModePreview, connector.ModeFull} {
			run, list := sampleRun()
			run.Mode, run.Source, run.Server, run.Phases, run.Warnings = mode, "moved", "people.csv", nil, nil
			for i, c := range list {
				if c.DN != "" {
					c.DN = fmt.Sprintf("people.csv line %d", i+2)
				}
			}
			r := report.Report{Run: run, Changes: stream(list), Lang: lang, Now: start.Add(time.Hour), Catalogue: catalogue}
			if err := report.Text(&b, r, report.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			b.WriteString("\n")
			if mode == connector.ModePreview { // nothing of it needs an approval
				run.Hold, run.Result = nil, connector.ResultOK
				run.Counts.Held, run.Counts.Failed = 0, 0
				if err := report.Text(&b, report.Report{Run: run, Lang: lang, Catalogue: catalogue}, report.TextOptions{}); err != nil {
					t.Fatal(err)
				}
				b.WriteString("\n")
			}
		}
		golden(t, "import."+lang+".txt", b.String())
		if strings.Contains(b.String(), "usherd sync") || strings.Contains(b.String(), "usherd plan") {
			t.Error("names what does nothing with a file")
		}
	}
}
