package portal

import (
	"errors"
	"net/http"

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
		v.closed(err)
		return id, nil, l, false
	}
	v.lang = page.Language(v.r, v.org.Settings.LanguagesOf(v.org.Settings.Template(s.Template)))
	return id, s, l, true
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
	id, _, l, ok := v.activation()
	if !ok {
		return
	}
	s, err := v.org.Activations.Activate(v.r.Context(), id)
	if err == nil {
		v.s.o.Metrics.used(s)
	}
	switch {
	case errors.Is(err, connector.ErrLinkUnknown), errors.Is(err, connector.ErrLinkUsed), errors.Is(err, connector.ErrLinkEnded):
		v.closed(err)
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
		v.say(http.StatusOK, "activate.done", map[string]string{"Organization": v.org.Settings.Name})
		return
	case s.Failure == nil:
		v.say(http.StatusOK, "activate.claim", nil)
		return
	}
	card := v.s.pages.Failure(v.s.catalogue, *s.Failure, nil, v.contact(), v.lang)
	card.Causes, card.Never, card.Before = nil, nil, nil // what administrators do is told to them
	p := refusedPage{Failure: card, Anew: v.s.path + "/activate/" + v.org.Settings.ID + "/" + s.Template}
	switch s.Failure.Reason { //nolint:exhaustive // of the others nothing happens by itself
	case connector.NoSeat:
		p.Also = v.t("activate.waits", nil)
	case connector.AccountPendingApproval:
		p.Also = v.t("activate.approval", nil)
	}
	v.show(status, "refused", p)
}
