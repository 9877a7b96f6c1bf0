package portal

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/page"
)

// Claims ends claims of users between organizations. provision.Claims is one.
type Claims interface {
	DecideClaim(ctx context.Context, d provision.ClaimDecision) (*connector.Claim, []connector.Failure, error)
	AskToKeep(ctx context.Context, org string, claim connector.ID, email string) error
}

// claims are the pages on which somebody who was claimed decides what becomes of the old account.
func (s *Server) claims() {
	s.mux.HandleFunc("GET /claim/{org}/{token}", s.of((*visit).claim))
	s.mux.HandleFunc("POST /claim/{org}/{token}", s.of((*visit).decideClaim))
	s.mux.HandleFunc("GET /claim/{org}/done/{what}", s.of((*visit).claimDone))
	s.mux.HandleFunc("GET /claim-keep/{org}/{token}", s.of((*visit).claimKeep))
	s.mux.HandleFunc("POST /claim-keep/{org}/{token}", s.of((*visit).decideKeep))
}

// claimPage is what a claim is shown as.
type claimPage struct {
	page.Help
	Email   string
	Old     string   // the name of the organization that had the account
	Known   []string // what the new organization knows already
	Waits   []string // what goes along only if the person, or the end of the time, says so
	Days    int
	Until   string
	Choice  connector.ClaimChoice
	Another string // the other address, as it was typed
	Fault   string // what is wrong with it; "" = nothing
}

// claim shows the choices. It changes nothing: mail scanners follow links too.
func (v *visit) claim() {
	if c, _, ok := v.openClaim(connector.ClaimLink); ok {
		v.showClaim(http.StatusOK, c, connector.ClaimMove, "", "")
	}
}

// openClaim finds the claim of a link, and answers where there is nothing to decide any more.
func (v *visit) openClaim(kind connector.LinkKind) (*connector.Claim, connector.MailLink, bool) {
	l, ok := v.link(kind)
	if !ok {
		return nil, l, false
	}
	c, err := v.s.o.Store.Claim(v.r.Context(), l.Org, l.Subject)
	switch {
	case err != nil:
		v.accident("claim", err)
	case c.Status != connector.ClaimOpen:
		v.say(http.StatusGone, "claim.over", nil)
	default:
		return c, l, true
	}
	return nil, l, false
}

func (v *visit) showClaim(status int, c *connector.Claim, choice connector.ClaimChoice, another, fault string) {
	p := claimPage{
		Help: v.help(), Email: c.Email, Old: v.nameOf(c.From), Days: c.DaysLeft(v.s.o.Now()), Until: c.Until.UTC().Format(time.DateOnly),
		Choice: choice, Another: another, Fault: fault,
	}
	for _, name := range c.Data.Names() {
		label := v.s.catalogue.Label(name, v.lang)
		if slices.Contains(connector.ClaimedAttributes(), name) {
			p.Known = append(p.Known, label)
		} else {
			p.Waits = append(p.Waits, label)
		}
	}
	v.show(status, "claim", p)
}

// nameOf is how people know an organization; its id where it is not configured any more.
func (v *visit) nameOf(org string) string {
	if o := (*v.s.orgs.Load())[org]; o != nil && o.Settings.Name != "" {
		return o.Settings.Name
	}
	return org
}

// decideClaim does what the person has chosen. To keep the old account, its new address has to be proved first.
func (v *visit) decideClaim() {
	c, l, ok := v.openClaim(connector.ClaimLink)
	if !ok {
		return
	}
	form, ok := v.form()
	if !ok {
		return
	}
	choice, another := connector.ClaimChoice(form.Get("choice")), strings.TrimSpace(form.Get("email"))
	switch choice {
	case connector.ClaimMove, connector.ClaimDelete:
		v.decide(c, provision.ClaimDecision{Choice: choice, Link: l.ID})
	case connector.ClaimKeep:
		v.askToKeep(c, another)
	default:
		v.showClaim(http.StatusUnprocessableEntity, c, connector.ClaimMove, another, v.t("claim.choose", nil))
	}
}

// askToKeep has the other address proved.
func (v *visit) askToKeep(c *connector.Claim, another string) {
	err := v.org.Claims.AskToKeep(v.r.Context(), c.Org, c.ID, another)
	switch kind := connector.KindOf(err); {
	case err == nil:
		v.seeOther("/claim/" + v.org.Settings.ID + "/done/asked")
	case kind == connector.Invalid:
		v.showClaim(http.StatusUnprocessableEntity, c, connector.ClaimKeep, another, v.t("claim.address", nil))
	case kind == connector.Refused:
		v.say(http.StatusTooManyRequests, "claim.often", nil)
	case kind == connector.Conflict:
		v.say(http.StatusGone, "claim.over", nil)
	default:
		v.accident("claim", err)
	}
}

// decide ends the claim, and answers.
func (v *visit) decide(c *connector.Claim, d provision.ClaimDecision) {
	d.Org, d.Claim, d.Actor = c.Org, c.ID, "person:claim"
	_, failures, err := v.org.Claims.DecideClaim(v.r.Context(), d)
	isClosed := errors.Is(err, connector.ErrLinkUsed) || errors.Is(err, connector.ErrLinkEnded) || errors.Is(err, connector.ErrLinkUnknown)
	switch {
	case isClosed:
		v.closed(err)
	case connector.KindOf(err) == connector.Conflict:
		v.say(http.StatusGone, "claim.over", nil)
	case connector.KindOf(err) == connector.Refused: // the old organization is not there any more
		v.say(http.StatusConflict, "claim.impossible", nil)
	case err != nil:
		v.accident("claim", err)
	case len(failures) > 0:
		v.refuseKeep(c, failures[0])
	default:
		i := slices.Index(connector.ClaimChoices(), d.Choice)
		v.seeOther("/claim/" + v.org.Settings.ID + "/done/" + string(connector.ClaimChoices()[i]))
	}
}

// refuseKeep says why the old organization does not keep the account. Its administrators can help; who holds an address
// there is nobody else's business.
func (v *visit) refuseKeep(c *connector.Claim, f connector.Failure) {
	f.Detail = ""
	contact := v.contact()
	if o := (*v.s.orgs.Load())[c.From]; o != nil {
		contact = o.Settings.Contact
	}
	card := v.s.pages.Failure(v.s.catalogue, f, nil, contact, v.lang)
	card.Causes, card.Never, card.Before = nil, nil, nil
	card.Messages = append([]string{v.t("claim.refused", nil)}, card.Messages...)
	v.show(http.StatusConflict, "problem", card)
}

// claimDone says what was done.
func (v *visit) claimDone() {
	what := v.r.PathValue("what")
	if what != "asked" && !slices.Contains(connector.ClaimChoices(), connector.ClaimChoice(what)) {
		v.nowhere()
		return
	}
	v.say(http.StatusOK, "claim.done."+what, v.org.Settings.Name)
}

// keepPage is what the link to the other address is shown as.
type keepPage struct {
	page.Help
	Email   string // the address that was claimed
	Another string
	Old     string
}

// claimKeep shows what the other address is for.
func (v *visit) claimKeep() {
	if c, l, ok := v.openClaim(connector.ClaimKeepLink); ok {
		v.show(http.StatusOK, "claim_keep", keepPage{Help: v.help(), Email: c.Email, Another: l.Email, Old: v.nameOf(c.From)})
	}
}

// decideKeep keeps the old account under the address that this has proved.
func (v *visit) decideKeep() {
	if c, l, ok := v.openClaim(connector.ClaimKeepLink); ok {
		v.decide(c, provision.ClaimDecision{Choice: connector.ClaimKeep, Email: l.Email, Link: l.ID})
	}
}
