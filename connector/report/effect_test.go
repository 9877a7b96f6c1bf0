package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

func account(name string, s connector.State) *connector.User {
	return &connector.User{State: s, Package: "standard", Profile: connector.Profile{connector.UserName: {name}, "title": {"Clerk"}}}
}

func TestEffectCountsWhatARunWouldDo(t *testing.T) {
	t.Parallel()
	var e report.Effect
	for i := range 8 {
		e.Add(&connector.Change{Action: connector.Created, Subject: fmt.Sprintf("new%d", i), After: account("x", connector.Active), TakeSeat: "standard"})
	}
	left := account("left", connector.Inactive)
	left.DeactivatedReason = "out_of_scope"
	e.Add(&connector.Change{Action: connector.Deactivated, Subject: "left", After: left, FreeSeat: "standard", Held: true})
	e.Add(&connector.Change{Action: connector.Updated, Subject: "ann", Fields: []connector.FieldChange{
		{Field: "title", Before: []string{"Clerk"}, After: []string{"Boss"}}, {Field: connector.FieldDeleteAt, After: []string{"x"}},
	}})
	e.Add(&connector.Change{Action: connector.Updated, Subject: "bob", Fields: []connector.FieldChange{{Field: connector.FieldDeleteAt, After: []string{"x"}}}})
	e.Add(&connector.Change{Action: connector.Failed, Subject: "eve", Failures: []connector.Failure{
		{Reason: connector.RequiredMissing, Fields: []string{connector.FamilyName}}, {Reason: connector.NoSeat, Package: "standard"},
	}})
	e.Add(&connector.Change{Action: connector.Skipped, Subject: "off", Skip: connector.SkipNewButDisabled})
	e.Finish()
	if e.Gained.Count != 8 || len(e.Gained.Examples) != 5 || e.Gained.Reasons["created"] != 8 {
		t.Errorf("%+v", e.Gained)
	}
	if e.Lost.Reasons["out_of_scope"] != 1 || e.Held != 1 || e.Changed.Count != 1 || e.Unchanged != 1 || e.Refused.Count != 2 {
		t.Errorf("%+v", e)
	}
	want := []report.Altered{{Attribute: "title", Count: 1, Examples: []report.Example{{Subject: "ann", Before: []string{"Clerk"}, After: []string{"Boss"}}}}}
	if d := cmp.Diff(want, e.Attributes); d != "" {
		t.Error(d)
	}
	seats := e.Seats(
		[]connector.SeatCount{{Package: "standard", Name: "Standard", Seats: 20, Used: 10}, {Package: "old", Seats: 3, Used: 1}},
		[]connector.Package{{ID: "standard", Seats: 16}, {ID: "extra", Seats: connector.Unlimited}},
	)
	if d := cmp.Diff([]report.SeatEffect{
		{Package: "standard", Name: "standard", SeatsBefore: 20, UsedBefore: 10, SeatsAfter: 16, UsedAfter: 17, Refused: 1},
		{Package: "old", SeatsBefore: 3, UsedBefore: 1, UsedAfter: 1},
		{Package: "extra", Name: "extra", SeatsAfter: connector.Unlimited},
	}, seats); d != "" {
		t.Error(d)
	}
	if !seats[0].RunsOut() || seats[2].RunsOut() {
		t.Error("who runs out is not told")
	}
}

func TestEffectComparesUsers(t *testing.T) {
	t.Parallel()
	boss := account("ann", connector.Active)
	boss.Profile.Set("title", "Boss")
	admin := account("ann", connector.Inactive)
	admin.DeactivatedBy = connector.ByAdministrator
	for name, c := range map[string]struct {
		today, then                    *connector.User
		gained, lost, changed, nothing int
		reason                         string
	}{
		"none":        {},
		"new":         {then: boss, gained: 1, reason: "no_account"},
		"gone":        {today: boss, lost: 1, reason: "no_account"},
		"by hand":     {today: admin, then: boss, gained: 1, reason: "administrator"},
		"promoted":    {today: account("ann", connector.Active), then: boss, changed: 1},
		"same":        {today: boss, then: boss, nothing: 1},
		"out anyway":  {today: admin, nothing: 1},
		"another one": {today: boss, then: account("ann", connector.NotVerified), changed: 1},
	} {
		var e report.Effect
		e.Compare(c.today, c.then)
		if e.Gained.Count != c.gained || e.Lost.Count != c.lost || e.Changed.Count != c.changed || e.Unchanged != c.nothing {
			t.Errorf("%s: %+v", name, e)
		}
		if c.reason != "" && e.Gained.Reasons[c.reason]+e.Lost.Reasons[c.reason] != 1 {
			t.Errorf("%s: %v %v", name, e.Gained.Reasons, e.Lost.Reasons)
		}
	}
}

// everything has a value for every sentence that the two texts know.
func everything() (report.WhatIf, report.Replay) {
	var e report.Effect
	gone := account("left", connector.Inactive)
	for _, reason := range []string{"disabled", "gone", "out_of_scope"} {
		copied := *gone
		copied.DeactivatedReason = reason
		e.Add(&connector.Change{Action: connector.Deactivated, Subject: "x", After: &copied, Held: true})
	}
	e.Add(&connector.Change{Action: connector.Removed, Subject: "x"})
	e.Add(&connector.Change{Action: connector.Created, Subject: "x", TakeSeat: "p1"})
	e.Add(&connector.Change{Action: connector.Reactivated, Subject: "x"})
	e.Add(&connector.Change{Action: connector.Updated, Subject: "x", Fields: []connector.FieldChange{{Field: connector.GivenName, Before: []string{"a"}, After: []string{"b"}}}})
	e.Add(&connector.Change{Action: connector.Failed, Subject: "x", Failures: []connector.Failure{{Reason: connector.NoSeat, Package: "p2", Fields: []string{connector.FamilyName}}}})
	e.Finish()
	seats := e.Seats([]connector.SeatCount{{Package: "p1"}, {Package: "p2"}}, nil)
	who := report.WhatIf{With: "n.yaml", Revision: "r1", Organizations: []report.OrgEffect{{
		Org: "a1", Change: "stays", Users: 3, People: e, Seats: seats, Sources: []report.SourceEffect{
			{Source: "s1", Change: "added", Looked: true, Hold: "h1"}, {Source: "s2", Change: "dropped", Without: 2}, {Source: "s3", Change: "stays", Refusal: "f1"},
		},
	}}}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	was := report.Replay{With: "n.yaml", Revision: "r1", Since: at, Organizations: []report.OrgReplay{
		{Org: "a1", Base: 7, People: e, Seats: seats, ByHand: 2, Blank: []string{"s1: cn"}, Runs: []report.ReplayedRun{
			{Source: "s1", At: at, Now: report.Outcome{Result: connector.ResultFailed, Refusal: "f1"}},
			{Source: "s1", At: at, Runs: 4, Then: &report.Outcome{Counts: connector.Counts{Created: 2}}, Now: report.Outcome{Hold: "h1", Counts: connector.Counts{Held: 1}}},
			{Source: "s1", At: at, Now: report.Outcome{Result: connector.ResultOK}},
		}},
		{Org: "a2"},
	}}
	return who, was
}

func TestWhatIfIsToldInEachLanguage(t *testing.T) {
	t.Parallel()
	who, was := everything()
	told := func(lang string) string {
		var b strings.Builder
		if err := who.Text(&b, lang, report.TextOptions{Width: 200}); err != nil {
			t.Fatal(err)
		}
		if err := was.Text(&b, lang, report.TextOptions{Width: 200}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	english := map[string]bool{}
	word := regexp.MustCompile(`\pL{5,}`)
	for _, w := range word.FindAllString(told("en"), -1) {
		english[w] = true
	}
	for _, must := range []string{"gain", "wait", "refused", "approval", "replayed", "reactivated", "known"} {
		if !strings.Contains(told("en"), must) {
			t.Errorf("%q is missing", must)
		}
	}
	common := regexp.MustCompile(`usherd|preview|Start|Person|Standard|^(filter|person|first|under)$`)
	for _, lang := range failure.Languages()[1:] {
		text := told(lang)
		if strings.Contains(text, "{{") || strings.Contains(text, "whatif") {
			t.Errorf("%s:\n%s", lang, text)
		}
		for _, w := range word.FindAllString(text, -1) {
			if english[w] && !common.MatchString(w) {
				t.Errorf("%s: still English: %s", lang, w)
			}
		}
	}
}

func TestWhatIfIsOneJSONDocument(t *testing.T) {
	t.Parallel()
	who, was := everything()
	for _, v := range []any{who, was} {
		b, err := json.Marshal(v)
		if err != nil || !json.Valid(b) {
			t.Fatal(err)
		}
		for _, want := range []string{`"gained":{"count":2`, `"lost":{"count":4`, `"attribute":"givenName"`, `"seats_after":0`} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s is missing in\n%s", want, b)
			}
		}
	}
}

func TestErrorOfTheWriterEndsAWhatIf(t *testing.T) {
	t.Parallel()
	who, was := everything()
	if who.Text(broken{}, "en", report.TextOptions{}) == nil || was.Text(broken{}, "en", report.TextOptions{}) == nil {
		t.Error("a full disk is no error")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }
