package provision

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// goal is what people ask for, as a place in the table of states.
type goal struct {
	name    Goal
	reached func(connector.State, lifecycle.Facts) bool
}

var goals = []goal{
	{ToComeBack, func(s connector.State, _ lifecycle.Facts) bool { return s.Live() && s != connector.Inactive }},
	{ToSignIn, func(s connector.State, f lifecycle.Facts) bool {
		_, ok := lifecycle.Next(s, lifecycle.SignIn, f)
		return ok
	}},
	{ToBeActive, func(s connector.State, f lifecycle.Facts) bool { return s == connector.Active && !f.PendingApproval }},
}

// ways says what would have to happen for what the user is not. The steps come from the table of states;
// only how to take a step is said here.
func (x *explainer) ways() []Way {
	if x.past || !x.user.State.Live() {
		return nil
	}
	var out []Way
	var last []lifecycle.Step
	for _, g := range goals {
		if g.reached(x.user.State, x.facts) || g.name == ToBeActive && x.user.State == connector.ClaimPending {
			continue
		}
		way, _ := lifecycle.Way(x.user.State, x.facts, x.signals(), g.reached)
		if n := len(out); n > 0 && slices.Equal(way, last) {
			out[n-1].Goals = append(out[n-1].Goals, g.name)
			continue
		}
		last = way
		out = append(out, Way{Goals: []Goal{g.name}, Steps: x.told(way)})
	}
	if x.user.Package == "" || x.waiting != nil {
		out = append(out, Way{Goals: []Goal{ToGetAPlace}, Steps: []WayStep{{Either: x.toGetPackage()}}})
	}
	return out
}

// signals are those that can come for this user, the most natural first.
func (x *explainer) signals() []lifecycle.Signal {
	out := []lifecycle.Signal{lifecycle.Reactivate}
	if x.facts.Kind == connector.Directory {
		out = append(out, lifecycle.DirectorySeen)
	} else if x.org.ReevaluateOnDomainVerified {
		out = append(out, lifecycle.DomainVerified)
	}
	return append(out, lifecycle.SignIn)
}

// told says how each step is taken. A reactivation that needs a seat asks for one first.
func (x *explainer) told(way []lifecycle.Step) []WayStep {
	var out []WayStep
	for _, s := range way {
		if s.Signal == lifecycle.Reactivate {
			if act, short := x.seatFirst(); short {
				out = append(out, WayStep{Either: []Act{act}})
			}
		}
		step := WayStep{Either: x.acts(s)}
		if s.To != s.From {
			step.To = s.To
		}
		out = append(out, step)
	}
	return out
}

// acts is who can take a step and how.
func (x *explainer) acts(s lifecycle.Step) []Act {
	switch {
	case s.Need == lifecycle.NeedApproval:
		return []Act{{What: x.say("act.approve", nil), Command: "usherd user approve " + x.key()}}
	case s.Need == lifecycle.NeedDomain:
		return x.toProveDomain()
	case s.Signal == lifecycle.Reactivate:
		return x.toReactivate()
	case s.Signal == lifecycle.DirectorySeen:
		return x.toBeSeen()
	case s.Signal == lifecycle.DomainVerified:
		return []Act{{What: x.say("act.by_itself", nil)}}
	case s.Signal == lifecycle.SignIn:
		return []Act{{What: x.say("act.sign_in", nil)}}
	}
	return []Act{{What: string(s.Signal)}}
}

// key names the user on a command line.
func (x *explainer) key() string { return CommandKey(x.user.UserName(), x.user.ID.String()) }

// CommandKey is how a user is called on a command line without a need for quotes: by its user name, or else by its id.
func CommandKey(name, id string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-", r)
	}
	if name == "" || name[0] == '-' || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return id
	}
	return name
}

func (x *explainer) toProveDomain() []Act {
	d := x.domain
	switch {
	case d == nil:
		return []Act{x.change(connector.Email, x.say("act.other_domain", nil))}
	case d.Elsewhere:
		return []Act{{What: x.say("act.release", values{"Domain": d.Name})}}
	case d.Entry != "":
		return []Act{{What: x.say("act.publish", values{"Domain": d.Entry}), Command: "usherd domain check " + d.Entry}}
	}
	return []Act{{What: x.say("act.add_domain", values{"Domain": d.Name}), Command: "usherd domain add " + d.Name}}
}

// change is an act on the source attributes that the owner of an attribute makes it from.
func (x *explainer) change(attribute, what string) Act {
	act := Act{What: what}
	for _, l := range x.links {
		if r := x.rule(l.Source, attribute); r != nil && len(r.Attributes) > 0 {
			act.Source, act.DN, act.Attributes = l.Source, l.DN, r.Attributes
			return act
		}
	}
	return act
}

// toReactivate: by the source that took the access away, and always by an administrator.
func (x *explainer) toReactivate() []Act {
	admin := Act{What: x.say("act.reactivate", nil), Command: "usherd user reactivate " + x.key()}
	u := x.user
	if u.DeactivatedBy == connector.ByAdministrator || x.org.Source(u.DeactivatedSource) == nil {
		return []Act{admin}
	}
	admin.What = x.say("act.reactivate_against", nil)
	act := Act{Source: u.DeactivatedSource}
	for _, l := range x.links {
		if l.Source == act.Source {
			act.DN = l.DN
		}
	}
	switch connector.Standing(u.DeactivatedReason) {
	case connector.StandingGone:
		act.What = x.say("act.restore", nil)
	case connector.StandingOutOfScope:
		act.What = x.say("act.into_scope", nil)
	case connector.StandingDisabled, connector.StandingEnabled, connector.StandingUnknown:
		act.What = x.say("act.enable", nil)
	}
	act.Command = "usherd sync --source " + act.Source
	return []Act{act, admin}
}

// toBeSeen: a run of a directory that has the person enabled.
func (x *explainer) toBeSeen() []Act {
	var out []Act
	for _, l := range x.links {
		if s := x.org.Source(l.Source); s != nil && s.Kind == connector.Directory && present(l.Standing) {
			out = append(out, Act{
				What: x.say("act.next_run", values{"Source": l.Source}), Source: l.Source, DN: l.DN,
				Command: fmt.Sprintf("usherd sync --source %s --person %s", l.Source, x.key()),
			})
		}
	}
	if out == nil {
		out = []Act{{What: x.say("act.a_run", nil)}}
	}
	return out
}

// seatFirst says what to do when the user would need a seat of a package that is full.
func (x *explainer) seatFirst() (Act, bool) {
	s := x.seatsOf(x.user.Package)
	if s == nil || s.Free() > 0 || x.user.HoldsSeat(x.org.InactiveHoldsSeat) {
		return Act{}, false
	}
	return x.freeSeat(s), true
}

func (x *explainer) freeSeat(s *connector.SeatCount) Act {
	return Act{
		What:    x.say("act.free_seat", values{"Package": s.Package, "Used": strconv.Itoa(s.Used), "Seats": strconv.Itoa(s.Seats)}),
		Command: "usherd seats",
	}
}

// toGetPackage: the seat that is waited for, the rule of the mapping, or an administrator.
func (x *explainer) toGetPackage() []Act {
	var out []Act
	if x.waiting != nil {
		if s := x.seatsOf(x.waiting.Package); s != nil {
			out = append(out, x.freeSeat(s))
		}
	}
	if act := x.change("package", x.say("act.record_package", nil)); len(act.Attributes) > 0 && x.waiting == nil && !x.user.PackageFixed {
		out = append(out, act)
	}
	if x.user.PackageFixed {
		out = append(out, Act{What: x.say("act.release_package", nil), Command: "usherd user package " + x.key() + " --release"})
	}
	return append(out, Act{What: x.say("act.give_package", nil), Command: "usherd user package " + x.key() + " --to PACKAGE"})
}
