package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

const signInTag = "Sign-in"

func (s *Server) signIns() {
	route(s, operation{
		id: "signIn", method: http.MethodPost, path: "/sign-in", scope: connector.APISignIn, tag: signInTag, asks: true, summary: "Ask whether somebody may sign in",
		about: "For applications that see for themselves who somebody is, and do not use our SAML. 200 lets the person in; 403 refuses, with code and reason: " +
			"3 no_account, 18 account_deactivated, 31 account_pending_approval, 31 account_not_verified. " +
			"With signed_in the application says that the person is in now: a first sign-in makes a verified user active. Nothing else is changed by asking, however often.",
	}, s.signIn)
	route(s, operation{
		id: "resetPassword", method: http.MethodPost, path: "/password-reset", scope: connector.APISignIn, tag: signInTag, asks: true, summary: "Ask whether somebody may have a new password",
		about: "The same answer as for a sign-in. Send the mail to the address of the answer and not to the one that was typed; what a stranger is shown must not depend on the answer.",
	}, s.resetPassword)
}

// SignIn is who wants to sign in.
type SignIn struct {
	User     string `json:"user" doc:"User name, e-mail or id." minLength:"1" maxLength:"320" example:"ann@acme.test"`
	SignedIn bool   `json:"signed_in,omitempty" doc:"The application has seen who it is, and lets the person in."`
}

// PasswordReset is who wants a new password.
type PasswordReset struct {
	User string `json:"user" doc:"User name, e-mail or id." minLength:"1" maxLength:"320" example:"ann@acme.test"`
}

// Allowed is somebody who may.
type Allowed struct {
	Allowed bool      `json:"allowed" doc:"Always true: who may not is refused with 403."`
	First   bool      `json:"first,omitempty" doc:"It was the first sign-in."`
	User    User      `json:"user"`
	At      time.Time `json:"at"`
}

type signInInput struct {
	OrgPath
	Body SignIn
}

type passwordInput struct {
	OrgPath
	Body PasswordReset
}

type allowedOutput struct{ Body Allowed }

func (s *Server) signIn(ctx context.Context, c *call, in *signInInput) (*allowedOutput, error) {
	u, err := s.mayUse(ctx, c, in.Body.User)
	if err != nil || !in.Body.SignedIn || u.State != connector.Verified {
		return s.allowed(u, false), err
	}
	ch, err := c.org.Writer.SignedIn(ctx, provision.Command{User: u.ID, Actor: c.by(), Cause: connector.CauseRequest})
	switch {
	case err != nil && connector.KindOf(err) != connector.NotFound:
		return nil, err
	case err == nil && ch.After != nil:
		return s.allowed(ch.After, true), nil
	}
	u, err = s.mayUse(ctx, c, in.Body.User) // somebody has been faster
	return s.allowed(u, false), err
}

func (s *Server) resetPassword(ctx context.Context, c *call, in *passwordInput) (*allowedOutput, error) {
	u, err := s.mayUse(ctx, c, in.Body.User)
	return s.allowed(u, false), err
}

// allowed is nil for nobody.
func (s *Server) allowed(u *connector.User, first bool) *allowedOutput {
	if u == nil {
		return nil
	}
	return &allowedOutput{Allowed{true, first, NewUser(u), s.now().UTC()}}
}

// mayUse returns the user that a name means if that one may use services, or the refusal as a *Problem. It costs one
// question to the store, and writes nothing.
func (s *Server) mayUse(ctx context.Context, c *call, name string) (*connector.User, error) {
	name = strings.TrimSpace(name)
	u, err := s.named(ctx, c, name)
	if err != nil {
		return nil, err
	}
	f := &connector.Failure{Code: connector.CodeNoAccount, Reason: connector.NoAccount}
	if u != nil {
		if f = provision.SignInRefusal(u); f == nil {
			return u, nil
		}
		f.UserID, name = u.ID, u.Profile.Subject()
	}
	f.Org, f.Subject, f.At = c.id(), name, s.now()
	f.Ref = connector.NewRef(c.id(), "", f.Subject, string(f.Reason))
	s.o.Metrics.refused(c.id(), f.Code)
	p := s.refusal(c, http.StatusForbidden, *f)
	p.Contact = c.contact()
	return nil, p
}

// named returns the live user with that user name, e-mail or id, in this order; nil where there is none.
func (s *Server) named(ctx context.Context, c *call, name string) (*connector.User, error) {
	var users []*connector.User
	id, err := connector.ParseID(name)
	if err == nil {
		users, err = s.o.Store.Users(ctx, c.id(), []connector.ID{id})
	} else {
		folded := connector.Fold(name)
		users, err = s.o.Store.UsersByKey(ctx, c.id(), []connector.UserKey{{Kind: connector.UserName, Value: folded}, {Kind: connector.Email, Value: folded}})
	}
	var found *connector.User
	for _, u := range users {
		if u.State.Live() && (found == nil || connector.Fold(u.UserName()) == connector.Fold(name)) {
			found = u
		}
	}
	return found, err
}
