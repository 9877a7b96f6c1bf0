package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/report"
)

func (w *world) explain(u *connector.User) *provision.Explanation {
	w.t.Helper()
	e, err := w.prov.Explain(w.t.Context(), provision.ExplainRequest{Say: english, User: u.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// remap gives a source a mapping of its own.
func (w *world) remap(source string, attributes map[string]string) {
	w.t.Helper()
	c := mapping.Config{Preset: "openldap", Attributes: map[string]mapping.Rule{}}
	for name, rule := range attributes {
		c.Attributes[name] = mapping.Rule{rule}
	}
	m, faults := mapping.Compile(c)
	if len(faults) > 0 {
		w.t.Fatal(faults)
	}
	w.maps[source] = m
}

// commands are those of all ways, in order.
func commands(e *provision.Explanation) []string {
	var out []string
	for _, way := range e.Ways {
		for _, s := range way.Steps {
			for _, act := range s.Either {
				out = append(out, act.Command)
			}
		}
	}
	return out
}

func attribute(t *testing.T, e *provision.Explanation, name string) provision.ExplainedAttribute {
	t.Helper()
	i := slices.IndexFunc(e.Attributes, func(a provision.ExplainedAttribute) bool { return a.Name == name })
	if i < 0 {
		t.Fatalf("there is no %s in %+v", name, e.Attributes)
	}
	return e.Attributes[i]
}

func TestEachValueNamesItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		second(o)
		o.Owners = map[string][]string{"title": {"second", "dir"}}
	})
	w.remap("second", map[string]string{"department": `"Dept " + title`})
	first := w.syncFrom("dir", &people{list: []*connector.Record{person(1, "title", "Boss")}}, connector.ResultOK)
	other := w.syncFrom("second", &people{list: []*connector.Record{inSecond(person(1, "title", "Chief", "sn", "Other"))}}, connector.ResultOK)
	w.now = w.now.Add(time.Hour)
	e, err := w.prov.Explain(t.Context(), provision.ExplainRequest{
		Say: english, User: w.user("u0001").ID, Place: func(source, attribute string) (string, int) { return source + ".yaml", len(attribute) },
	})
	if err != nil {
		t.Fatal(err)
	}
	title := attribute(t, e, "title")
	want := provision.ExplainedAttribute{
		Name: "title", Values: []string{"Chief"}, Source: "second", Since: w.now.Add(-time.Hour), Run: other.Run.ID,
		Rule:   &provision.Rule{Expression: "title", Attributes: []string{"title"}, File: "second.yaml", Line: 5},
		Others: []provision.Offer{{Source: "dir", Values: []string{"Boss"}, Why: "owners: second, dir"}},
	}
	if diff := cmp.Diff(want, title); diff != "" {
		t.Error(diff)
	}
	name := attribute(t, e, connector.FamilyName)
	if name.Source != "dir" || name.Run != first.Run.ID || len(name.Others) != 1 || name.Others[0].Why != "dir comes first" {
		t.Errorf("%+v", name)
	}
	if a := attribute(t, e, "department"); a.Source != "second" || a.Rule.Expression != `"Dept " + title` || a.Others != nil {
		t.Errorf("%+v", a)
	}
	if r := e.Records; len(r) != 2 || r[0].Source != "dir" || r[0].Place != 1 || r[1].Place != 2 || r[1].Run != other.Run.ID {
		t.Errorf("%+v", r)
	}
}

// Access ends whatever is wrong with the entry: what the user keeps then is not what the records give.
func TestValueThatIsKeptSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, second)
	p, low := &people{list: crowd(3)}, &people{list: []*connector.Record{inSecond(person(1, "uid", "", "title", "Boss"))}}
	w.sync(p, connector.ResultOK)
	w.syncFrom("second", low, connector.ResultOK)
	low.list[0].OutOfScope = "OU excluded"
	w.syncFrom("second", low, connector.ResultOK)
	p.list[0] = person(1, "sn", "")
	p.list[0].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	e := w.explain(w.user("u0001"))
	if a := attribute(t, e, connector.FamilyName); !a.Kept || a.Source != "dir" || a.Values[0] != "Lee1" || e.State != connector.Inactive {
		t.Errorf("%+v", a)
	}
	if a := attribute(t, e, connector.Email); a.Kept {
		t.Errorf("%+v", a)
	}
}

// explained is one situation with what has to be said about it.
type explained struct {
	org      func(*connector.Organization)
	do       func(w *world, p *people)
	state    connector.State
	signIn   bool
	why      []string // each is in one of the sentences
	goals    string
	commands []string
}

func TestStatesAreExplained(t *testing.T) {
	t.Parallel()
	tests := map[string]explained{
		"active": {
			state: connector.Active, signIn: true,
			why: []string{"created (full run of dir by test)", "domain example.com is verified since 2026-03-01 08:00Z"},
		},
		"domain not verified": {
			do: func(w *world, p *people) {
				p.list[0] = person(1, "mail", "u0001@sub.other.test")
				w.sync(p, connector.ResultOK)
			},
			state: connector.NotVerified, why: []string{"sub.other.test is not verified: the organization has no entry"},
			goals: "sign_in active", commands: []string{"usherd domain add sub.other.test", "usherd sync --source dir --person u0001"},
		},
		"domain waits for its proof": {
			do: func(w *world, p *people) {
				if err := w.db.AddDomain(w.t.Context(), connector.Domain{Org: "acme", Name: "other.test", AddedAt: w.now, LastError: "no TXT record"}); err != nil {
					w.t.Fatal(err)
				}
				p.list[0] = person(1, "mail", "u0001@sub.other.test")
				w.sync(p, connector.ResultOK)
			},
			state: connector.NotVerified, why: []string{"the entry other.test waits for its proof: no TXT record."},
			goals: "sign_in active", commands: []string{"usherd domain check other.test", "usherd sync --source dir --person u0001"},
		},
		"disabled by its source": {
			do: func(w *world, p *people) {
				w.sync(p, connector.ResultOK)
				p.list[0].Enabled = connector.EnabledNo
				w.sync(p, connector.ResultOK)
			},
			state: connector.Inactive, why: []string{"for dir says disabled", "comes back when dir says enabled again", "deleted at 2026-03-31"},
			goals: "come_back sign_in active", commands: []string{"usherd sync --source dir", "usherd user reactivate u0001"},
		},
		"gone from its source": {
			do: func(w *world, p *people) {
				w.sync(p, connector.ResultOK)
				p.list = p.list[1:]
				w.sync(p, connector.ResultOK)
			},
			state: connector.Inactive, why: []string{"for dir says gone", "deleted at 2026-03-08"},
			goals: "come_back sign_in active", commands: []string{"usherd sync --source dir", "usherd user reactivate u0001"},
		},
		"deactivated by an administrator": {
			do: func(w *world, p *people) {
				w.sync(p, connector.ResultOK)
				c := command(w, "u0001")
				c.Reason = "left early"
				w.must(w.prov.Deactivate(w.t.Context(), c))
			},
			state: connector.Inactive,
			why:   []string{`deactivated by an administrator ("left early")`, "Only an administrator gives the access back", "not deleted as long as dir has it enabled"},
			goals: "come_back sign_in active", commands: []string{"usherd user reactivate u0001"},
		},
		"reactivated against its source": {
			do: func(w *world, p *people) {
				p.list[0].Enabled = connector.EnabledYes
				w.sync(p, connector.ResultOK)
				p.list[0].Enabled = connector.EnabledNo
				w.sync(p, connector.ResultOK)
				w.must(w.prov.Reactivate(w.t.Context(), command(w, "u0001")))
			},
			state: connector.Active, signIn: true, why: []string{"dir says disabled, but an administrator gave the access back"},
		},
		"waits for approval": {
			org:   func(o *connector.Organization) { o.Approval = true },
			state: connector.Active, why: []string{"An administrator has to approve"},
			goals: "sign_in active", commands: []string{"usherd user approve u0001"},
		},
		"its source is not configured any more": {
			do: func(w *world, p *people) {
				w.sync(p, connector.ResultOK)
				p.list[0].Enabled = connector.EnabledNo
				w.sync(p, connector.ResultOK)
				w.org.Sources = []connector.SourceSettings{{ID: "new", Kind: connector.Directory}}
				w.rebuild()
			},
			state: connector.Inactive, why: []string{"does not have dir any more: only an administrator"},
			goals: "come_back sign_in active", commands: []string{"usherd user reactivate u0001"},
		},
		"no seat to come back to": {
			org: func(o *connector.Organization) { o.Packages[0].Seats = 3 },
			do: func(w *world, p *people) {
				w.sync(p, connector.ResultOK)
				p.list[0].Enabled = connector.EnabledNo
				p.list = append(p.list, person(4))
				w.sync(p, connector.ResultOK)
				p.list[0] = person(1)
				w.sync(p, connector.ResultOK)
			},
			state: connector.Inactive, why: []string{"comes back when dir says enabled again"},
			goals:    "come_back sign_in active|package",
			commands: []string{"usherd seats", "usherd sync --source dir", "usherd user reactivate u0001", "usherd seats", "usherd user package u0001 --to PACKAGE"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.org)
			p := &people{list: crowd(3)}
			if tt.do == nil {
				tt.do = func(w *world, p *people) { w.sync(p, connector.ResultOK) }
			}
			tt.do(w, p)
			tt.check(t, w.explain(w.user("u0001")))
		})
	}
}

func (tt *explained) check(t *testing.T, e *provision.Explanation) {
	t.Helper()
	if e.State != tt.state || e.SignIn.OK != tt.signIn {
		t.Errorf("%s, may sign in: %+v", e.State, e.SignIn)
	}
	for _, want := range tt.why {
		if !strings.Contains(strings.Join(e.Why, "\n"), want) {
			t.Errorf("%q does not say %q", e.Why, want)
		}
	}
	var goals []string
	for _, way := range e.Ways {
		goals = append(goals, strings.Trim(fmt.Sprint(way.Goals), "[]"))
	}
	if got := strings.Join(goals, "|"); got != tt.goals {
		t.Errorf("ways to %q, want %q", got, tt.goals)
	}
	if diff := cmp.Diff(tt.commands, commands(e)); diff != "" {
		t.Error(diff)
	}
}

func (w *world) must(ch *connector.Change, err error) *connector.Change {
	w.t.Helper()
	if err != nil || len(ch.Failures) > 0 {
		w.t.Fatalf("%v %+v", err, ch)
	}
	return ch
}

func TestPackagesAreExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		second(o)
		o.Packages = append(o.Packages, connector.Package{ID: "gold", Name: "Gold", Seats: 5}, connector.Package{ID: "tin", Seats: 5})
		o.Sources[1].Package = "tin"
	})
	w.remap("dir", map[string]string{"package": `title == "Boss" ? "gold" : ""`})
	w.sync(&people{list: []*connector.Record{person(1), person(2, "title", "Boss"), person(3), person(4)}}, connector.ResultOK)
	w.syncFrom("second", &people{list: []*connector.Record{inSecond(person(3))}}, connector.ResultOK)
	w.must(w.prov.SetPackage(t.Context(), command(w, "u0004"), "gold", false))
	for name, want := range map[string]provision.ExplainedPackage{
		"u0001": {ID: "standard", By: provision.GivenByOrganization},
		"u0002": {ID: "gold", Name: "Gold", By: provision.GivenByMapping, Source: "dir"},
		"u0003": {ID: "tin", By: provision.GivenBySource, Source: "second"},
		"u0004": {ID: "gold", Name: "Gold", By: provision.GivenByAdministrator, Actor: "admin"},
	} {
		got := w.explain(w.user(name)).Package
		if got.Seats == nil || got.Seats.Package != want.ID || !got.Holds {
			t.Errorf("%s: %+v", name, got)
		}
		if rule := got.Rule; (rule != nil) != (want.By == provision.GivenByMapping) || rule != nil && !slices.Equal(rule.Attributes, []string{"title"}) {
			t.Errorf("%s: rule %+v", name, rule)
		}
		got.Seats, got.Rule, got.Holds = nil, nil, false
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if l := w.explain(w.user("u0004")).Local; len(l) != 1 || l[0].Actor != "admin" || l[0].Field != connector.FieldPackageFixed {
		t.Errorf("%+v", l)
	}
}

func TestPlaceOnTheWaitingListIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Packages[0].Seats = 3 })
	p := &people{list: crowd(4)}
	w.sync(p, connector.ResultOK) // the fourth waits
	p.list[0].Enabled = connector.EnabledNo
	p.list = append(p.list, person(5))
	w.sync(p, connector.ResultOK) // the fourth gets the seat, the fifth waits
	p.list[0] = person(1)
	w.sync(p, connector.ResultOK)
	e := w.explain(w.user("u0001"))
	if e.Package.Waiting == nil || e.Package.Waiting.Place != 2 || e.Package.Seats.Waiting != 2 {
		t.Errorf("%+v", e.Package)
	}
	if len(e.Failures) != 1 || e.Failures[0].Reason != connector.NoSeat || e.Failures[0].Source != "dir" {
		t.Errorf("%+v", e.Failures)
	}
}

// A past instant is the history played up to it.
func TestThePastIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	id, born := w.user("u0001").ID, w.now
	w.now = w.now.Add(day)
	p.list[0] = person(1, "title", "Boss")
	w.sync(p, connector.ResultOK)
	w.now = w.now.Add(day)
	p.list = p.list[1:]
	w.sync(p, connector.ResultOK)
	w.now = w.now.Add(10 * day)
	w.sync(p, connector.ResultOK)

	at := func(at time.Time) (*provision.Explanation, error) {
		return w.prov.Explain(t.Context(), provision.ExplainRequest{Say: english, User: id, At: at})
	}
	if _, err := at(born.Add(-time.Second)); connector.KindOf(err) != connector.NotFound || !strings.Contains(err.Error(), "u0001 did not exist at 2026-03-01 08:00Z") {
		t.Errorf("%v", err)
	}
	for _, want := range []struct {
		at     time.Time
		state  connector.State
		title  bool
		steps  int
		signIn bool
	}{
		{born, connector.Active, false, 1, true},
		{born.Add(25 * time.Hour), connector.Active, true, 1, true},
		{born.Add(3 * day), connector.Inactive, true, 2, false},
		{time.Time{}, connector.Deleted, false, 3, false},
		{w.now.Add(day), connector.Deleted, false, 3, false},
	} {
		e, err := at(want.at)
		if err != nil {
			t.Fatal(err)
		}
		title := slices.ContainsFunc(e.Attributes, func(a provision.ExplainedAttribute) bool { return a.Name == "title" })
		if e.State != want.state || title != want.title || len(e.Transitions) != want.steps || e.SignIn.OK != want.signIn || e.Past && e.Ways != nil {
			t.Errorf("at %v: %+v", want.at, e)
		}
		for _, a := range e.Attributes {
			if a.Source != "dir" {
				t.Errorf("at %v: %+v", want.at, a)
			}
		}
	}
}

// unreachable is a directory that does not answer.
type unreachable struct{ *people }

func (unreachable) Lookup(context.Context, connector.Anchor) (*connector.Record, connector.Presence, error) {
	return nil, connector.PresenceUnknown, errors.New("no server answers")
}

func TestFreshRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, second)
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	w.syncFrom("second", &people{list: []*connector.Record{inSecond(person(1))}}, connector.ResultOK)
	ask := func() []provision.ExplainedRecord {
		e, err := w.prov.Explain(t.Context(), provision.ExplainRequest{
			Say: english, User: w.user("u0001").ID, Fresh: map[string]connector.Source{"dir": p, "second": unreachable{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return e.Records
	}
	r := ask()
	if f := r[0].Fresh; f == nil || !f.Applied || f.Presence != "present" || f.Enabled != "yes" || !slices.Equal(f.Attributes["uid"], []string{"u0001"}) {
		t.Errorf("%+v", f)
	}
	if f := r[1].Fresh; f == nil || f.Error != "no server answers" {
		t.Errorf("%+v", f)
	}
	p.list[0] = person(1, "title", "\xff\x00"+strings.Repeat("x", 5000))
	if f := ask()[0].Fresh; f.Applied || !strings.HasPrefix(f.Attributes["title"][0], "base64:") || len(f.Attributes["title"][0]) > 6000 {
		t.Errorf("%+v", f)
	}
	p.list = p.list[1:]
	if f := ask()[0].Fresh; f.Applied || f.Presence != "gone" || f.Attributes != nil {
		t.Errorf("%+v", f)
	}
}

// english words explanations as the command line does.
var english = func() func(string, any) string {
	say, err := report.Explain("en")
	if err != nil {
		panic(err) // another package's tests tell why
	}
	return say
}()

// What is put together from a word of the store has a text: states, standings, modes of runs, signals.
func TestEveryWordOfAnExplanationHasAText(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, s := range connector.States() {
		keys = append(keys, "state."+string(s))
	}
	for _, s := range []connector.Standing{connector.StandingEnabled, connector.StandingDisabled, connector.StandingGone, connector.StandingOutOfScope, "unknown"} {
		keys = append(keys, "standing."+string(s))
	}
	for _, m := range []connector.Mode{
		connector.ModeFull, connector.ModeChanges, connector.ModePreview, connector.ModePerson, connector.ModeGrace, connector.ModeRollback,
	} {
		keys = append(keys, "mode."+string(m))
	}
	for _, key := range keys {
		if text := english(key, nil); text == key {
			t.Errorf("%s has no text", key)
		}
	}
}
