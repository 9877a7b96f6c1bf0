package sso

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/sso/saml2"
)

const (
	// codeLife is how long an application may take to ask: its page is loaded at once.
	codeLife = time.Minute
	// maxAsked bounds the body of what an application asks.
	maxAsked = 4 << 10
)

// signedIn is what a code stands for.
type signedIn struct {
	User         connector.ID `json:"user"`
	Return       string       `json:"return,omitempty"`
	NameID       string       `json:"name_id"`
	Session      string       `json:"session,omitempty"`
	SessionUntil time.Time    `json:"session_until,omitzero"`
	At           time.Time    `json:"at"`
}

// Answer is what an application is told of who has signed in.
type Answer struct {
	Org      string     `json:"org"`
	Source   string     `json:"source"`
	User     AnswerUser `json:"user"`
	SignedIn time.Time  `json:"signed_in_at"` // UTC
	// Return is the place in the application that the sign-in was begun for; a path.
	Return  string        `json:"return,omitempty"`
	Session AnswerSession `json:"session"`
}

// AnswerUser is the account.
type AnswerUser struct {
	ID         string              `json:"id"`
	UserName   string              `json:"user_name"`
	State      connector.State     `json:"state"`
	Package    string              `json:"package,omitempty"`
	Attributes map[string][]string `json:"attributes"`
}

// AnswerSession is what the identity provider says of the session.
type AnswerSession struct {
	NameID string     `json:"name_id"`
	Index  string     `json:"index,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
}

// code keeps who has signed in, under a secret that the browser carries to the application.
func (v *visit) code(a *saml2.Assertion, u *connector.User, place string) (string, error) {
	now, secret := v.s.o.Now(), newSecret()
	data, err := json.Marshal(signedIn{User: u.ID, Return: place, NameID: a.Subject, Session: a.Session, SessionUntil: a.SessionUntil, At: now.UTC()})
	if err != nil {
		return "", err
	}
	return secret, v.s.o.Store.PutTicket(v.r.Context(), connector.Ticket{
		Org: v.org.Settings.ID, Source: v.source, Kind: connector.CodeTicket, Hash: hashOf(secret), Until: now.Add(codeLife), Data: data,
	})
}

// exchange tells an application who has signed in, once for each code. The user is as it is now: who has been
// deactivated in between is not in.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	org := r.PathValue("org")
	source, denied := s.o.Gate.Application(r, org)
	if denied != nil {
		maps.Copy(w.Header(), denied.Header)
		problem(w, denied.Status, denied.Detail)
		return
	}
	code, err := askedFor(w, r)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	t, ok, err := s.o.Store.TakeTicket(r.Context(), org, source, connector.CodeTicket, hashOf(code), s.o.Now())
	var in signedIn
	if err == nil && ok {
		err = json.Unmarshal(t.Data, &in)
	}
	if err != nil {
		s.broken(w, "exchange", err)
		return
	}
	if !ok {
		problem(w, http.StatusNotFound, "there is no such code: each is good for one use within a minute, with a token of its identity provider")
		return
	}
	s.answer(r.Context(), w, org, source, in)
}

func (s *Server) answer(ctx context.Context, w http.ResponseWriter, org, source string, in signedIn) {
	users, err := s.o.Store.Users(ctx, org, []connector.ID{in.User})
	if err != nil {
		s.broken(w, "exchange", err)
		return
	}
	if len(users) == 0 || !users[0].State.Live() {
		problem(w, http.StatusNotFound, "the account does not exist any more")
		return
	}
	u := users[0]
	if f := provision.SignInRefusal(u); f != nil {
		f.Org, f.Source, f.Subject, f.UserID, f.At = org, source, u.Profile.Subject(), u.ID, s.o.Now()
		f.Ref = connector.NewRef(org, source, u.ID.String(), string(f.Reason))
		writeJSON(w, http.StatusForbidden, map[string]any{"status": http.StatusForbidden, "title": http.StatusText(http.StatusForbidden), "failure": s.catalogue.Document(*f, "en")})
		return
	}
	a := Answer{
		Org: org, Source: source, SignedIn: in.At, Return: in.Return, Session: AnswerSession{NameID: in.NameID, Index: in.Session},
		User: AnswerUser{ID: u.ID.String(), UserName: u.Profile.Get(connector.UserName), State: u.State, Package: u.Package, Attributes: u.Profile},
	}
	if !in.SessionUntil.IsZero() {
		until := in.SessionUntil.UTC()
		a.Session.Until = &until
	}
	writeJSON(w, http.StatusOK, a)
}

// askedFor reads the code.
func askedFor(w http.ResponseWriter, r *http.Request) (string, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return "", errors.New(`the body has to be JSON: {"code":"..."} with Content-Type: application/json`)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAsked))
	if err != nil {
		return "", errors.New("the body is too long")
	}
	var q struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(body, &q) != nil || !isSecret(q.Code) {
		return "", errors.New(`the body has to be {"code":"..."} with the code that the browser has brought`)
	}
	return q.Code, nil
}

func (s *Server) broken(w http.ResponseWriter, what string, err error) {
	if !errors.Is(err, context.Canceled) {
		s.o.Log.Error("a question of an application could not be answered", zap.String("what", what), zap.Error(err))
	}
	problem(w, http.StatusServiceUnavailable, "this cannot be answered at the moment: let the person sign in again")
}

// problem answers an error (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": detail})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
