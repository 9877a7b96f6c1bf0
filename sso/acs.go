package sso

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/sso/saml2"
)

// maxForm bounds what is posted: the largest response in base64, each of whose characters may be escaped.
const maxForm = 4*saml2.MaxBytes + 64<<10

// acs takes a response of the identity provider.
func (v *visit) acs() {
	if v.r.Method != http.MethodPost {
		v.w.Header().Set("Allow", http.MethodPost)
		code, detail := mistaken(v.r.URL.Query(), 5, "the response came by "+v.r.Method)
		v.refuse(http.StatusMethodNotAllowed, string(saml2.Received), v.failure(code, detail))
		return
	}
	if !v.welcome("acs", 1) {
		return
	}
	response, relay, code, err := v.form()
	if err != nil {
		v.refuse(http.StatusBadRequest, string(saml2.Received), v.failure(code, err.Error()))
		return
	}
	verifier, code := v.verifier()
	if code != 0 {
		v.refuse(http.StatusServiceUnavailable, string(saml2.Received), v.failure(code, "the identity provider is not known"))
		return
	}
	request, err := v.claim(relay)
	if err != nil {
		v.mishap("request", err)
		return
	}
	v.trail.note(request.Trial)
	a, err := verifier.Verify(v.r.Context(), response, request.Request, v.s.o.Now())
	var fault *saml2.Error
	switch {
	case errors.As(err, &fault):
		v.trail.issued = fault.IssuedAt
		v.refuse(http.StatusForbidden, string(fault.Step), v.failure(fault.Code, fault.Detail))
		return
	case err != nil:
		v.mishap("replay", err)
		return
	}
	v.trail.issued = a.IssuedAt
	v.trail.pass(string(saml2.Replay), "")
	v.enter(a, request.Return)
}

// form reads what was posted. code is that of an error.
func (v *visit) form() (response []byte, relay string, code connector.Code, err error) {
	if media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, "", 6, errors.New("what was posted is no form")
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return nil, "", 6, fmt.Errorf("the form cannot be read: %w", err)
	}
	list, relays := v.r.PostForm["SAMLResponse"], v.r.PostForm["RelayState"]
	if len(list) != 1 || len(relays) > 1 {
		code, detail := mistaken(v.r.PostForm, 6, fmt.Sprintf("the form has SAMLResponse %d times and RelayState %d times", len(list), len(relays)))
		return nil, "", code, errors.New(detail)
	}
	if response, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(list[0]), "")); err != nil || len(response) == 0 {
		return nil, "", 6, errors.New("SAMLResponse is not base64")
	}
	if len(relays) == 1 {
		relay = relays[0]
	}
	return response, relay, 0, nil
}

// mistaken tells what identity providers send here that are set up for something else, and where it is nothing of that
// gives back what it was given.
func mistaken(form url.Values, code connector.Code, detail string) (connector.Code, string) {
	switch {
	case form.Has("SAMLResponse"):
	case form.Has("SAMLart"):
		return 12, "the response came as an artifact, and responses are taken by HTTP-POST only"
	case form.Has("wresult"):
		return 22, "the answer is one of WS-Federation"
	case form.Has("SAMLRequest"):
		return 30, "a request came where responses go: there is no single logout"
	}
	return code, detail
}

// claim takes the request that the browser comes back for. One that is over, was used, or belongs to another browser
// is none: what answers it is refused, since nothing is open. A RelayState that we have not made is the place in the
// application to which a sign-in leads that began at the identity provider, where it is one.
func (v *visit) claim(relay string) (asked, error) {
	if !isSecret(relay) {
		var request asked
		if safePlace(relay) {
			request.Return = relay
		}
		return request, nil
	}
	t, ok, err := v.s.o.Store.TakeTicket(v.r.Context(), v.org.Settings.ID, v.source, connector.RequestTicket, hashOf(relay), v.s.o.Now())
	if err != nil || !ok {
		return asked{}, err
	}
	var request asked
	if err := json.Unmarshal(t.Data, &request); err != nil {
		return asked{}, err
	}
	if c, none := v.r.Cookie(cookie); none == nil && hashOf(c.Value) == request.Browser {
		return request, nil
	}
	return asked{}, nil
}

// enter hands the assertion in as a record, and lets the person in whose account that leaves fit for it.
func (v *visit) enter(a *saml2.Assertion, place string) {
	rec := record(a)
	v.trail.person = a.Subject
	if v.trail.test != nil {
		said(v.trail.test, a)
	}
	v.trail.pass("attributes", fmt.Sprintf("the identity provider calls the person %s and sends %s", masked(a.Subject), names(a)))
	ch, before, err := v.decide(rec)
	if err != nil {
		v.mishap("account", err)
		return
	}
	v.decided(a, ch, before, place)
}

// decide decides what becomes of the person's account, and writes that, but for a test: then the decision is the same, and is not
// written. before is the account as it was, nil where there was none.
func (v *visit) decide(rec *connector.Record) (ch *connector.Change, before *connector.User, err error) {
	var would *connector.Change
	ch, err = v.org.Writer.Push(v.r.Context(), provision.Push{
		Source: v.source, SignIn: true, Cause: connector.Cause{Kind: connector.CauseRequest, Actor: "sso:" + v.source},
		Record: always(rec),
		Accept: func(u *connector.User, _ *connector.Link, c *connector.Change) error {
			if before = u; v.trail.test == nil {
				return nil
			}
			would = c
			return errTrial
		},
	})
	if errors.Is(err, errTrial) {
		return would, before, nil
	}
	return ch, before, err
}

// decided tells the person what became of the account, and lets in whom that leaves fit for it.
func (v *visit) decided(a *saml2.Assertion, ch *connector.Change, before *connector.User, place string) {
	u := ch.After
	if u == nil {
		u = before
	}
	if ch.Subject != "" {
		v.trail.person = ch.Subject
	}
	switch {
	case u != nil && v.trail.test == nil:
		v.trail.user = u.ID
	case before != nil:
		v.trail.user = before.ID
	}
	if v.trail.test != nil {
		v.trail.test.Fields = ch.Fields
	}
	if before != nil {
		v.trail.pass("match", "the account "+before.ID.String())
	} else {
		v.trail.pass("match", "there is no account yet")
	}
	if len(ch.Failures) > 0 {
		v.turnAway(ch.Failures)
		return
	}
	v.trail.pass("seat", seatOf(ch, u))
	if f := provision.SignInRefusal(u); f != nil {
		f.Subject, f.UserID = u.Profile.Subject(), u.ID
		f.Ref = connector.NewRef(v.org.Settings.ID, v.source, a.Subject, string(f.Reason))
		v.refuse(http.StatusForbidden, "created", v.placed(*f))
		return
	}
	v.leave(a, u, place, outcome(ch))
}

// turnAway tells the failures of a person; the first is the one that the page is about.
func (v *visit) turnAway(failures []connector.Failure) {
	f, step := v.placed(failures[0]), "rules"
	if f.Reason == connector.NoSeat {
		step = "seat"
	}
	reasons := make([]string, len(failures))
	for i, x := range failures {
		reasons[i] = strings.TrimSuffix(string(x.Reason)+": "+strings.Join(x.Fields, ", "), ": ")
	}
	v.trail.refuse(step, strings.Join(reasons, "; "))
	v.keep(&f)
	if !v.shown() {
		v.fail(http.StatusForbidden, f, failures[1:]...)
	}
}

// refuse ends an attempt at a step.
func (v *visit) refuse(status int, step string, f connector.Failure) {
	detail := f.Detail
	if detail == "" {
		detail = string(f.Reason)
	}
	v.trail.refuse(step, detail)
	v.keep(&f)
	if !v.shown() {
		v.fail(status, f)
	}
}

// leave sends the browser to the application with a code. done is what became of the account.
func (v *visit) leave(a *saml2.Assertion, u *connector.User, place, done string) {
	if v.trail.test != nil {
		v.trail.pass("created", done)
		v.keep(nil)
		v.shown()
		return
	}
	code, err := v.code(a, u, place)
	if err != nil {
		v.mishap("code", err)
		return
	}
	address, err := url.Parse(v.provider.Application)
	if err != nil {
		v.mishap("application", err)
		return
	}
	q := address.Query()
	q.Set("code", code)
	if place != "" {
		q.Set("return", place)
	}
	address.RawQuery = q.Encode()
	v.trail.pass("created", done)
	v.keep(nil)
	http.Redirect(v.w, v.r, address.String(), http.StatusSeeOther)
}

// outcome is what became of the account.
func outcome(ch *connector.Change) string {
	fields := make([]string, 0, len(ch.Fields))
	for _, f := range ch.Fields {
		fields = append(fields, f.Field)
	}
	parts := []string{string(ch.Action)}
	if len(fields) > 0 && ch.Action == connector.Updated {
		parts[0] += ": " + strings.Join(fields, ", ")
	}
	for _, t := range ch.Transitions {
		parts = append(parts, strings.TrimPrefix(string(t.From)+" to "+string(t.To), " to "))
	}
	return strings.Join(parts, ", ")
}

// seatOf is what a sign-in means for seats.
func seatOf(ch *connector.Change, u *connector.User) string {
	switch {
	case ch.TakeSeat != "":
		return "a seat of " + ch.TakeSeat
	case u.Package != "":
		return "has a seat of " + u.Package
	}
	return "needs none"
}
