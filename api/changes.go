package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

func (s *Server) changes() {
	post := func(id, path, summary, about string, do userDo) {
		route(s, operation{
			id: id, method: http.MethodPost, path: "/users/{user}/" + path, scope: connector.APIUsers, tag: usersTag, summary: summary, about: about,
			refuses: []int{http.StatusConflict, http.StatusPreconditionFailed},
		}, func(ctx context.Context, c *call, in *changeInput) (*changeOutput, error) {
			reason := ""
			if in.Body != nil {
				reason = in.Body.Reason
			}
			return s.change(ctx, c, &in.ChangePath, reason, do)
		})
	}
	post("approveUser", "approve", "Approve a user who waits for it", "Nothing is changed of somebody who does not wait.",
		userDeeds["approve"])
	post("rejectUser", "reject", "Refuse a user who waits for approval",
		"The account is deactivated by an administrator: no source, sign-in or push brings it back, its seat is free at once, and it is deleted after the organization's period when no source has the person any more. The person is mailed the reason. Somebody who does not wait is a conflict.",
		userDeeds["reject"])
	post("deactivateUser", "deactivate", "Take the access away", "No source gives it back.",
		userDeeds["deactivate"])
	post("reactivateUser", "reactivate", "Give the access back", "The state of before returns. It needs a free seat where the user has a package: a conflict with reason no_seat where there is none.",
		userDeeds["reactivate"])
	route(s, operation{
		id: "keepUser", method: http.MethodPost, path: "/users/{user}/keep", scope: connector.APIUsers, tag: usersTag,
		summary: "Delete a deactivated user later", refuses: []int{http.StatusConflict, http.StatusPreconditionFailed},
		about: "Until a day, for a number of days from now, or, with neither, for another grace period from now. No source makes it sooner again.",
	}, s.keepUser)
	route(s, operation{
		id: "setUserPackage", method: http.MethodPut, path: "/users/{user}/package", scope: connector.APIUsers, tag: usersTag,
		summary: "Give a user another package", refuses: []int{http.StatusConflict, http.StatusPreconditionFailed},
		about: "Sources leave it alone then; with release they decide again.",
	}, s.setPackage)
	route(s, operation{
		id: "deleteUser", method: http.MethodDelete, path: "/users/{user}", scope: connector.APIUsers, tag: usersTag,
		summary: "Delete a deactivated user before its time is over", refuses: []int{http.StatusConflict, http.StatusPreconditionFailed},
		about: "A dated tombstone stays, user name and addresses are free at once. Only somebody who is inactive can be deleted.",
	}, s.deleteUser)
}

// Writer changes people. provision.Provisioner is one.
type Writer interface {
	Approve(ctx context.Context, c provision.Command) (*connector.Change, error)
	RejectUser(ctx context.Context, c provision.Command) (*connector.Change, error)
	Deactivate(ctx context.Context, c provision.Command) (*connector.Change, error)
	Reactivate(ctx context.Context, c provision.Command) (*connector.Change, error)
	Delete(ctx context.Context, c provision.Command) (*connector.Change, error)
	Keep(ctx context.Context, c provision.Command, until time.Time) (*connector.Change, error)
	Due(ctx context.Context, until time.Time, after string, limit int) (users []*connector.User, next string, err error)
	Invite(ctx context.Context, req provision.InviteRequest) (provision.Invited, error)
	SetPackage(ctx context.Context, c provision.Command, pkg string, release bool) (*connector.Change, error)
	SignedIn(ctx context.Context, c provision.Command) (*connector.Change, error)
	CheckHold(run *connector.Run) error
	Reject(ctx context.Context, run *connector.Run, by string) error
	Explain(ctx context.Context, req provision.ExplainRequest) (*provision.Explanation, error)
	Check(ctx context.Context, req provision.CheckRequest) (*connector.Change, error)
	Fields(source string) ([]provision.Field, error)
}

// userDeeds are what is done to a user without a word more than why, by the names that requests about many have for them.
var userDeeds = map[string]userDo{
	"approve": func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
		return w.Approve(ctx, c)
	},
	"reject": func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
		return w.RejectUser(ctx, c)
	},
	"deactivate": func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
		return w.Deactivate(ctx, c)
	},
	"reactivate": func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
		return w.Reactivate(ctx, c)
	},
}

type userDo func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error)

// ChangePath names a user, and the version that it must have.
type ChangePath struct {
	UserPath
	IfMatch string `header:"If-Match" doc:"The ETag that the user must have, or nothing is done (412)." maxLength:"200"`
}

type changeInput struct {
	ChangePath
	Body *Reason
}

// Reason is why something is done to a user.
type Reason struct {
	Reason string `json:"reason,omitempty" doc:"One line for the history; of a rejection the person is told it." maxLength:"500" pattern:"^[^\\x00-\\x1f\\x7f]*$"`
}

// Changed is what one request did to a user.
type Changed struct {
	Changed     bool                    `json:"changed" doc:"False where there was nothing to do."`
	Action      connector.Action        `json:"action"`
	Changes     []connector.FieldChange `json:"changes"`
	Transitions []connector.Transition  `json:"transitions"`
	User        User                    `json:"user" doc:"As it is now."`
}

type changeOutput struct {
	ETag string `header:"ETag"`
	Body Changed
}

// change finds a user and does one thing to it.
func (s *Server) change(ctx context.Context, c *call, in *ChangePath, reason string, do userDo) (*changeOutput, error) {
	u, err := s.o.Store.FindUser(ctx, c.id(), in.User)
	if err != nil {
		return nil, err
	}
	version, err := in.version(u)
	if err != nil {
		return nil, err
	}
	ch, err := do(ctx, c.org.Writer, provision.Command{User: u.ID, Actor: c.by(), Reason: reason, Version: version})
	switch {
	case errors.Is(err, provision.ErrOtherVersion):
		return nil, otherVersion()
	case err != nil:
		return nil, err
	}
	if p := s.refused(c, ch); p != nil {
		return nil, p
	}
	out := Changed{
		Action: ch.Action, Changed: ch.Action != connector.Unchanged,
		Changes: append([]connector.FieldChange{}, ch.Fields...), Transitions: append([]connector.Transition{}, ch.Transitions...),
	}
	if ch.After != nil {
		u = ch.After
	}
	out.User = NewUser(u)
	return &changeOutput{etag(u), out}, nil
}

// version is the one that If-Match asks for, 0 for any (RFC 9110 section 13.1.1). One that does not fit u is a *Problem.
func (p *ChangePath) version(u *connector.User) (int64, error) {
	if p.IfMatch == "" || strings.TrimSpace(p.IfMatch) == "*" {
		return 0, nil
	}
	for tag := range strings.SplitSeq(p.IfMatch, ",") {
		version, _, _ := strings.Cut(strings.TrimSpace(tag), "-")
		if strings.TrimSuffix(version, `"`)+`"` == etag(u) {
			return u.Version, nil
		}
	}
	return 0, otherVersion()
}

func otherVersion() *Problem {
	return newProblem(http.StatusPreconditionFailed, "other_version", "the user has been changed since: look at it again")
}

// KeepRequest says until when a user is kept.
type KeepRequest struct {
	Days  int    `json:"days,omitempty" doc:"From now." minimum:"1" maximum:"3650"`
	Until string `json:"until,omitempty" doc:"The day on which the user is deleted (UTC), within ten years." format:"date" example:"2027-01-31"`
}

type keepInput struct {
	ChangePath
	Body *KeepRequest
}

// maxKeep bounds how long a deletion may be put off.
const maxKeep = 3650 * 24 * time.Hour

func (s *Server) keepUser(ctx context.Context, c *call, in *keepInput) (*changeOutput, error) {
	until := s.now().Add(c.org.Settings.DeleteAfter)
	if b := in.Body; b != nil && b.Days > 0 {
		until = s.now().Add(time.Duration(b.Days) * 24 * time.Hour)
	}
	if b := in.Body; b != nil && b.Until != "" {
		if b.Days > 0 {
			return nil, invalid("body.until", "say either until or days")
		}
		var err error
		if until, err = time.Parse(time.DateOnly, b.Until); err != nil || until.After(s.now().Add(maxKeep)) {
			return nil, invalid("body.until", "a day as in 2027-01-31, within ten years")
		}
	}
	return s.change(ctx, c, &in.ChangePath, "", func(ctx context.Context, w Writer, cmd provision.Command) (*connector.Change, error) {
		return w.Keep(ctx, cmd, until)
	})
}

// PackageChoice is the package that a user is to have.
type PackageChoice struct {
	Package string `json:"package,omitempty" doc:"The id of the package; empty = none." maxLength:"64"`
	Release bool   `json:"release,omitempty" doc:"Let the sources decide again; without package."`
}

type packageInput struct {
	ChangePath
	Body PackageChoice
}

func (s *Server) setPackage(ctx context.Context, c *call, in *packageInput) (*changeOutput, error) {
	if in.Body.Release && in.Body.Package != "" {
		return nil, invalid("body.release", "say either package or release")
	}
	return s.change(ctx, c, &in.ChangePath, "", func(ctx context.Context, w Writer, cmd provision.Command) (*connector.Change, error) {
		return w.SetPackage(ctx, cmd, in.Body.Package, in.Body.Release)
	})
}

func (s *Server) deleteUser(ctx context.Context, c *call, in *ChangePath) (*changeOutput, error) {
	return s.change(ctx, c, in, "", func(ctx context.Context, w Writer, cmd provision.Command) (*connector.Change, error) {
		ch, err := w.Delete(ctx, cmd)
		if err == nil && ch.Action == connector.Unchanged {
			err = newProblem(http.StatusConflict, "refused", "only a deactivated user can be deleted")
		}
		return ch, err
	})
}
