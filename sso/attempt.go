package sso

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/sso/saml2"
)

// steps are the way of an attempt, in order: those of the assertion, then those of the person.
var steps = []string{
	string(saml2.Received), string(saml2.Signature), string(saml2.Conditions), string(saml2.Replay), "attributes", "match", "rules", "seat", "created",
}

const (
	stepOK      = "ok"
	stepRefused = "refused"
	stepSkipped = "skipped"
)

// trail is what is noted of an attempt on its way.
type trail struct {
	id     connector.ID
	began  time.Time
	issued time.Time // when the response says that it was issued, where it was signed; zero = not known
	steps  []connector.AttemptStep
	person string
	user   connector.ID
	test   *connector.AttemptTest // nil = nobody tests
	back   string                 // where the browser of a test goes then
}

// identify returns the id of the attempt.
func (t *trail) identify(now time.Time) connector.ID {
	if t.id.IsZero() {
		t.id = connector.NewID(now)
	}
	return t.id
}

// pass notes that a step went well, and those before it that nothing was noted of.
func (t *trail) pass(step, detail string) {
	for t.next() != "" {
		name := t.next()
		if name == step {
			t.steps = append(t.steps, connector.AttemptStep{Name: name, Result: stepOK, Detail: detail})
			return
		}
		t.steps = append(t.steps, connector.AttemptStep{Name: name, Result: stepOK})
	}
}

// skewed are the steps with what the clocks differ by.
func (t *trail) skewed() []connector.AttemptStep {
	i := slices.IndexFunc(t.steps, func(s connector.AttemptStep) bool { return s.Name == string(saml2.Conditions) })
	if i >= 0 && !t.issued.IsZero() {
		skew := t.began.Sub(t.issued).Milliseconds()
		t.steps[i].Skew = &skew
	}
	return t.steps
}

// refuse notes the step at which the attempt ended, and that those behind it were not gone.
func (t *trail) refuse(step, detail string) {
	for t.next() != "" {
		s := connector.AttemptStep{Name: t.next(), Result: stepOK}
		switch {
		case s.Name == step:
			s.Result, s.Detail, step = stepRefused, detail, ""
		case step == "":
			s.Result = stepSkipped
		}
		t.steps = append(t.steps, s)
	}
}

// next is the step that nothing was noted of yet, "" behind the last.
func (t *trail) next() string {
	if len(t.steps) == len(steps) {
		return ""
	}
	return steps[len(t.steps)]
}

// passed reports whether a step went well.
func (t *trail) passed(step saml2.Step) bool {
	return slices.ContainsFunc(t.steps, func(s connector.AttemptStep) bool { return s.Name == string(step) && s.Result == stepOK })
}

// kept reports whether there is room for the attempt: for that of a person whom the identity provider has signed in at
// this moment always.
func (v *visit) kept() bool {
	switch {
	case !v.provider.Keep:
		return false
	case v.trail.passed(saml2.Replay), v.trail.test != nil:
		return true
	case v.trail.passed(saml2.Signature):
		return v.allowed("stale", staleRate)
	}
	return v.allowed("strange", strangeRate)
}

// keep writes the attempt; f is nil where the person is in. That it cannot be written is told in the log and keeps
// nobody out.
func (v *visit) keep(f *connector.Failure) {
	t := &v.trail
	now := v.s.o.Now()
	a := connector.Attempt{
		ID: t.identify(now), Org: v.org.Settings.ID, Source: v.source, At: t.began, Person: t.person, User: t.user,
		Remote: v.s.o.Gate.Address(v.r), Took: now.Sub(t.began), Steps: t.skewed(), Test: t.test,
	}
	if f != nil {
		a.Code, a.Reason, a.Ref = f.Code, f.Reason, f.Ref
	}
	if t.test == nil {
		v.s.o.Metrics.attempt(a)
	}
	if !v.kept() {
		return
	}
	if err := v.s.o.Store.PutAttempt(context.WithoutCancel(v.r.Context()), a); err != nil {
		v.s.o.Log.Error("an attempt to sign in could not be kept", zap.String("source", a.Org+"/"+a.Source), zap.Error(err))
	}
}

// masked shows of a value how it begins and, of an address, its domain.
func masked(s string) string {
	local, domain, address := strings.Cut(s, "@")
	first, _ := utf8.DecodeRuneInString(local)
	if local == "" || first == utf8.RuneError {
		return "…"
	}
	if address {
		return string(first) + "…@" + domain
	}
	return string(first) + "…"
}
