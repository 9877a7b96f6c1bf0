package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/subscribers"
)

const subscribersTag = "Subscribers"

// Subscribers changes people whom upstream systems announce under templates. provision.Provisioner is one.
type Subscribers interface {
	Announce(ctx context.Context, list []connector.Announcement, actor string) ([]provision.Announced, error)
	RetrySubscriber(ctx context.Context, c provision.SubscriberCommand, email string) (*connector.Subscriber, error)
	SetSubscriberPackage(ctx context.Context, c provision.SubscriberCommand, pkg string) (*connector.Subscriber, error)
	DeleteSubscriber(ctx context.Context, c provision.SubscriberCommand) error
}

// SubscriberStore is what the door reads of them. store.DB is one.
type SubscriberStore interface {
	Subscriber(ctx context.Context, org string, id connector.ID) (*connector.Subscriber, error)
	Subscribers(ctx context.Context, q connector.SubscriberQuery) (list []*connector.Subscriber, next string, err error)
	CountSubscribers(ctx context.Context, org, template string) (map[connector.SubscriberStatus]int, error)
	SubscriberEvents(ctx context.Context, org string, id connector.ID, limit int) ([]connector.SubscriberEvent, error)
}

func (s *Server) subscribers() {
	route(s, operation{
		id: "announceSubscribers", method: http.MethodPost, path: "/subscribers", scope: connector.APISubscribers, tag: subscribersTag, most: 1 << 20,
		summary: "Announce people under templates", refuses: []int{http.StatusConflict},
		about: "Where the template believes addresses, each has an account at once; a refusal is a subscriber in error. Said twice, it is the same. Whoever has an activation_link may activate as that person: hand it to nobody else.",
	}, s.announce)
	route(s, operation{
		id: "listSubscribers", method: http.MethodGet, path: "/subscribers", scope: connector.APIRead, tag: subscribersTag, summary: "List subscribers in the order in which they came",
	}, s.listSubscribers)
	route(s, operation{
		id: "getSubscriber", method: http.MethodGet, path: "/subscribers/{subscriber}", scope: connector.APIRead, tag: subscribersTag, summary: "Show a subscriber with every attempt",
	}, s.getSubscriber)
	route(s, operation{
		id: "retrySubscriber", method: http.MethodPost, path: "/subscribers/{subscriber}/retry", scope: connector.APISubscribers, tag: subscribersTag,
		summary: "Try to activate again", refuses: []int{http.StatusConflict, http.StatusUnprocessableEntity},
		about: "With an address that takes the place of the one that is known. Where addresses have to be proved, a link is sent to it, and those that were sent before are good for nothing.",
	}, func(ctx context.Context, c *call, in *retryInput) (*subscriberOutput, error) {
		return s.changed(c)(c.org.Subscribers.RetrySubscriber(ctx, provision.SubscriberCommand{ID: in.id(), Actor: c.by()}, in.Body.Email))
	})
	route(s, operation{
		id: "setSubscriberPackage", method: http.MethodPost, path: "/subscribers/{subscriber}/package", scope: connector.APISubscribers, tag: subscribersTag,
		summary: "Give a subscriber another package", refuses: []int{http.StatusConflict, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, c *call, in *packageOfSubscriberInput) (*subscriberOutput, error) {
		return s.changed(c)(c.org.Subscribers.SetSubscriberPackage(ctx, provision.SubscriberCommand{ID: in.id(), Actor: c.by()}, in.Body.Package))
	})
	route(s, operation{
		id: "deleteSubscriber", method: http.MethodDelete, path: "/subscribers/{subscriber}", scope: connector.APISubscribers, tag: subscribersTag, status: http.StatusNoContent,
		summary: "Forget a subscriber, who may then try again", refuses: []int{http.StatusConflict},
		about: "An account that no other source knows is deactivated, and comes back with the subscriber.",
	}, func(ctx context.Context, c *call, in *SubscriberPath) (*struct{}, error) {
		return nil, c.org.Subscribers.DeleteSubscriber(ctx, provision.SubscriberCommand{ID: in.id(), Actor: c.by()})
	})
}

// SubscriberPath names a subscriber.
type SubscriberPath struct {
	OrgPath
	Subscriber string `path:"subscriber" doc:"The id that the answer to the announcement has given." format:"uuid" maxLength:"36"`
}

// id is that of the path; the zero value, which is nobody's, where it is none.
func (p *SubscriberPath) id() connector.ID {
	id, _ := connector.ParseID(p.Subscriber)
	return id
}

type retryInput struct {
	SubscriberPath
	Body struct {
		Email string `json:"email,omitempty" doc:"Left out: the address that is known." maxLength:"254"`
	}
}

type packageOfSubscriberInput struct {
	SubscriberPath
	Body struct {
		Package string `json:"package" doc:"Empty: the template's." maxLength:"64"`
	}
}

// Announcement is what an upstream system says of a person.
type Announcement struct {
	Template     string            `json:"template" maxLength:"32"`
	SubscriberID string            `json:"subscriber_id" doc:"How the upstream system calls the person; compared in any case." minLength:"1" maxLength:"256"`
	Email        string            `json:"email,omitempty" maxLength:"320"`
	Package      string            `json:"package,omitempty" doc:"Left out: the template's." maxLength:"64"`
	Attributes   map[string]string `json:"attributes,omitempty" doc:"Of a profile, by name: givenName, familyName, userName."`
}

type announceInput struct {
	OrgPath
	Body struct {
		Subscribers []Announcement `json:"subscribers" minItems:"1" maxItems:"500"`
	}
}

// Announced is what became of an announcement.
type Announced struct {
	subscribers.Subscriber
	New  bool `json:"new"`
	Same bool `json:"unchanged" doc:"Nothing of it was new."`
}

type announcedOutput struct {
	Body struct {
		Subscribers []Announced `json:"subscribers" doc:"In the order of the announcements."`
	}
}

func (s *Server) announce(ctx context.Context, c *call, in *announceInput) (*announcedOutput, error) {
	list := make([]connector.Announcement, len(in.Body.Subscribers))
	for i, a := range in.Body.Subscribers {
		list[i] = connector.Announcement{Template: a.Template, Name: a.SubscriberID, Package: a.Package, Profile: connector.Profile{}}
		for name, value := range a.Attributes {
			if value != "" {
				list[i].Profile.Set(name, value)
			}
		}
		if a.Email != "" {
			list[i].Profile.Set(connector.Email, a.Email)
		}
	}
	done, err := c.org.Subscribers.Announce(ctx, list, c.by())
	if err != nil {
		return nil, err
	}
	out := &announcedOutput{}
	for _, x := range done {
		out.Body.Subscribers = append(out.Body.Subscribers, Announced{s.form(c, true).Document(x.Subscriber), x.New, x.Same})
	}
	return out, nil
}

// form is how subscribers are shown; own says that their own ways to the portal are shown too.
func (s *Server) form(c *call, own bool) subscribers.Form {
	f := subscribers.Form{Catalogue: s.catalogue, Lang: c.lang}
	if own && c.org.OwnLink != nil {
		f.Link = func(x *connector.Subscriber) string {
			if x.Status == connector.Provisioned {
				return ""
			}
			return c.org.OwnLink(x)
		}
	}
	return f
}

type subscriberOutput struct{ Body subscribers.Subscriber }

// changed shows what a change has come to.
func (s *Server) changed(c *call) func(*connector.Subscriber, error) (*subscriberOutput, error) {
	return func(x *connector.Subscriber, err error) (*subscriberOutput, error) {
		if err != nil {
			return nil, err
		}
		return &subscriberOutput{s.form(c, true).Document(x)}, nil
	}
}

type listSubscribersInput struct {
	OrgPath
	Page
	Template string                     `query:"template" maxLength:"32"`
	Status   connector.SubscriberStatus `query:"status" enum:"pending_email_input,pending_email_validation,pending_claim,provisioning,provisioned,updating,error"`
	Reason   connector.Reason           `query:"reason" doc:"Of the last failure." maxLength:"64"`
	Search   string                     `query:"search" doc:"Beginning of the subscriber id or of an address, in any case." maxLength:"320"`
	Exclude  string                     `query:"exclude" doc:"Leaves out whoever is provisioned." enum:"provisioned"`
}

// SubscriberPage is a page of subscribers.
type SubscriberPage struct {
	Subscribers []subscribers.Subscriber `json:"subscribers"`
	Next        string                   `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
}

type subscriberPageOutput struct{ Body SubscriberPage }

func (s *Server) listSubscribers(ctx context.Context, c *call, in *listSubscribersInput) (*subscriberPageOutput, error) {
	after, err := in.place()
	if err != nil {
		return nil, err
	}
	list, next, err := s.o.Store.Subscribers(ctx, connector.SubscriberQuery{
		Org: c.id(), Template: in.Template, Status: in.Status, Reason: in.Reason, Search: in.Search, HideProvisioned: in.Exclude != "", After: after, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := &subscriberPageOutput{SubscriberPage{Subscribers: make([]subscribers.Subscriber, len(list)), Next: cursor(next)}}
	for i, x := range list {
		out.Body.Subscribers[i] = s.form(c, false).Document(x)
	}
	return out, nil
}

// SubscriberAttempt is one thing that happened to a subscriber.
type SubscriberAttempt struct {
	At     time.Time                  `json:"at"`
	What   connector.SubscriberStep   `json:"what"`
	By     string                     `json:"by"`
	Status connector.SubscriberStatus `json:"status"`
	Email  string                     `json:"email,omitempty"`
	Code   int                        `json:"code,omitempty"`
	Reason connector.Reason           `json:"reason,omitempty"`
	Detail string                     `json:"detail,omitempty"`
	Ref    string                     `json:"ref,omitempty"`
}

// SubscriberDetail is a subscriber with every attempt.
type SubscriberDetail struct {
	subscribers.Subscriber
	History []SubscriberAttempt `json:"history" doc:"Latest first, at most 1,000."`
}

type subscriberDetailOutput struct{ Body SubscriberDetail }

func (s *Server) getSubscriber(ctx context.Context, c *call, in *SubscriberPath) (*subscriberDetailOutput, error) {
	x, err := s.o.Store.Subscriber(ctx, c.id(), in.id())
	if err != nil {
		return nil, err
	}
	events, err := s.o.Store.SubscriberEvents(ctx, c.id(), x.ID, 0)
	if err != nil {
		return nil, err
	}
	out := &subscriberDetailOutput{SubscriberDetail{Subscriber: s.form(c, false).Document(x), History: []SubscriberAttempt{}}}
	for _, e := range events {
		out.Body.History = append(out.Body.History, SubscriberAttempt{e.At, e.What, e.Actor, e.Status, e.Email, int(e.Code), e.Reason, e.Detail, e.Ref})
	}
	return out, nil
}
