package api

import (
	"context"
	"errors"
	"net/http"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/subscribers"
)

// many are operations that do one thing to many, to each as the operation for one does it: one that is refused stops nobody else.
func (s *Server) many() {
	route(s, operation{
		id: "changeUsers", method: http.MethodPost, path: "/users/changes", scope: connector.APIUsers, tag: usersTag, most: manyBody,
		summary: "Do one thing to many users",
		about:   "To each in the order of the list, as the operation for one user does it: what was refused to one has its problem in the answer, and stops nobody else. For more than 500 send several requests.",
	}, s.changeUsers)
	route(s, operation{
		id: "changeSubscribers", method: http.MethodPost, path: "/subscribers/changes", scope: connector.APISubscribers, tag: subscribersTag,
		summary: "Do one thing to many subscribers",
		about:   "To each in the order of the list, as the operation for one subscriber does it; a retry takes the address that is known. What was refused to one has its problem in the answer, and stops nobody else. For more than 500 send several requests.",
	}, s.changeSubscribers)
}

// manyBody bounds a request about many users: it may name them by 500 names of 512 characters.
const manyBody = 1 << 20

type changeUsersInput struct {
	OrgPath
	Body struct {
		Action string   `json:"action" enum:"approve,reject,deactivate,reactivate"`
		Users  []string `json:"users" doc:"Ids, user names, e-mails or anchors." minItems:"1" maxItems:"500"`
		Reason string   `json:"reason,omitempty" doc:"One line for the history; of a rejection the people are told it." maxLength:"500" pattern:"^[^\\x00-\\x1f\\x7f]*$"`
	}
}

// ChangedUser is what became of one of many users.
type ChangedUser struct {
	User    string   `json:"user" doc:"As the request names it."`
	Changed bool     `json:"changed" doc:"False where there was nothing to do, or it was refused."`
	Now     *User    `json:"now,omitempty" doc:"The user as it is now."`
	Problem *Problem `json:"problem,omitempty" doc:"What would have been answered about this user alone."`
}

type changedUsersOutput struct {
	Body struct {
		Users []ChangedUser `json:"users" doc:"In the order of the request."`
	}
}

func (s *Server) changeUsers(ctx context.Context, c *call, in *changeUsersInput) (*changedUsersOutput, error) {
	out := &changedUsersOutput{}
	for _, name := range in.Body.Users {
		x := ChangedUser{User: name}
		path := ChangePath{UserPath: UserPath{OrgPath: in.OrgPath, User: name}}
		switch done, err := s.change(ctx, c, &path, in.Body.Reason, userDeeds[in.Body.Action]); {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			x.Problem = s.problem(ctx, err)
		default:
			x.Changed, x.Now = done.Body.Changed, &done.Body.User
		}
		out.Body.Users = append(out.Body.Users, x)
	}
	return out, nil
}

type changeSubscribersInput struct {
	OrgPath
	Body struct {
		Action      string   `json:"action" enum:"retry,package,delete"`
		Subscribers []string `json:"subscribers" doc:"The ids that the answers to the announcements have given." minItems:"1" maxItems:"500"`
		Package     string   `json:"package,omitempty" doc:"Of the action package: left out, the template's." maxLength:"64"`
	}
}

// ChangedSubscriber is what became of one of many subscribers.
type ChangedSubscriber struct {
	ID      string                  `json:"id" doc:"As the request names it."`
	Changed bool                    `json:"changed" doc:"False where it was refused, or has come to a failure."`
	Now     *subscribers.Subscriber `json:"now,omitempty" doc:"As it is now, with the failure where there is one; left out of one that is deleted."`
	Problem *Problem                `json:"problem,omitempty" doc:"What would have been answered about this subscriber alone."`
}

type changedSubscribersOutput struct {
	Body struct {
		Subscribers []ChangedSubscriber `json:"subscribers" doc:"In the order of the request."`
	}
}

func (s *Server) changeSubscribers(ctx context.Context, c *call, in *changeSubscribersInput) (*changedSubscribersOutput, error) {
	if in.Body.Package != "" && in.Body.Action != "package" {
		return nil, invalid("body.package", "only the action package takes one")
	}
	out := &changedSubscribersOutput{}
	for _, name := range in.Body.Subscribers {
		x := ChangedSubscriber{ID: name}
		path := SubscriberPath{OrgPath: in.OrgPath, Subscriber: name}
		switch after, err := changeSubscriber(ctx, c, path.id(), in); {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			x.Problem = s.problem(ctx, err)
		case after == nil:
			x.Changed = true
		default:
			doc := s.form(c, true).Document(after)
			x.Changed, x.Now = after.Failure == nil, &doc
		}
		out.Body.Subscribers = append(out.Body.Subscribers, x)
	}
	return out, nil
}

// changeSubscriber does what many are asked for to one of them, and gives it as it is then; nil = it is deleted.
func changeSubscriber(ctx context.Context, c *call, id connector.ID, in *changeSubscribersInput) (*connector.Subscriber, error) {
	cmd := provision.SubscriberCommand{ID: id, Actor: c.by()}
	switch in.Body.Action {
	case "retry":
		return c.org.Subscribers.RetrySubscriber(ctx, cmd, "")
	case "package":
		return c.org.Subscribers.SetSubscriberPackage(ctx, cmd, in.Body.Package)
	case "delete":
		return nil, c.org.Subscribers.DeleteSubscriber(ctx, cmd)
	}
	return nil, errors.ErrUnsupported // the document names no other
}
