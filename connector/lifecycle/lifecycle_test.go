package lifecycle

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

var update = flag.Bool("update", false, "write the table into ARCHITECTURE.md")

// expected is domain.md section 2 once more, told as a story and not as a table.
func expected(from connector.State, s Signal, f Facts) (connector.State, bool) {
	isLive := from == connector.NotVerified || from == connector.Verified || from == connector.Active || from == connector.ClaimPending
	switch {
	case from == "" && s == Created:
		return newcomer(f), true
	case from == connector.Inactive && s == Reactivate:
		return returning(f), true
	case from == connector.Inactive && (s == GraceOver || s == Delete):
		return connector.Deleted, true
	case from == connector.Deleted && s == RolledBack:
		return connector.Inactive, true
	case isLive && from != connector.ClaimPending && s == RolledBack:
		if f.Resume != from && (f.Resume == connector.Active || f.Resume == connector.Verified || f.Resume == connector.NotVerified) {
			return f.Resume, true
		}
		return from, false
	case isLive && s == Deactivate:
		return connector.Inactive, true
	case isLive && s == ClaimedElsewhere:
		return connector.ConvertedAway, true
	case from == connector.ClaimPending && (s == ClaimDecided || s == ClaimExpired):
		return converted(f), true
	case from == connector.NotVerified && s == EmailProven:
		return connector.Verified, true
	case from == connector.NotVerified && s == DomainVerified && f.Kind != connector.Directory:
		return connector.Verified, true
	case (from == connector.NotVerified || from == connector.Verified) && s == DirectorySeen && f.DomainVerified:
		return connector.Active, true
	case s != SignIn || !isLive || f.PendingApproval || from == connector.NotVerified:
		return from, false
	case from == connector.ClaimPending:
		return from, true
	}
	return connector.Active, true
}

func newcomer(f Facts) connector.State {
	switch {
	case f.From != "" && f.ClaimOpen:
		return connector.ClaimPending
	case f.From != "":
		return converted(f)
	case f.Kind == connector.Template || f.Kind == connector.SiteLink:
		return connector.Verified
	case !f.DomainVerified:
		return connector.NotVerified
	case f.Kind == connector.Directory:
		return connector.Active
	}
	return connector.Verified
}

func converted(f Facts) connector.State {
	switch {
	case f.From == connector.Active || f.From == connector.Verified:
		return f.From
	case f.DomainVerified:
		return connector.Verified
	}
	return connector.NotVerified
}

func returning(f Facts) connector.State {
	switch {
	case f.Resume == connector.Active || f.Resume == connector.ClaimPending:
		return f.Resume
	case f.Kind == connector.Directory && f.DomainVerified:
		return connector.Active
	case f.Resume == connector.Verified || f.DomainVerified:
		return connector.Verified
	}
	return connector.NotVerified
}

// everything calls f with each combination of state, signal and facts there is.
func everything(f func(from connector.State, s Signal, facts Facts)) {
	kinds := []connector.SourceKind{
		connector.Directory, connector.SCIM, connector.SignIn, connector.Template,
		connector.SiteLink, connector.Import, connector.Administrator,
	}
	states := append([]connector.State{""}, connector.States()...)
	bools := []bool{false, true}
	for _, kind := range kinds {
		for _, domain := range bools {
			for _, approval := range bools {
				for _, open := range bools {
					for _, resume := range states {
						for _, was := range states {
							facts := Facts{Kind: kind, DomainVerified: domain, PendingApproval: approval, Resume: resume, From: was, ClaimOpen: open}
							for _, from := range states {
								for _, s := range Signals() {
									f(from, s, facts)
								}
							}
						}
					}
				}
			}
		}
	}
}

func TestTableSaysWhatTheDomainSays(t *testing.T) {
	t.Parallel()
	used := map[int]bool{}
	everything(func(from connector.State, s Signal, f Facts) {
		got, ok := Next(from, s, f)
		want, wantOK := expected(from, s, f)
		if got != want || ok != wantOK {
			t.Fatalf("Next(%q, %s, %+v) = %q, %v; want %q, %v", from, s, f, got, ok, want, wantOK)
		}
		if !ok && got != from {
			t.Fatalf("Next(%q, %s, %+v) is refused but moves to %q", from, s, f, got)
		}
		for i, r := range table {
			if slices.Contains(r.from, from) && slices.Contains(r.signals, s) && r.when.holds(&f) {
				used[i] = true
				break
			}
		}
	})
	for i := range table {
		if !used[i] {
			t.Errorf("row %d (%v %v, %s) can never be reached", i, table[i].from, table[i].signals, table[i].when.text)
		}
	}
}

func TestNobodyIsCreatedInactive(t *testing.T) {
	t.Parallel()
	everything(func(_ connector.State, _ Signal, f Facts) {
		if s := First(f); s == connector.Inactive || !s.Live() {
			t.Fatalf("First(%+v) = %q", f, s)
		}
	})
}

func TestNobodySignsInWithoutProofOrApproval(t *testing.T) {
	t.Parallel()
	everything(func(from connector.State, _ Signal, f Facts) {
		to, ok := Next(from, SignIn, f)
		if ok && (f.PendingApproval || !from.MayUse() || !to.MayUse()) {
			t.Fatalf("Next(%q, sign_in, %+v) = %q, accepted", from, f, to)
		}
	})
}

func TestStories(t *testing.T) {
	t.Parallel()
	type step struct {
		signal Signal
		facts  Facts
		want   connector.State
		ok     bool
	}
	tests := map[string][]step{
		"SSO auto-creation on a verified domain ends active": {
			{Created, Facts{Kind: connector.SignIn, DomainVerified: true}, connector.Verified, true},
			{SignIn, Facts{Kind: connector.SignIn, DomainVerified: true}, connector.Active, true},
		},
		"SCIM creates somebody with active false": {
			{Created, Facts{Kind: connector.SCIM, DomainVerified: true}, connector.Verified, true},
			{Deactivate, Facts{Kind: connector.SCIM, DomainVerified: true}, connector.Inactive, true},
		},
		"a leaver returns after the domain was verified": {
			{Created, Facts{Kind: connector.Directory}, connector.NotVerified, true},
			{Deactivate, Facts{Kind: connector.Directory}, connector.Inactive, true},
			{SignIn, Facts{Kind: connector.Directory, DomainVerified: true}, connector.Inactive, false},
			{Reactivate, Facts{Kind: connector.Directory, DomainVerified: true, Resume: connector.NotVerified}, connector.Active, true},
		},
		"a verified domain that lost its proof sets nobody back": {
			{Created, Facts{Kind: connector.Directory, DomainVerified: true}, connector.Active, true},
			{Deactivate, Facts{Kind: connector.Directory}, connector.Inactive, true},
			{Reactivate, Facts{Kind: connector.Directory, Resume: connector.Active}, connector.Active, true},
		},
		"a claim that waits, is deactivated, returns and expires": {
			{Created, Facts{Kind: connector.Administrator, From: connector.Active, ClaimOpen: true}, connector.ClaimPending, true},
			{SignIn, Facts{From: connector.Active, ClaimOpen: true}, connector.ClaimPending, true},
			{Deactivate, Facts{From: connector.Active, ClaimOpen: true}, connector.Inactive, true},
			{Reactivate, Facts{From: connector.Active, ClaimOpen: true, Resume: connector.ClaimPending}, connector.ClaimPending, true},
			{ClaimExpired, Facts{From: connector.Active}, connector.Active, true},
		},
		"a run that deleted somebody who had been active is undone": {
			{Created, Facts{Kind: connector.Directory, DomainVerified: true}, connector.Active, true},
			{Deactivate, Facts{}, connector.Inactive, true},
			{Delete, Facts{}, connector.Deleted, true},
			{Reactivate, Facts{Resume: connector.Active}, connector.Deleted, false},
			{RolledBack, Facts{Resume: connector.Active}, connector.Inactive, true},
			{Reactivate, Facts{Resume: connector.Active}, connector.Active, true},
		},
		"the grace period ends": {
			{Created, Facts{Kind: connector.Import}, connector.NotVerified, true},
			{GraceOver, Facts{Kind: connector.Import}, connector.NotVerified, false},
			{Deactivate, Facts{Kind: connector.Import}, connector.Inactive, true},
			{GraceOver, Facts{Kind: connector.Import}, connector.Deleted, true},
			{Reactivate, Facts{Kind: connector.Import, Resume: connector.NotVerified}, connector.Deleted, false},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var state connector.State
			for _, s := range steps {
				got, ok := Next(state, s.signal, s.facts)
				if got != s.want || ok != s.ok {
					t.Fatalf("%q + %s = %q, %v; want %q, %v", state, s.signal, got, ok, s.want, s.ok)
				}
				state = got
			}
		})
	}
}

const (
	blockBegin = "<!-- lifecycle:begin -->\n"
	blockEnd   = "<!-- lifecycle:end -->"
)

func TestArchitectureHoldsTheTable(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "ARCHITECTURE.md")
	want := "\n" + Markdown() + "\n```mermaid\n" + Mermaid() + "```\n\n"
	raw, err := os.ReadFile(path)
	if *update && os.IsNotExist(err) {
		raw, err = []byte("# Architecture of usherd\n\n"+blockBegin+blockEnd+"\n"), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	before, rest, ok := strings.Cut(text, blockBegin)
	got, after, closed := strings.Cut(rest, blockEnd)
	if !ok || !closed {
		t.Fatalf("%s has no block between %q and %q", path, blockBegin, blockEnd)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+blockBegin+want+blockEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is not fresh, run go test ./connector/lifecycle -update (-want +got):\n%s", path, diff)
	}
}

func TestRowsAreCopies(t *testing.T) {
	t.Parallel()
	Rows()[0].From[0] = connector.Deleted
	if got := Rows()[0].From[0]; got != "" {
		t.Errorf("the table was changed through Rows: %q", got)
	}
}
