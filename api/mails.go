package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

const mailsTag = "Mails"

// MailStore is what the door reads of the outbox, and has tried again. store.DB is one.
type MailStore interface {
	Mails(ctx context.Context, q connector.MailQuery) ([]connector.Mail, error)
	CountMails(ctx context.Context, org string, state connector.MailState) (int, error)
	RetryMail(ctx context.Context, org string, id connector.ID, now time.Time) (bool, error)
	RetryMails(ctx context.Context, org string, now time.Time) (int, error)
}

func (s *Server) mails() {
	route(s, operation{
		id: "listMails", method: http.MethodGet, path: "/mails", scope: connector.APIRead, tag: mailsTag, summary: "Show the outbox, the latest first",
		about: "Those that wait are tried again by themselves for three days. Links are not shown: what they open does not stand in the store.",
	}, s.listMails)
	route(s, operation{
		id: "retryMail", method: http.MethodPost, path: "/mails/{mail}/retry", scope: connector.APIUsers, tag: mailsTag, status: http.StatusNoContent,
		summary: "Have a mail tried again now that has failed, or waits",
	}, s.retryMail)
	route(s, operation{
		id: "retryMails", method: http.MethodPost, path: "/mails/retry", scope: connector.APIUsers, tag: mailsTag, summary: "Have all mails tried again now that have failed",
	}, s.retryMails)
	route(s, operation{
		id: "invite", method: http.MethodPost, path: "/invitations", scope: connector.APIUsers, tag: mailsTag, most: 256 << 10,
		summary: "Send invitations: links by which people prove their address",
		about: "They are written into the outbox. A link works once, for 7 days; older ones of the same person go on working. Somebody who is not not_verified, or waits for approval, is left out. " +
			"With all_not_verified those are left out too who were invited lately, so that it can be asked again.",
	}, s.invite)
}

// Mail is a mail in the outbox. What is not known is null or left out.
type Mail struct {
	ID       string              `json:"id"`
	Org      string              `json:"org"`
	Kind     connector.MailKind  `json:"kind"`
	To       string              `json:"to"`
	Language string              `json:"language,omitempty"`
	About    string              `json:"about,omitempty" doc:"The id of the user, subscriber or claim that it is about."`
	State    connector.MailState `json:"state" enum:"asked,waiting,sent,failed"`
	At       *time.Time          `json:"at"`
	Next     *time.Time          `json:"next" doc:"When one that waits is tried."`
	Attempts int                 `json:"attempts"`
	Code     int                 `json:"code,omitempty" doc:"Of the mail server."`
	Answer   string              `json:"answer,omitempty" doc:"Its words, or the fault on the way to it."`
	DoneAt   *time.Time          `json:"done_at"`
}

// NewMail is the form in which the API and the command line show a mail.
func NewMail(m *connector.Mail) Mail {
	x := Mail{
		m.ID.String(), m.Org, m.Kind, m.To, m.Language, m.About.String(), m.State, when(m.At), when(m.Next), m.Attempts, m.Code, m.Answer, when(m.DoneAt),
	}
	if m.State == connector.MailSent || m.State == connector.MailFailed {
		x.Next = nil
	}
	return x
}

type listMailsInput struct {
	OrgPath
	State  connector.MailState `query:"state" doc:"Only this state." enum:"asked,waiting,sent,failed"`
	To     string              `query:"to" doc:"Only to this address." maxLength:"320"`
	Before string              `query:"before" doc:"Only older ones than the mail with this id: next of the page before." format:"uuid"`
	Limit  int                 `query:"limit" doc:"How many at most." default:"50" minimum:"1" maximum:"500"`
}

// Mails is a page of the outbox.
type Mails struct {
	Mails  []Mail                      `json:"mails"`
	Counts map[connector.MailState]int `json:"counts" doc:"Of the whole outbox, by state."`
	Next   string                      `json:"next,omitempty" doc:"before of the next page; left out after the last."`
}

type mailsOutput struct{ Body Mails }

func (s *Server) listMails(ctx context.Context, c *call, in *listMailsInput) (*mailsOutput, error) {
	q := connector.MailQuery{Org: c.id(), State: in.State, To: in.To, Limit: in.Limit + 1}
	if err := before(&q.Before, in.Before); err != nil {
		return nil, err
	}
	list, err := s.o.Store.Mails(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &mailsOutput{Mails{Mails: []Mail{}, Counts: map[connector.MailState]int{}}}
	for i := range list[:min(len(list), in.Limit)] {
		out.Body.Mails = append(out.Body.Mails, NewMail(&list[i]))
	}
	if len(list) > in.Limit {
		out.Body.Next = list[in.Limit-1].ID.String()
	}
	for _, state := range connector.MailStates() {
		if out.Body.Counts[state], err = s.o.Store.CountMails(ctx, c.id(), state); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// before reads the place of a list that goes back in time, "" = from the latest on.
func before(id *connector.ID, text string) error {
	if id.UnmarshalText([]byte(text)) != nil {
		return invalid("query.before", "this is not what a page gave as next")
	}
	return nil
}

type mailPath struct {
	OrgPath
	Mail string `path:"mail" format:"uuid"`
}

func (s *Server) retryMail(ctx context.Context, c *call, in *mailPath) (*struct{}, error) {
	id, err := connector.ParseID(in.Mail)
	if err != nil {
		return nil, invalid("path.mail", err.Error())
	}
	ok, err := s.o.Store.RetryMail(ctx, c.id(), id, s.now())
	if err == nil && !ok {
		err = newProblem(http.StatusNotFound, "not_found", "no such mail waits or has failed")
	}
	return nil, err
}

// MailsRetried is how many mails are tried again.
type MailsRetried struct {
	Mails int `json:"mails"`
}

type mailsRetriedOutput struct{ Body MailsRetried }

func (s *Server) retryMails(ctx context.Context, c *call, _ *OrgPath) (*mailsRetriedOutput, error) {
	n, err := s.o.Store.RetryMails(ctx, c.id(), s.now())
	return &mailsRetriedOutput{MailsRetried{n}}, err
}

type inviteInput struct {
	OrgPath
	Body ToInvite
}

// ToInvite says who is invited: the users that are named, or all that are not_verified.
type ToInvite struct {
	Users     []string            `json:"users,omitempty" doc:"Id, user name, e-mail or anchor of each." maxItems:"1000"`
	All       bool                `json:"all_not_verified,omitempty"`
	PerMinute int                 `json:"per_minute,omitempty" doc:"Mails that become due in a minute; left out: all at once, as fast as mail.rate sends them." minimum:"0" maximum:"100000"`
	Again     *connector.Duration `json:"again_after,omitempty" doc:"With all_not_verified: who was invited more lately is left out. Left out, it is 1d; 0s leaves nobody out." example:"7d"`
}

// Invited is what became of them.
type Invited struct {
	Invited int `json:"invited"`
	Recent  int `json:"left_out_recent" doc:"Invited too lately."`
	Others  int `json:"left_out_others" doc:"Not not_verified, without an address, or waiting for approval."`
}

type invitedOutput struct{ Body Invited }

func (s *Server) invite(ctx context.Context, c *call, in *inviteInput) (*invitedOutput, error) {
	if in.Body.All == (len(in.Body.Users) > 0) {
		return nil, invalid("body.users", "name the users, or say all_not_verified")
	}
	req := provision.InviteRequest{PerSecond: float64(in.Body.PerMinute) / 60}
	if in.Body.All {
		req.Again = 24 * time.Hour
		if in.Body.Again != nil {
			req.Again = time.Duration(*in.Body.Again)
		}
	}
	var err error
	if req.Users, err = s.ids(ctx, c, in.Body.Users); err != nil {
		return nil, err
	}
	sum, err := c.org.Writer.Invite(ctx, req)
	return &invitedOutput{Invited{sum.Invited, sum.Recent, sum.Others}}, err
}

// ids finds the users that body.users names.
func (s *Server) ids(ctx context.Context, c *call, keys []string) ([]connector.ID, error) {
	var ids []connector.ID
	for i, key := range keys {
		u, err := s.o.Store.FindUser(ctx, c.id(), key)
		if connector.KindOf(err) == connector.NotFound {
			return nil, invalid("body.users["+strconv.Itoa(i)+"]", "there is no such user")
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, u.ID)
	}
	return ids, nil
}
