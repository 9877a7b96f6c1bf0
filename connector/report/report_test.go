package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

func TestTextReportIsAsAgreed(t *testing.T) {
	t.Parallel()
	for _, lang := range failure.Languages() {
		var b strings.Builder
		if err := report.Text(&b, sample(lang), report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		golden(t, "report."+lang+".txt", b.String())
		for line := range strings.Lines(b.String()) {
			if report.Width(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("%s: wider than 80 columns: %s", lang, line)
			}
		}
	}
	var b strings.Builder
	if err := report.Text(&b, sample("en"), report.TextOptions{Full: true, Color: true, Width: 120}); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.full.txt", b.String())
}

func TestTextReportOfOtherEndings(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*connector.Run){
		"preview": func(r *connector.Run) {
			r.Mode, r.Result = connector.ModePreview, connector.ResultOK
			r.Counts.Failed = 0
		},
		"preview.unchanged": func(r *connector.Run) {
			r.Mode, r.Result, r.Counts = connector.ModePreview, connector.ResultOK, connector.Counts{Unchanged: 4812}
		},
		"cancelled.unchanged": func(r *connector.Run) {
			r.Result, r.Counts = connector.ResultCancelled, connector.Counts{}
		},
		"failed.unchanged": func(r *connector.Run) {
			r.Result, r.Counts, r.Error = connector.ResultFailed, connector.Counts{}, "ldapsync: search: the connection broke"
		},
		"none":     func(r *connector.Run) { r.Result, r.Counts = connector.ResultOK, connector.Counts{Unchanged: 4812} },
		"ok":       func(r *connector.Run) { r.Result = connector.ResultOK; r.Counts.Failed, r.Counts.Held = 0, 0 },
		"failures": func(r *connector.Run) { r.Result = connector.ResultOK },
		"groups": func(r *connector.Run) {
			r.Result, r.Counts = connector.ResultOK, connector.Counts{Unchanged: 4812}
			r.Groups = connector.GroupCounts{Created: 2, Updated: 31, MembersAdded: 1012, MembersRemoved: 7}
		},
		"groups.held": func(r *connector.Run) {
			r.Result, r.Counts = connector.ResultOK, connector.Counts{Updated: 1, Unchanged: 4812}
			r.Groups = connector.GroupCounts{Deleted: 11, MembersRemoved: 300}
			r.GroupHold = &connector.GroupHold{Reason: "11 groups would be deleted, more than 10 and more than 5 % of 40 groups", Digest: "00f2a1b2c3d4e5f6"}
		},
		"partial": func(r *connector.Run) {
			r.Result, r.Error = connector.ResultPartial, "the size limit of the server cut the answer"
		},
		"cancelled": func(r *connector.Run) { r.Result = connector.ResultCancelled },
		"running":   func(r *connector.Run) { r.Result, r.Finished = connector.ResultRunning, time.Time{} },
		"failed": func(r *connector.Run) {
			r.Result, r.Error, r.Hint = connector.ResultFailed, "ldapsync: bind: invalid credentials", "check the bind account's password"
			r.Counts, r.Entries = connector.Counts{}, 0
		},
	} {
		run, _ := sampleRun()
		run.Hold, run.Skips, run.Seats, run.Warnings, run.Phases = nil, nil, nil, nil, nil
		change(run)
		var b strings.Builder
		if err := report.Text(&b, report.Report{Run: run}, report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		golden(t, "ending."+name+".txt", b.String())
	}
}

func TestApproveIsOnlyOfferedWhileItCanBeDone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*report.Report)
		want   bool
	}{
		"open":      {func(*report.Report) {}, true},
		"no clock":  {func(r *report.Report) { r.Now = time.Time{} }, true},
		"too late":  {func(r *report.Report) { r.Now = r.Run.Hold.Expires }, false},
		"approved":  {func(r *report.Report) { r.Run.Hold.Status, r.Run.Hold.By = connector.HoldApproved, "cli:root" }, false},
		"not found": {func(r *report.Report) { r.Run.Hold = nil }, false},
	} {
		r := sample("en")
		test.change(&r)
		var text, page strings.Builder
		if err := errors.Join(report.Text(&text, r, report.TextOptions{}), report.HTML(&page, r)); err != nil {
			t.Fatal(err)
		}
		for form, s := range map[string]string{"text": text.String(), "page": page.String()} {
			if got := strings.Contains(s, "usherd approve 1a2b3c4d"); got != test.want {
				t.Errorf("%s, %s: approve offered = %v", name, form, got)
			}
		}
	}
}

func TestJSONIsOneDocument(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := report.JSON(&b, sample("en")); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", b.String())
	var doc struct {
		Counts   connector.Counts   `json:"counts"`
		Duration float64            `json:"duration_seconds"`
		Phases   map[string]float64 `json:"phases"`
		Failures []failure.Document `json:"failures"`
		Changes  []report.Change    `json:"changes"`
	}
	d := json.NewDecoder(strings.NewReader(b.String()))
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("something follows the document: %v", err)
	}
	run, list := sampleRun()
	if doc.Counts != run.Counts || doc.Duration != 103 || doc.Phases["apply"] != 81 || len(doc.Failures) != 4 || len(doc.Changes) != len(list) {
		t.Errorf("read back: %+v, %v s, %v, %d failures, %d changes", doc.Counts, doc.Duration, doc.Phases, len(doc.Failures), len(doc.Changes))
	}
}

func TestJSONOfAnEmptyRunHasAllMembers(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := report.JSON(&b, report.Report{Run: &connector.Run{Mode: connector.ModeFull, Result: connector.ResultRunning}}); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(b.String()), &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "org", "source", "mode", "result", "counts", "duration_seconds", "entries_read"} {
		if _, ok := doc[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"failures", "changes", "warnings", "seats"} {
		if list, ok := doc[name].([]any); !ok || len(list) != 0 {
			t.Errorf("%s is %v, not an empty list", name, doc[name])
		}
	}
}

func TestCSVHasARowForEachPerson(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := report.CSV(&b, sample("en")); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.csv", b.String())
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if _, list := sampleRun(); len(rows) != len(list)+1 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestCSVRunsNoFormula(t *testing.T) {
	t.Parallel()
	var list []*connector.Change
	hostile := []string{"=1+1", "+46 8 123", "-2", "@SUM(A1)", "\tx", "\r=x", " =1", "＝1+1", "\u00a0=1", "\n=2"}
	for _, s := range hostile {
		list = append(list, &connector.Change{Action: connector.Updated, Subject: s, DN: s, Warnings: []string{s}})
	}
	var b strings.Builder
	if err := report.CSV(&b, report.Report{Run: &connector.Run{}, Changes: stream(list)}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	subject := slices.Index(rows[0], "subject")
	for i, row := range rows[1:] {
		for _, at := range []int{subject, subject + 1, len(row) - 1} {
			if !strings.HasPrefix(row[at], "'") {
				t.Errorf("%q stays %q", hostile[i], row[at])
			}
		}
	}
}

func TestErrorOfTheStreamIsReturned(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store went away")
	r := sample("en")
	passes := 0
	for name, write := range forms() {
		for failAt := 1; failAt <= 2; failAt++ { // most forms read twice
			passes = 0
			r.Changes = func() iter.Seq2[*connector.Change, error] {
				passes++
				if passes < failAt && name != "csv" {
					return stream(sampleChanges())()
				}
				return func(yield func(*connector.Change, error) bool) { yield(nil, broken) }
			}
			if err := write(io.Discard, r); !errors.Is(err, broken) {
				t.Errorf("%s: error at pass %d came back as %v", name, failAt, err)
			}
		}
	}
}

func TestErrorOfTheWriterIsReturned(t *testing.T) {
	t.Parallel()
	for name, write := range forms() {
		if err := write(brokenWriter{}, sample("en")); !errors.Is(err, errDiskFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := report.Runs(brokenWriter{}, []*connector.Run{{}}, "en", report.TextOptions{}); !errors.Is(err, errDiskFull) {
		t.Errorf("runs: %v", err)
	}
}

var errDiskFull = errors.New("disk full")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDiskFull }

func forms() map[string]func(io.Writer, report.Report) error {
	return map[string]func(io.Writer, report.Report) error{
		"json": report.JSON, "csv": report.CSV, "html": report.HTML,
		"text": func(w io.Writer, r report.Report) error {
			return report.Text(w, r, report.TextOptions{Full: true})
		},
	}
}

// many streams n people without keeping any; every hundredth failed.
func many(n int, peak *uint64) func() iter.Seq2[*connector.Change, error] {
	return func() iter.Seq2[*connector.Change, error] {
		return func(yield func(*connector.Change, error) bool) {
			var m runtime.MemStats
			for i := range n {
				c := &connector.Change{
					Action: connector.Updated, Subject: "person", DN: "CN=person,DC=example,DC=com", Held: i%1000 == 0,
					Fields: []connector.FieldChange{{Field: "department", Before: []string{"Sales"}, After: []string{"Support"}}},
				}
				if i%100 == 0 {
					c.Action, c.Failures = connector.Failed, []connector.Failure{{Code: 31, Reason: connector.NoSeat, Package: "basic"}}
				}
				if i%100_000 == 99_999 {
					runtime.GC()
					runtime.ReadMemStats(&m)
					*peak = max(*peak, m.HeapAlloc)
				}
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

func TestAMillionPeopleNeedNoMoreMemory(t *testing.T) { // not parallel: it looks at the heap
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for name, write := range forms() {
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var peak uint64
		n := 200_000
		if name == "json" { // the one form that is asked for all people as a rule
			n = 1_000_000
		}
		r := report.Report{Run: &connector.Run{Counts: connector.Counts{Updated: n, Failed: n / 100}}, Changes: many(n, &peak)}
		began := time.Now()
		if err := write(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		grown := int64(peak) - int64(before.HeapAlloc)
		t.Logf("%s: %v, %d KB more", name, time.Since(began).Round(time.Millisecond), grown>>10)
		if grown > 4<<20 {
			t.Errorf("%s: the heap grew by %d KB", name, grown>>10)
		}
	}
}

func TestPageStopsAtItsLimitAndSaysSo(t *testing.T) {
	var peak uint64
	var b bytes.Buffer
	r := report.Report{Run: &connector.Run{}, Changes: many(report.MaxPeople+500, &peak)}
	if err := report.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b.Bytes(), []byte("<tr data-a=")); n != report.MaxPeople {
		t.Errorf("%d rows", n)
	}
	if !strings.Contains(b.String(), "first 5,000 people. The CSV and JSON reports hold everybody.") {
		t.Error("does not say that people are missing")
	}
	t.Logf("%d people: %d KB", report.MaxPeople, b.Len()>>10)
}

func TestRunsAreListed(t *testing.T) {
	t.Parallel()
	run, _ := sampleRun()
	second := *run
	second.ID, second.Source, second.Mode, second.Result = id(0x4e), "källa-öst-with-a-very-long-name-that-goes-on", connector.ModeChanges, connector.ResultRunning
	second.Finished, second.Counts = time.Time{}, connector.Counts{}
	list := []*connector.Run{run, &second}
	for i, mode := range []connector.Mode{connector.ModePreview, connector.ModePerson} {
		for j, result := range []connector.Result{connector.ResultOK, connector.ResultHeld, connector.ResultFailed} {
			r := *run
			r.ID, r.Mode, r.Result = id(byte(0x50+8*i+j)), mode, result
			list = append(list, &r)
		}
	}
	undone, back := *run, *run
	undone.ID, undone.Result = id(0x60), connector.ResultOK
	back.ID, back.Mode, back.Result, back.Undoes = id(0x61), connector.ModeRollback, connector.ResultOK, undone.ID
	list = append(list, &undone, &back)
	var b strings.Builder
	for _, width := range []int{80, 140} {
		if err := report.Runs(&b, list, "en", report.TextOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "runs.txt", b.String())
	narrow, _, _ := strings.Cut(b.String(), "\nRun")
	for line := range strings.Lines(narrow) {
		if report.Width(line) > 80 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
}

func TestPreviewIsNoWarningUnlessSomebodyFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*connector.Run)
		want   string
	}{
		"nobody fails":  {func(*connector.Run) {}, "tone-good"},
		"held":          {func(r *connector.Run) { r.Result = connector.ResultHeld }, "tone-good"},
		"somebody does": {func(r *connector.Run) { r.Counts.Failed = 1 }, "tone-warn"},
		"not complete":  {func(r *connector.Run) { r.Error = "the answer was cut" }, "tone-warn"},
		"failed":        {func(r *connector.Run) { r.Result = connector.ResultFailed }, "tone-bad"},
	} {
		r := sample("en")
		r.Run.Mode, r.Run.Result, r.Run.Counts.Failed = connector.ModePreview, connector.ResultOK, 0
		test.change(r.Run)
		if !strings.Contains(page(t, r), `class="head `+test.want+`"`) {
			t.Errorf("%s: not %s", name, test.want)
		}
	}
}

func TestOneChangeIsToldAsInReports(t *testing.T) {
	t.Parallel()
	for lang, test := range map[string]struct {
		change connector.FieldChange
		want   string
	}{
		"en":    {set(connector.FieldDeactivatedAt, "", "2026-11-22T03:00:04.713903282Z"), "Deactivated at: (empty) → 2026-11-22 03:00 UTC"},
		"sv":    {set(connector.FieldPackageFixed, "", "true"), "Paketet valt för hand: (tomt) → ja"},
		"pl":    {set(connector.FieldDeleteAt, "odd", ""), "Termin usunięcia: odd → (puste)"},
		"pt-BR": {set(connector.FieldPackage, "standard", "premium"), "Pacote: standard → premium"},
	} {
		got, err := report.Field(test.change, lang)
		if err != nil || got != test.want {
			t.Errorf("%s: got %q, %v, want %q", lang, got, err, test.want)
		}
	}
}

func TestUserIDAndStatesOfOneChange(t *testing.T) {
	t.Parallel()
	c := &connector.Change{
		Action: connector.Failed, Subject: "x", Link: &connector.Link{User: id(3)},
		Transitions: []connector.Transition{{From: connector.Verified, To: connector.Active, Signal: "signed_in"}},
		Failures:    []connector.Failure{{Code: 32, Reason: connector.NoSeat, Package: "basic"}},
	}
	got, err := report.ChangeOf(c, nil, "sv")
	if err != nil {
		t.Fatal(err)
	}
	if got.UserID != id(3).String() || got.StateBefore != "verified" || got.StateAfter != "active" || got.Package != "basic" {
		t.Errorf("%+v", got)
	}
	if got.Failures[0].Title != "Det gick inte att uppdatera kontot automatiskt (32)" {
		t.Errorf("title %q", got.Failures[0].Title)
	}
}

func TestGroupsInEveryForm(t *testing.T) {
	t.Parallel()
	r := sample("sv")
	r.Run.Groups = connector.GroupCounts{Updated: 3, MembersRemoved: 12}
	r.Run.GroupHold = &connector.GroupHold{Reason: "too <many>", Digest: "00f2"}
	var text, page, doc strings.Builder
	if err := errors.Join(report.Text(&text, r, report.TextOptions{}), report.HTML(&page, r), report.JSON(&doc, r)); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string][]string{
		text.String(): {"Grupper", "borttagna medlemskap", "too <many>", "--accept-groups 00f2"},
		page.String(): {"Grupper", "borttagna medlemskap", "too &lt;many&gt;", "--accept-groups 00f2"},
		doc.String():  {`"groups":{"created":0,"updated":3,"deleted":0,"members_added":0,"members_removed":12},"groups_held":{"reason":"too <many>","digest":"00f2"}`},
	} {
		for _, w := range want {
			if !strings.Contains(s, w) {
				t.Errorf("%q is missing in\n%s", w, s)
			}
		}
	}
	seen := map[string]bool{}
	for _, lang := range failure.Languages() {
		r.Lang = lang
		var b strings.Builder
		if err := report.Text(&b, r, report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "group.") || seen[b.String()] {
			t.Errorf("%s: words are missing in\n%s", lang, b.String())
		}
		seen[b.String()] = true
	}
}
