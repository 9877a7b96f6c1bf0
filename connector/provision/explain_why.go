package provision

import (
	"fmt"
	"slices"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// values fill the placeholders of a sentence.
type values = map[string]string

// say words a sentence of this explanation.
func (x *explainer) say(key string, v values) string { return x.req.Say(key, v) }

// standing says what a source says of a person.
func (x *explainer) standing(s connector.Standing) string {
	if s == connector.StandingUnknown {
		return x.say("standing.unknown", nil)
	}
	return x.say("standing."+string(s), nil)
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
		t.Why = x.happened(s) + " (" + x.cause(t) + ")"
		out = append(out, t)
	}
	return out
}

// told are the signals that have words of their own, for the history.
var told = []lifecycle.Signal{
	lifecycle.Created, lifecycle.EmailProven, lifecycle.DirectorySeen, lifecycle.DomainVerified, lifecycle.SignIn, lifecycle.Deactivate, lifecycle.Reactivate,
	lifecycle.ClaimedElsewhere, lifecycle.ClaimDecided, lifecycle.ClaimExpired, lifecycle.GraceOver, lifecycle.Delete,
}

// happened says what a step was; of a deactivation also on whose word.
func (x *explainer) happened(s step) string {
	what := s.Signal
	if slices.Contains(told, lifecycle.Signal(s.Signal)) {
		what = x.say("signal."+s.Signal, nil)
	}
	if s.Signal != string(lifecycle.Deactivate) {
		return what
	}
	after := &connector.User{}
	connector.Replay(after, s.event.Fields)
	switch after.DeactivatedBy {
	case connector.ByAdministrator:
		return worded(x.say("by_administrator", nil), after.DeactivatedReason)
	case connector.BySource:
		return x.say("by_source", values{"Source": after.DeactivatedSource, "Says": x.spoken(after.DeactivatedReason)})
	}
	return what
}

func worded(what, words string) string {
	if words == "" {
		return what
	}
	return fmt.Sprintf("%s (%q)", what, words)
}

// standings are what a source can say, where it says something.
var standings = []connector.Standing{
	connector.StandingEnabled, connector.StandingDisabled, connector.StandingGone, connector.StandingOutOfScope, connector.StandingUnknown,
}

// spoken is a source's reason in words.
func (x *explainer) spoken(reason string) string {
	if s := connector.Standing(reason); slices.Contains(standings, s) {
		return x.standing(s)
	}
	return reason
}

// cause says what made a change.
func (x *explainer) cause(t ExplainedTransition) string {
	by := values{"Mode": string(t.Mode), "Source": t.Source, "Actor": t.Actor}
	switch {
	case t.Kind == connector.CauseRun && t.Mode != "":
		by["Mode"] = x.say("mode."+string(t.Mode), nil)
		return x.say("by_run", by)
	case t.Kind == connector.CauseRun && t.Source != "":
		return x.say("by_a_run", by)
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
		add(x.say("approval", nil))
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
	return x.say("since", values{"State": x.state(), "At": timeText(s.event.At), "Why": ts[len(ts)-1].Why})
}

// whyDomain says how the domain bears on a state that is not inactive.
func (x *explainer) whyDomain() string {
	d := x.domain
	if d == nil {
		return x.say("domain.none", nil)
	}
	v := values{"Domain": d.Name, "Entry": d.Entry, "At": timeText(d.Since), "Error": d.LastError}
	switch {
	case d.Verified && d.Entry != d.Name:
		return x.say("domain.verified_by", v)
	case d.Verified:
		return x.say("domain.verified", v)
	case x.user.State != connector.NotVerified:
		return x.say("domain.kept", v)
	case d.Elsewhere:
		return x.say("domain.elsewhere", v)
	case d.Entry != "" && d.LastError != "":
		return x.say("domain.failed", v)
	case d.Entry != "":
		return x.say("domain.waits", v)
	}
	return x.say("domain.no_entry", v)
}

// state is the user's state in words.
func (x *explainer) state() string { return x.say("state."+string(x.user.State), nil) }

// whyInSpite says why the user has its access although the sources say something else.
func (x *explainer) whyInSpite() string {
	if x.past {
		return ""
	}
	switch {
	case x.saysSrc == "" && len(x.links) == 0:
		return x.say("spite.nobody", nil)
	case x.saysSrc == "":
		return x.say("spite.no_source", nil)
	case x.says != connector.StandingDisabled && present(x.says):
		return ""
	case x.protected():
		return x.say("spite.protected", x.said())
	case x.givenBack():
		return x.say("spite.given_back", x.said())
	}
	return x.say("spite.next_run", x.said())
}

// said is what the source that counts says of the user.
func (x *explainer) said() values { return values{"Source": x.saysSrc, "Says": x.standing(x.says)} }

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
		return x.say("back.administrator", nil)
	case x.org.Source(u.DeactivatedSource) == nil:
		return x.say("back.no_source", values{"Source": u.DeactivatedSource})
	}
	return x.say("back.source", values{"Source": u.DeactivatedSource})
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
	v := values{"At": timeText(u.DeleteAt), "Source": x.keptBy()}
	switch {
	case u.DeleteAt.IsZero():
		return x.say("deleted.never", nil)
	case x.past:
		return x.say("deleted.was", v)
	case x.keptBy() != "":
		return x.say("deleted.kept", v)
	case !u.DeleteAt.After(x.now):
		return x.say("deleted.over", v)
	}
	return x.say("deleted.at", v)
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
	why := x.say("signin.is", values{"State": x.state()})
	switch {
	case ok:
	case !u.State.Live():
		why = x.say("signin.gone", nil)
	case u.State == connector.Inactive:
		why = x.say("signin.deactivated", nil)
	case u.State == connector.NotVerified:
		why = x.say("signin.not_proven", nil)
	case u.PendingApproval:
		why = x.say("signin.approval", nil)
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
		add(connector.FieldPackageFixed, x.packageFixed())
	}
	if !u.PendingApproval {
		add(connector.FieldPendingApproval, x.say("local.approved", nil))
	}
	switch {
	case u.DeactivatedBy == connector.ByAdministrator:
		add(connector.FieldDeactivatedBy, worded(x.say("local.deactivated", nil), u.DeactivatedReason))
	case x.givenBack() && !x.past && (x.says == connector.StandingDisabled || !present(x.says)):
		add(connector.FieldDeactivatedBy, x.say("local.reactivated", nil))
	}
	return out
}

func (x *explainer) packageFixed() string {
	if x.user.Package == "" {
		return x.say("local.no_package", nil)
	}
	return x.say("local.package", values{"Package": x.user.Package})
}
