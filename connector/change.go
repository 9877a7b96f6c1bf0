package connector

import (
	"slices"
	"strconv"
	"time"
)

// Action is what a decision comes to.
type Action string

// The actions; counts and reports use the same words.
const (
	Created     Action = "created"
	Updated     Action = "updated"
	Reactivated Action = "reactivated"
	Deactivated Action = "deactivated"
	Removed     Action = "deleted"
	Unchanged   Action = "unchanged"
	Skipped     Action = "skipped"
	Failed      Action = "failed"
)

// SkipReason says why a record led to nothing although nothing is wrong.
type SkipReason string

// The reasons to skip.
const (
	SkipNewButDisabled SkipReason = "new_but_disabled"   // no account, and the source has it disabled
	SkipProtected      SkipReason = "protected"          // would be deactivated, but is protected
	SkipOutOfScope     SkipReason = "out_of_scope"       // no account, and not in the source's scope
	SkipMoved          SkipReason = "moved"              // changed by somebody else during the run: the next one decides
	SkipUnverifiable   SkipReason = "absence_unverified" // absent from the answer, but the source cannot say that it is gone
	SkipChangedSince   SkipReason = "changed_since"      // not put back: later changes stand in the way
)

// FieldChange is one field of a user before and after: an attribute, or one of the Field names
// below. Nil means that it had, or has, no value.
type FieldChange struct {
	Field  string   `json:"field"`
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
}

// Fields of a user that are no profile attributes; they begin with a capital so that none can meet
// an attribute's name.
const (
	FieldState             = "State"
	FieldPackage           = "Package"
	FieldPackageFixed      = "PackageFixed"
	FieldPendingApproval   = "PendingApproval"
	FieldWas               = "Was"
	FieldResume            = "Resume"
	FieldDeactivatedBy     = "DeactivatedBy"
	FieldDeactivatedSource = "DeactivatedSource"
	FieldDeactivatedReason = "DeactivatedReason"
	FieldDeactivatedAt     = "DeactivatedAt"
	FieldDeleteAt          = "DeleteAt"
)

// Transition is one step of a user's state with its cause in words of the lifecycle table.
type Transition struct {
	From   State  `json:"from,omitempty"` // "" = did not exist
	To     State  `json:"to"`
	Signal string `json:"signal"`
}

// Change is a decision about one person: what happens to whom, and why. Provision makes it, the
// store writes it, reports show it. It is complete in itself: it can be stored and read again.
type Change struct {
	Action  Action
	Org     string
	Source  string
	Anchor  Anchor
	DN      string
	Subject string // user name or e-mail, else DN

	BaseVersion int64 // version of the user that was decided on; 0 = there was none
	After       *User // nil when nothing is written of a user
	Fields      []FieldChange
	Transitions []Transition
	Link        *Link  // to write, nil = leave as it is
	Sibling     *Link  // another link of the user whose Profile must be written out now, nil = none
	Unlink      Anchor // link of the same source that Link replaces: the person was created anew there
	TakeSeat    string // package whose seat is needed
	FreeSeat    string // package whose seat is given back

	Skip     SkipReason
	Failures []Failure
	Waiting  *Record // with a no_seat failure: what to try again when a seat frees
	Warnings []string

	// Linked says that the source is a file (SourceKind.Brought) that had not brought the person yet, and that there was a
	// user already.
	Linked bool

	Removal bool // takes access away: counted by the guard
	Held    bool // waits for approval, not written
}

// Outcome is a change that was not written, as the report of its run keeps it.
type Outcome struct {
	ID     ID // its place: they grow in the order in which they were kept
	Change *Change
}

// Cause is who or what made a change; each event carries one.
type Cause struct {
	Kind  CauseKind
	Run   ID     // when Kind is CauseRun
	Actor string // the person, client or request in words: "cli:root", "run"
}

// CauseKind says what sort of cause it is.
type CauseKind string

// The causes.
const (
	CauseRun     CauseKind = "run"
	CauseRequest CauseKind = "request"
	CausePerson  CauseKind = "person"
)

// Event is one change of a user that has happened. Replaying a user's events in order gives the user.
type Event struct {
	ID          ID
	Org         string
	User        ID
	Action      Action
	Source      string
	Cause       Cause
	At          time.Time
	Version     int64 // of the user afterwards
	Fields      []FieldChange
	Transitions []Transition
	// Anchor and DN are those of the link of Source that a deletion took away, where it had one.
	Anchor Anchor
	DN     string
}

// Diff returns what differs between two users, attributes in order of their names and then the other
// fields; before may be nil. Id, organization, version and time stamps are not compared.
func Diff(before, after *User) []FieldChange {
	none := &User{}
	if before == nil {
		before = none
	}
	if after == nil {
		after = none
	}
	var out []FieldChange
	names := append(before.Profile.Names(), after.Profile.Names()...)
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		if b, a := before.Profile[n], after.Profile[n]; !slices.Equal(b, a) {
			out = append(out, FieldChange{n, b, a})
		}
	}
	for _, f := range userFields {
		if b, a := f.get(before), f.get(after); b != a {
			out = append(out, FieldChange{f.name, some(b), some(a)})
		}
	}
	return out
}

// FieldOf returns the values of a field of u, an attribute's or one of the Field names, as events have
// them.
func FieldOf(u *User, field string) []string {
	for i := range userFields {
		if f := &userFields[i]; f.name == field {
			return some(f.get(u))
		}
	}
	return u.Profile[field]
}

// Replay applies the fields of an event to u, in place; u's Profile must be its own.
func Replay(u *User, fields []FieldChange) {
	if u.Profile == nil {
		u.Profile = Profile{}
	}
	for _, c := range fields {
		if i := slices.IndexFunc(userFields, func(f userField) bool { return f.name == c.Field }); i >= 0 {
			value := ""
			if len(c.After) > 0 {
				value = c.After[0]
			}
			userFields[i].set(u, value)
			continue
		}
		u.Profile.Set(c.Field, c.After...)
	}
}

type userField struct {
	name string
	get  func(*User) string
	set  func(*User, string)
}

var userFields = []userField{
	{FieldState, func(u *User) string { return string(u.State) }, func(u *User, v string) { u.State = State(v) }},
	{FieldPackage, func(u *User) string { return u.Package }, func(u *User, v string) { u.Package = v }},
	{FieldPackageFixed, func(u *User) string { return yes(u.PackageFixed) }, func(u *User, v string) { u.PackageFixed = v != "" }},
	{FieldPendingApproval, func(u *User) string { return yes(u.PendingApproval) }, func(u *User, v string) { u.PendingApproval = v != "" }},
	{FieldWas, func(u *User) string { return string(u.Was) }, func(u *User, v string) { u.Was = State(v) }},
	{FieldResume, func(u *User) string { return string(u.Resume) }, func(u *User, v string) { u.Resume = State(v) }},
	{FieldDeactivatedBy, func(u *User) string { return string(u.DeactivatedBy) }, func(u *User, v string) { u.DeactivatedBy = Authority(v) }},
	{FieldDeactivatedSource, func(u *User) string { return u.DeactivatedSource }, func(u *User, v string) { u.DeactivatedSource = v }},
	{FieldDeactivatedReason, func(u *User) string { return u.DeactivatedReason }, func(u *User, v string) { u.DeactivatedReason = v }},
	{FieldDeactivatedAt, func(u *User) string { return stamp(u.DeactivatedAt) }, func(u *User, v string) { u.DeactivatedAt = unstamp(v) }},
	{FieldDeleteAt, func(u *User) string { return stamp(u.DeleteAt) }, func(u *User, v string) { u.DeleteAt = unstamp(v) }},
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func yes(b bool) string {
	if b {
		return strconv.FormatBool(b)
	}
	return ""
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func unstamp(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
