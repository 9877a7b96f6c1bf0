package sso

import (
	"context"
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

	// What nobody has proven to be from the identity provider is kept slowly: whoever likes may send it.
	strangeRate, strangeBurst = 1, 100
)

// trail is what is noted of an attempt on its way.
type trail struct {
	id     connector.ID
	began  time.Time
	steps  []connector.AttemptStep
	person string
	user   connector.ID
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

// proven reports whether the identity provider has signed what came.
func (t *trail) proven() bool {
	return len(t.steps) > 1 && t.steps[1].Result == stepOK
}

// keep writes the attempt; f is nil where the person is in. That it cannot be written is told in the log and keeps
// nobody out.
func (v *visit) keep(f *connector.Failure) {
	t := &v.trail
	now := v.s.o.Now()
	a := connector.Attempt{
		ID: t.identify(now), Org: v.org.Settings.ID, Source: v.source, At: t.began, Person: t.person, User: t.user,
		Remote: v.s.o.Gate.Address(v.r), Took: now.Sub(t.began), Steps: t.steps,
	}
	if f != nil {
		a.Code, a.Reason, a.Ref = f.Code, f.Reason, f.Ref
	}
	v.s.o.Metrics.attempt(a)
	if !v.provider.Keep || !t.proven() && !v.allowed("strange", strangeRate, strangeBurst) {
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
