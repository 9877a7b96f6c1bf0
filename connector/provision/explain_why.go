package provision

import (
	"fmt"
	"strings"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// standingWords say what a source says of a person.
var standingWords = map[connector.Standing]string{
	connector.StandingEnabled: "enabled", connector.StandingDisabled: "disabled", connector.StandingGone: "gone",
	connector.StandingOutOfScope: "out of its scope", connector.StandingUnknown: "nothing certain",
}

// signalWords say what happened, for the history.
var signalWords = map[lifecycle.Signal]string{
	lifecycle.Created:          "created",
	lifecycle.EmailProven:      "the e-mail address was proven",
	lifecycle.DirectorySeen:    "seen enabled in a directory, the domain being verified",
	lifecycle.DomainVerified:   "the domain of the e-mail address was verified",
	lifecycle.SignIn:           "the person signed in",
	lifecycle.Deactivate:       "deactivated",
	lifecycle.Reactivate:       "reactivated",
	lifecycle.ClaimedElsewhere: "another organization took the person over",
	lifecycle.ClaimDecided:     "the person decided about the old data",
	lifecycle.ClaimExpired:     "the time to decide about the old data was over",
	lifecycle.GraceOver:        "the grace period was over",
	lifecycle.Delete:           "deleted",
}

// transitions tells each step with its cause.
func (x *explainer) transitions() []ExplainedTransition {
	out := make([]ExplainedTransition, 0, len(x.steps))
	for _, s := range x.steps {
		e := s.event
		t := ExplainedTransition{
			Transition: s.Transition, At: e.At.UTC(), Kind: e.Cause.Kind, Actor: e.Cause.Actor, Source: e.Source, Run: e.Cause.Run,
		}
		if run := x.runs[e.Cause.Run]; run != nil {
			t.Mode = run.Mode
		}
		t.Why = happened(s) + " (" + cause(t) + ")"
		out = append(out, t)
	}
	return out
}

// happened says what a step was; of a deactivation also on whose word.
func happened(s step) string {
	what := signalWords[lifecycle.Signal(s.Signal)]
	if what == "" {
		what = s.Signal
	}
	if s.Signal != string(lifecycle.Deactivate) {
		return what
	}
	after := &connector.User{}
	connector.Replay(after, s.event.Fields)
	switch after.DeactivatedBy {
	case connector.ByAdministrator:
		return worded(what+" by an administrator", after.DeactivatedReason)
	case connector.BySource:
		return fmt.Sprintf("%s, for %s says %s", what, after.DeactivatedSource, spoken(after.DeactivatedReason))
	}
	return what
}

func worded(what, words string) string {
	if words == "" {
		return what
	}
	return fmt.Sprintf("%s (%q)", what, words)
}

// spoken is a source's reason in words.
func spoken(reason string) string {
	if w, ok := standingWords[connector.Standing(reason)]; ok {
		return w
	}
	return reason
}

// cause says what made a change.
func cause(t ExplainedTransition) string {
	switch {
	case t.Kind == connector.CauseRun && t.Mode != "":
		return fmt.Sprintf("%s run of %s by %s", t.Mode, t.Source, t.Actor)
	case t.Kind == connector.CauseRun && t.Source != "":
		return fmt.Sprintf("a run of %s by %s", t.Source, t.Actor)
	}
	return t.Actor
}

// why tells in a few sentences why the user is in its state.
func (x *explainer) why() []string {
	var out []string
	add := func(s string) {
		if s != "" {
			out = append(out, s)
		}
	}
	add(x.whySince())
	if !x.user.State.Live() {
		return out
	}
	if x.user.State == connector.Inactive {
		add(x.whoBringsBack())
		add(x.whenDeleted())
	} else {
		add(x.whyDomain())
		add(x.whyInSpite())
	}
	if x.user.PendingApproval {
		add("An administrator has to approve the account: until then sign-in is refused.")
	}
	return out
}

// whySince names the step that led to the state.
func (x *explainer) whySince() string {
	if len(x.steps) == 0 {
		return ""
	}
	s := x.steps[len(x.steps)-1]
	ts := x.transitions()
	return fmt.Sprintf("It is %s since %s: %s.", x.user.State, timeText(s.event.At), ts[len(ts)-1].Why)
}

// whyDomain says how the domain bears on a state that is not inactive.
func (x *explainer) whyDomain() string {
	d := x.domain
	switch {
	case d == nil:
		return "Its e-mail address has no domain that could be verified."
	case d.Verified:
		text := fmt.Sprintf("The domain %s is verified", d.Name)
		if d.Entry != d.Name {
			text += " by " + d.Entry
		}
		return text + " since " + timeText(d.Since) + "."
	case x.user.State != connector.NotVerified:
		return fmt.Sprintf("The domain %s is not verified, but a state once reached is kept.", d.Name)
	case d.Elsewhere:
		return fmt.Sprintf("The domain %s is claimed by another organization, so it cannot verify anybody here.", d.Name)
	case d.Entry != "":
		return strings.TrimSuffix(fmt.Sprintf("The domain %s is not verified: the entry %s waits for its proof: %s", d.Name, d.Entry, d.LastError), ": ") + "."
	}
	return fmt.Sprintf("The domain %s is not verified: the organization has no entry for it.", d.Name)
}

// whyInSpite says why the user has its access although the sources say something else.
func (x *explainer) whyInSpite() string {
	if x.past {
		return ""
	}
	switch {
	case x.saysSrc == "" && len(x.links) == 0:
		return "No source has brought it: only administrators decide about it."
	case x.saysSrc == "":
		return "The configuration does not have its source any more: only administrators decide about it."
	case x.says != connector.StandingDisabled && present(x.says):
		return ""
	case x.protected():
		return fmt.Sprintf("%s says %s, but the user is protected: no source may deactivate it.", x.saysSrc, standingWords[x.says])
	case x.givenBack():
		return fmt.Sprintf("%s says %s, but an administrator gave the access back: that holds until the source says something new.",
			x.saysSrc, standingWords[x.says])
	}
	return fmt.Sprintf("%s says %s: the next run decides about it.", x.saysSrc, standingWords[x.says])
}

// givenBack reports whether the last word about the access was an administrator's, who gave it.
func (x *explainer) givenBack() bool {
	return x.user.State != connector.Inactive && x.marks[connector.FieldDeactivatedBy].cause.Kind == connector.CausePerson
}

func (x *explainer) protected() bool {
	for _, l := range x.links {
		if l.Protected {
			return true
		}
	}
	return false
}

// whoBringsBack says on whose word an inactive user returns.
func (x *explainer) whoBringsBack() string {
	u := x.user
	switch {
	case u.DeactivatedBy == connector.ByAdministrator:
		return "Only an administrator gives the access back: no source does."
	case x.org.Source(u.DeactivatedSource) == nil:
		return fmt.Sprintf("The configuration does not have %s any more: only an administrator gives the access back.", u.DeactivatedSource)
	}
	return fmt.Sprintf("It comes back when %s says enabled again, or when an administrator gives the access back.", u.DeactivatedSource)
}

// keptBy is the source that has an inactive user enabled, for which it is not deleted.
func (x *explainer) keptBy() string {
	for _, l := range x.links {
		if l.Standing == connector.StandingEnabled && x.org.Source(l.Source) != nil {
			return l.Source
		}
	}
	return ""
}

func (x *explainer) whenDeleted() string {
	u := x.user
	switch {
	case u.DeleteAt.IsZero():
		return "It is not deleted by itself."
	case x.past:
		return fmt.Sprintf("It was to be deleted at %s.", timeText(u.DeleteAt))
	case x.keptBy() != "":
		return fmt.Sprintf("Its grace period ends at %s, but it is not deleted as long as %s has it enabled.", timeText(u.DeleteAt), x.keptBy())
	case !u.DeleteAt.After(x.now):
		return fmt.Sprintf("Its grace period ended at %s: the next full run of its source deletes it.", timeText(u.DeleteAt))
	}
	return fmt.Sprintf("It is deleted at %s, unless it comes back before.", timeText(u.DeleteAt))
}

func (x *explainer) deactivated() *ExplainedEnd {
	u := x.user
	if u.State != connector.Inactive {
		return nil
	}
	end := &ExplainedEnd{
		By: u.DeactivatedBy, Source: u.DeactivatedSource, Reason: u.DeactivatedReason, At: u.DeactivatedAt.UTC(), Before: u.Resume,
		Back: x.whoBringsBack(), DeleteAt: u.DeleteAt.UTC(),
	}
	if u.DeleteAt.IsZero() {
		end.DeleteAt = u.DeleteAt
	} else if !x.past {
		end.KeptBy = x.keptBy()
	}
	return end
}

// signIn asks the table of states.
func (x *explainer) signIn() Verdict {
	u := x.user
	_, ok := lifecycle.Next(u.State, lifecycle.SignIn, x.facts)
	why := "it is " + string(u.State)
	switch {
	case ok:
	case !u.State.Live():
		why = "the account does not exist any more"
	case u.State == connector.Inactive:
		why = "it is deactivated, and signing in never gives the access back"
	case u.State == connector.NotVerified:
		why = "its identity is not proven yet"
	case u.PendingApproval:
		why = "it waits for an administrator's approval"
	}
	return Verdict{ok, why}
}

// local tells what administrators decided.
func (x *explainer) local() []LocalDecision {
	var out []LocalDecision
	add := func(field, what string) {
		if m := x.marks[field]; m.cause.Kind == connector.CausePerson {
			out = append(out, LocalDecision{field, what, m.cause.Actor, m.at.UTC()})
		}
	}
	u := x.user
	if !u.State.Live() {
		return nil
	}
	if u.PackageFixed {
		add(connector.FieldPackageFixed, fmt.Sprintf("the package is %s; sources leave it alone", orNone(u.Package)))
	}
	if !u.PendingApproval {
		add(connector.FieldPendingApproval, "approved")
	}
	switch {
	case u.DeactivatedBy == connector.ByAdministrator:
		add(connector.FieldDeactivatedBy, worded("deactivated; no source gives the access back", u.DeactivatedReason))
	case x.givenBack() && !x.past && (x.says == connector.StandingDisabled || !present(x.says)):
		add(connector.FieldDeactivatedBy, "reactivated; that holds until a source says something new")
	}
	return out
}
