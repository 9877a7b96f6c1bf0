package console

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/sources"
)

// SignInStore is what the pages about single sign-on read.
type SignInStore interface {
	Attempts(ctx context.Context, q connector.AttemptQuery) ([]connector.Attempt, error)
	Attempt(ctx context.Context, org string, id connector.ID) (connector.Attempt, bool, error)
	CountAttempts(ctx context.Context, org, source string, since time.Time, most int) (connector.AttemptCounts, error)
}

func (s *Server) sso() {
	s.page("/sso", see, (*visit).sso)
	s.body("sso", ssoPage{})
	s.page("/sso/idps/{idp}", see, (*visit).idp)
	s.body("idp", idpPage{})
	s.action("/sso/idps/{idp}/test", need{permission: run}, (*visit).askIDP, (*visit).testIDP)
	s.action("/sso/idps/{idp}/sign-in", need{permission: run}, (*visit).askTrial, (*visit).tryIDP)
	s.body("sign_in_test", trialPage{})
	s.attempts()
}

// ssoPage lists the identity providers by which people sign in.
type ssoPage struct {
	Attempts string // address of all
	Rows     []idpRow
}

// idpRow is one of them.
type idpRow struct {
	Address, Name    string
	State            pill
	EntityID         string
	Ends             *instant // of the certificate that ends last
	EndsPill         pill
	Tried, Refused   string // in 24 hours
	AnyRefused       bool
	RefusedAt, AllAt string // addresses

	counts connector.AttemptCounts // of 24 hours
}

// mostAttempts bounds how many attempts are counted.
const mostAttempts = 10_000

func (v *visit) sso() {
	p := ssoPage{Attempts: v.link("/sso/attempts")}
	for _, s := range v.org.Settings.Sources {
		if c := v.org.SignOns[s.ID]; c != nil {
			row, err := v.idpRow(s.ID, c)
			if err != nil {
				v.accident("sso", err)
				return
			}
			p.Rows = append(p.Rows, row)
		}
	}
	v.show(http.StatusOK, "sso", frame{Title: v.t("nav.sso", nil), State: v.t("sso.state", nil)}, p)
}

func (v *visit) idpRow(id string, c *sources.SignOn) (idpRow, error) {
	is, _ := c.Known()
	row := idpRow{Address: v.link("/sso/idps/" + id), Name: id, EntityID: is.EntityID, State: v.idpPill(c.Standing(v.now))}
	row.AllAt, row.RefusedAt = v.link("/sso/attempts", "idp", id, "since", "1d"), v.link("/sso/attempts", "idp", id, "result", "refused", "since", "1d")
	if last := lastEnd(is.Certificates); !last.IsZero() {
		f := frame{v: v}
		row.Ends, row.EndsPill = f.At(last), v.endPill(last)
	}
	n, err := v.s.o.Store.CountAttempts(v.r.Context(), v.id(), id, v.now.Add(-24*time.Hour), mostAttempts)
	row.counts = n
	row.Tried, row.Refused, row.AnyRefused = v.counted(n.Attempts), v.number(n.Refused), n.Refused > 0
	return row, err
}

// counted is a number that is not counted to its end.
func (v *visit) counted(n int) string {
	if n >= mostAttempts {
		return v.number(n) + "+"
	}
	return v.number(n)
}

// idpPill says whether people can sign in.
func (v *visit) idpPill(is sources.Standing) pill {
	kinds := map[sources.Standing]pill{
		sources.NoDoor: {"sso.nodoor", "off"}, sources.Unknown: {"sso.unknown", "bad"}, sources.Over: {"sso.over", "bad"}, sources.Known: {"sso.known", "good"},
	}
	p := kinds[is]
	p.Text = v.t(p.Text, nil)
	return p
}

// lastEnd is when the last of certificates ends, zero where there is none.
func lastEnd(list []sources.Certificate) (last time.Time) {
	for _, c := range list {
		if c.Until.After(last) {
			last = c.Until
		}
	}
	return last
}

// endPill says how near the end of something is.
func (v *visit) endPill(end time.Time) pill {
	switch left := end.Sub(v.now); {
	case left < 0:
		return pill{v.t("tokens.standing.ended", nil), "bad"}
	case left <= lastWeek:
		return pill{v.t("tokens.standing.ends_soon", nil), "bad"}
	case left <= connector.TokenEndsSoon:
		return pill{v.t("tokens.standing.ends_soon", nil), "warn"}
	}
	return pill{v.t("tokens.standing.live", nil), "good"}
}

// idpPage is one identity provider.
type idpPage struct {
	idpRow
	Why           *failCard // why it is not known
	SSOURL        string
	Until, Read   *instant
	Fetched       bool
	Base          string
	Addresses     []fact // of our door, to be entered at the identity provider
	Theirs, Ours  []certificateRow
	Rules         []fact
	Keeps         bool
	Last          idpLast
	Required      []doorField
	Test, Setting string // addresses; Test "" = this administrator tests nothing
	Try           string // address; "" = there is no sign-in to be tried, or nobody would see it
}

// certificateRow is one certificate.
type certificateRow struct {
	Subject, SHA256 string
	From, Until     *instant
	Standing        pill
}

// theIDP is the identity provider that the path names, and answers where there is none.
func (v *visit) theIDP() (*connector.SourceSettings, *sources.SignOn, bool) {
	id := v.r.PathValue("idp")
	x, c := v.org.Settings.Source(id), v.org.SignOns[id]
	if x == nil || c == nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return nil, nil, false
	}
	return x, c, true
}

func (v *visit) idp() {
	x, c, ok := v.theIDP()
	if !ok {
		return
	}
	row, err := v.idpRow(x.ID, c)
	p := idpPage{idpRow: row, Keeps: c.Keep > 0, Setting: v.link("/sources/" + x.ID + "/connection"), Rules: v.signInRules(x, c)}
	if err == nil {
		p.Last, err = v.lastSignIns(x.ID, c, row.counts)
	}
	if err == nil && !x.OnlyKnown {
		p.Required, err = v.requiredBy(x.ID)
	}
	if err != nil {
		v.accident("idp", err)
		return
	}
	if v.may(run) && v.configured(x.ID).Server {
		p.Test = v.link("/sso/idps/" + x.ID + "/test")
	}
	if v.may(run) && c.Triable() {
		p.Try = v.link("/sso/idps/" + x.ID + "/sign-in")
	}
	v.fillIDP(&p, x.ID, c)
	v.show(http.StatusOK, "idp", frame{Title: x.ID, State: v.t("sso.idpstate", nil), Crumbs: v.ssoCrumb()}, p)
}

func (v *visit) ssoCrumb() []crumb { return []crumb{{v.t("nav.sso", nil), v.link("/sso")}} }

// fillIDP fills in how it is known, and how we are known to it.
func (v *visit) fillIDP(p *idpPage, id string, c *sources.SignOn) {
	f := frame{v: v}
	is, door := c.Known()
	p.SSOURL, p.Until, p.Read, p.Fetched = is.SSOURL, f.At(is.Until), f.At(is.Read), is.Fetched
	if door && is.Code != 0 {
		card := v.failCard(connector.Failure{Code: is.Code, Org: v.id(), Source: id, At: v.now}, time.Time{})
		p.Why = &card
	}
	if c.Base != "" {
		p.Base = c.Base
		p.Addresses = []fact{
			{Name: v.t("sso.entity", nil), Value: c.EntityID()}, {Name: v.t("sso.acs", nil), Value: c.ACS()}, {Name: v.t("sso.login", nil), Value: c.Login()},
		}
	}
	p.Theirs, p.Ours = v.certificates(is.Certificates), v.certificates(c.Ours)
}

func (v *visit) certificates(list []sources.Certificate) []certificateRow {
	f := frame{v: v}
	rows := make([]certificateRow, len(list))
	for i, c := range list {
		rows[i] = certificateRow{c.Subject, c.SHA256, f.At(c.From), f.At(c.Until), v.endPill(c.Until)}
		if v.now.Before(c.From) {
			rows[i].Standing = pill{v.t("sso.notyet", nil), "wait"}
		}
	}
	return rows
}

// signInRules say what becomes of who signs in.
func (v *visit) signInRules(x *connector.SourceSettings, c *sources.SignOn) []fact {
	creates := "sso.creates.yes"
	switch {
	case x.OnlyKnown:
		creates = "sso.creates.no"
	case x.Approval || v.org.Settings.Approval:
		creates = "sso.creates.approval"
	}
	keeps := v.t("sso.keepsnone", nil)
	if c.Keep > 0 {
		keeps = v.lasting(c.Keep)
	}
	rules := []fact{
		{Name: v.t("sso.creates.label", nil), Value: v.t(creates, nil)},
		{Name: v.t("sso.skew", nil), Value: v.lasting(c.Skew)},
		{Name: v.t("sso.keeps", nil), Value: keeps},
	}
	if pkg := x.Package; pkg != "" {
		rules = append(rules, fact{Name: v.t("users.packagehead", nil), Value: v.packageName(pkg)})
	}
	return rules
}

func (v *visit) idpFrame(x *connector.SourceSettings, title string) frame {
	return frame{Title: v.t(title, nil), Crumbs: append(v.ssoCrumb(), crumb{x.ID, v.link("/sso/idps/" + x.ID)})}
}

func (v *visit) askIDP() {
	if x, _, ok := v.theIDP(); ok {
		v.show(http.StatusOK, "confirm", v.idpFrame(x, "sso.test.link"), confirm{
			Effect: []string{v.t("sso.test.effect", nil)}, Button: v.t("sso.test.button", nil), Back: v.link("/sso/idps/" + x.ID),
		})
	}
}

func (v *visit) testIDP() {
	if x, _, ok := v.theIDP(); ok {
		v.test(x, v.idpFrame(x, "sso.test.title"), v.link("/sso/idps/"+x.ID+"/test"), v.link("/sso/idps/"+x.ID))
	}
}
