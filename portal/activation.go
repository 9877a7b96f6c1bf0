package portal

import (
	"errors"
	"net/http"
	"net/url"

	"usherd/connector"
	"usherd/page"
)

// activationPage is what a link is shown as.
type activationPage struct {
	page.Help
	Email    string
	Template string
	Until    string
}

// refusedPage is a failure with a button that tries again by the same link.
type refusedPage struct {
	page.Failure
	Also string // what happens next; "" = nothing by itself
	Anew string // address of the form
}

// activation finds what the link in the path is for, and answers where it opens nothing, or not any more.
func (v *visit) activation() (id connector.ID, s *connector.Subscriber, l connector.MailLink, ok bool) {
	if v.org.Activations == nil {
		v.nowhere()
		return id, nil, l, false
	}
	if !v.welcome("link") {
		return id, nil, l, false
	}
	id, err := v.s.o.Links.Open(v.org.Settings.ID, connector.ActivateLink, v.r.PathValue("token"))
	if err == nil {
		s, l, err = v.org.Activations.Activation(v.r.Context(), id)
	}
	if err != nil {
		v.closedActivation(err, s)
		return id, nil, l, false
	}
	v.lang = page.Language(v.r, v.org.Settings.LanguagesOf(v.org.Settings.Template(s.Template)))
	return id, s, l, true
}

// closedActivation says why a link opens nothing. A new one comes from the form of the template, since there is no account yet; s, nil where
// that is not known, is whom the link was for.
func (v *visit) closedActivation(err error, s *connector.Subscriber) {
	template := ""
	switch list := v.org.Settings.Templates; {
	case s != nil:
		template = s.Template
	case len(list) == 1: // then it is that one
		template = list[0].ID
	}
	n, status, ok := v.closing(err)
	if !ok {
		return
	}
	if errors.Is(err, connector.ErrLinkEnded) {
		n.Messages = []string{v.t("activate.ended.message", nil)}
	}
	if template != "" {
		n.Next = v.s.path + activatePath(v.org.Settings.ID, template)
	}
	v.tell(status, n)
}

// showActivation shows the address and a button. It changes nothing: mail scanners follow links too.
func (v *visit) showActivation() {
	_, s, l, ok := v.activation()
	switch {
	case !ok:
	case l.UsedAt.IsZero():
		v.show(http.StatusOK, "activation", activationPage{
			Help: v.help(), Email: l.Email, Template: v.org.Settings.Template(s.Template).Name, Until: l.Until.UTC().Format("2006-01-02 15:04") + " UTC",
		})
	default:
		v.outcome(http.StatusOK, s)
	}
}

// useActivation uses the link, or tries again by one that was used.
func (v *visit) useActivation() {
	id, s, l, ok := v.activation()
	if !ok {
		return
	}
	before := s
	s, err := v.org.Activations.Activate(v.r.Context(), id)
	if err == nil {
		v.s.o.Metrics.used(s)
	}
	switch {
	case errors.Is(err, connector.ErrLinkUnknown), errors.Is(err, connector.ErrLinkUsed), errors.Is(err, connector.ErrLinkEnded):
		v.closedActivation(err, before)
	case err != nil:
		v.accident("activation", err)
	case s.Status == connector.Provisioned:
		v.seeOther(v.s.o.Links.Path(&l)) // which says so
	default:
		v.outcome(http.StatusForbidden, s)
	}
}

// outcome says how far somebody has come whose address is proved.
func (v *visit) outcome(status int, s *connector.Subscriber) {
	switch {
	case s.Status == connector.Provisioned:
		v.tell(http.StatusOK, v.onward(v.notice("activate.done", map[string]string{"Organization": v.org.Settings.Name})))
		return
	case s.Failure == nil:
		v.say(http.StatusOK, "activate.claim", nil)
		return
	}
	card := v.s.pages.Failure(v.s.catalogue, *s.Failure, nil, v.contact(), v.lang)
	card.Causes, card.Never, card.Before = nil, nil, nil // what administrators do is told to them
	p := refusedPage{Failure: card, Anew: v.s.path + activatePath(s.Org, s.Template)}
	if s.Announced { // another address is believed of nobody who does not come by the subscriber's own link, and this is the subscriber
		p.Anew += "?" + url.Values{"subscriber": {s.Name}, "key": {v.s.o.Links.Subscriber(s)}}.Encode()
	}
	switch s.Failure.Reason { //nolint:exhaustive // of the others nothing happens by itself
	case connector.NoSeat:
		p.Also = v.t("activate.waits", nil)
	case connector.AccountPendingApproval:
		p.Also = v.t("activate.approval", nil)
	}
	v.show(status, "refused", p)
}
