package console

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
)

// ClientStore is what the pages about SCIM read.
type ClientStore interface {
	clients.Store
	Request(ctx context.Context, org string, id connector.ID) (q connector.Request, ok bool, err error)
}

func (s *Server) scim() {
	s.page("/scim", see, (*visit).scim)
	s.body("scim", scimPage{})
	s.page("/scim/clients/{client}", see, (*visit).client)
	s.body("client", clientPage{})
	s.requests()
}

// scimPage lists the identity providers that push.
type scimPage struct {
	Requests string // address of the log
	Rows     []clientRow
}

// clientRow is one of them.
type clientRow struct {
	Address, Name        string
	Dialect              string
	Last                 *instant
	Status               pill // of the last answer
	Asked, Errors        string
	ErrorsAt             string // address of them
	AnyErrors, AnyStatus bool
	Quirks               string
	Tokens               pill
	Ends                 *instant // of the token that ends last, of those that are good
}

func (v *visit) scim() {
	p := scimPage{Requests: v.link("/scim/requests")}
	for _, s := range v.org.Settings.Sources {
		settings, pushes := v.org.Clients[s.ID]
		if !pushes {
			continue
		}
		c, err := clients.Of(v.r.Context(), v.s.o.Store, v.id(), s.ID, settings, v.now)
		if err != nil {
			v.accident("scim", err)
			return
		}
		p.Rows = append(p.Rows, v.clientRow(&c))
	}
	v.show(http.StatusOK, "scim", frame{Title: v.t("nav.scim", nil), State: v.t("scim.state", nil)}, p)
}

func (v *visit) clientRow(c *clients.Client) clientRow {
	f := frame{v: v}
	row := clientRow{
		Address: v.link("/scim/clients/" + c.Source), Name: c.Source, Dialect: c.Profile, Asked: v.number(c.Requests), Errors: v.number(c.Errors), AnyErrors: c.Errors > 0,
		ErrorsAt: v.link("/scim/requests", "client", c.Source, "status", "4xx-5xx", "since", "1d"), Quirks: v.number(len(c.Quirks)),
	}
	if c.Last != nil {
		row.Last, row.Status, row.AnyStatus = f.At(*c.Last), statusPill(c.LastStatus), true
	}
	row.Tokens, row.Ends = v.tokensPill(c.Tokens)
	return row
}

// tokensPill says how a client is equipped: whether it can push, and for how long.
func (v *visit) tokensPill(list []clients.ClientToken) (p pill, ends *instant) {
	f := frame{v: v}
	var last time.Time
	live, lasting, forever := 0, false, false
	for _, k := range list {
		switch {
		case k.Standing == connector.TokenEnded:
			continue
		case k.Ends == nil:
			forever = true
		case k.Ends.After(last):
			last = *k.Ends
		}
		live, lasting = live+1, lasting || k.Standing == connector.TokenLive
	}
	switch {
	case live == 0:
		return pill{v.t("scim.notoken", nil), "bad"}, nil
	case forever:
		return pill{v.number(live), "good"}, nil
	case lasting:
		return pill{v.number(live), "good"}, f.At(last)
	case last.Sub(v.now) <= lastWeek:
		return pill{v.number(live), "bad"}, f.At(last)
	}
	return pill{v.number(live), "warn"}, f.At(last)
}

// statusPill is the status of an answer.
func statusPill(status int) pill {
	p := pill{strconv.Itoa(status), "good"}
	switch {
	case status >= http.StatusInternalServerError:
		p.Kind = "bad"
	case status >= http.StatusBadRequest:
		p.Kind = "warn"
	}
	return p
}

// clientPage is one identity provider that pushes.
type clientPage struct {
	clientRow
	Base      string // address that it pushes to; "" = there is no such door
	Why       string // of the dialect
	Rate      string
	Keeps     string
	Logs      bool
	Bodies    bool
	Facts     []tile
	Tokens    []clientToken
	TokensAt  string // address of the tokens; "" = this administrator sees none
	NewToken  string
	Quirks    []quirkRow
	LastOnes  []requestRow
	AllOfThem string // address of its requests
}

// clientToken is a token that it may have.
type clientToken struct {
	Name, Kind string
	Standing   pill
	Ends, Used *instant
}

// quirkRow is a leniency, and how often it was needed.
type quirkRow struct {
	Quirk, Text, Times string
	First, Last        *instant
}

// shownLast is how many of the last requests the page of a client shows.
const shownLast = 10

func (v *visit) client() {
	settings, pushes := v.org.Clients[v.r.PathValue("client")]
	if !pushes {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	c, err := clients.Of(v.r.Context(), v.s.o.Store, v.id(), v.r.PathValue("client"), settings, v.now)
	if err != nil {
		v.accident("client", err)
		return
	}
	p := clientPage{
		clientRow: v.clientRow(&c), Why: v.told(c.Why), Keeps: v.lasting(settings.KeepLog), Logs: settings.KeepLog > 0, Bodies: c.Bodies,
		Rate:      v.t("scim.rates", map[string]string{"Rate": v.number(c.Rate), "Burst": v.number(c.Burst), "Concurrency": v.number(c.Concurrency)}),
		AllOfThem: v.link("/scim/requests", "client", c.Source),
	}
	if v.org.TokenAddress != nil {
		p.Base = v.org.TokenAddress(&connector.Token{Org: v.id(), Source: c.Source, Kind: connector.BearerToken})
	}
	if v.may(manage) {
		p.TokensAt, p.NewToken = v.link("/tokens", "for", c.Source), v.link("/tokens/new", "for", c.Source)
	}
	v.fillClient(&p, &c)
	if p.LastOnes, err = v.lastRequests(c.Source); err == nil {
		err = v.countHour(&p, &c)
	}
	if err != nil {
		v.accident("client", err)
		return
	}
	v.show(http.StatusOK, "client", frame{Title: c.Source, State: v.t("scim.clientstate", nil), Crumbs: v.scimCrumb()}, p)
}

func (v *visit) scimCrumb() []crumb { return []crumb{{v.t("nav.scim", nil), v.link("/scim")}} }

// fillClient fills in tokens and leniencies.
func (v *visit) fillClient(p *clientPage, c *clients.Client) {
	f := frame{v: v}
	for _, k := range c.Tokens {
		token := connector.Token{Kind: k.Kind}
		row := clientToken{Name: cmp.Or(k.Name, k.ID[len(k.ID)-8:]), Kind: v.t("tokens.short."+string(k.Kind), nil)}
		if k.Ends != nil {
			token.EndsAt, row.Ends = *k.Ends, f.At(*k.Ends)
		}
		if k.LastUsed != nil {
			row.Used = f.At(*k.LastUsed)
		}
		row.Standing = v.standingPill(&token)
		p.Tokens = append(p.Tokens, row)
	}
	for _, q := range c.Quirks {
		p.Quirks = append(p.Quirks, quirkRow{q.Quirk, v.quirk(q.Quirk), v.printer().Sprintf("%d", q.Count), f.At(q.First), f.At(q.Last)})
	}
}

// quirk says what a leniency is.
func (v *visit) quirk(id string) string {
	if v.s.o.Quirk == nil {
		return ""
	}
	return v.told(v.s.o.Quirk(id))
}

// countHour tells how busy the client is.
func (v *visit) countHour(p *clientPage, c *clients.Client) error {
	hour, err := v.s.o.Store.CountRequests(v.r.Context(), v.id(), c.Source, v.now.Add(-time.Hour))
	if err != nil {
		return err
	}
	for _, x := range []struct {
		text, since, status string
		n                   int
	}{
		{"scim.hour", "1h", "", hour.Requests},
		{"scim.houre", "1h", "4xx-5xx", hour.Errors},
		{"scim.day", "1d", "", c.Requests},
		{"scim.daye", "1d", "4xx-5xx", c.Errors},
	} {
		kind := ""
		if x.status != "" && x.n > 0 {
			kind = "warn"
		}
		p.Facts = append(p.Facts, tile{
			Text: v.t(x.text, nil), Number: v.number(x.n), Address: v.link("/scim/requests", "client", c.Source, "status", x.status, "since", x.since), Kind: kind, Share: -1,
		})
	}
	return nil
}

func (v *visit) lastRequests(source string) ([]requestRow, error) {
	list, err := v.s.o.Store.Requests(v.r.Context(), connector.RequestQuery{Org: v.id(), Source: source, Limit: shownLast})
	rows := make([]requestRow, len(list))
	for i := range list {
		rows[i] = v.requestRow(&list[i])
	}
	return rows, err
}
