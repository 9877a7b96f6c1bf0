package portal

import (
	"net/http"
	"time"

	"usherd/connector"
	"usherd/page"
)

// invitations are the pages of the link by which somebody proves an address.
func (s *Server) invitations() {
	s.mux.HandleFunc("GET /invitation/{org}/{token}", s.of((*visit).invitation))
	s.mux.HandleFunc("POST /invitation/{org}/{token}", s.of((*visit).prove))
	s.mux.HandleFunc("GET /invitation/{org}/done", s.of((*visit).proven))
	s.mux.HandleFunc("GET /invitation/{org}/pending", s.of((*visit).provenPending))
}

// invitationPage is what a link is shown as.
type invitationPage struct {
	page.Help
	Email string
	Until string
}

// invitation shows what the link is for. It changes nothing: mail scanners follow links too.
func (v *visit) invitation() {
	l, ok := v.link(connector.ProveLink)
	if !ok {
		return
	}
	v.show(http.StatusOK, "invitation", invitationPage{Help: v.help(), Email: l.Email, Until: l.Until.UTC().Format(dateTime) + " UTC"})
}

// prove uses the link.
func (v *visit) prove() {
	l, ok := v.link(connector.ProveLink)
	if !ok {
		return
	}
	proof, err := v.org.People.ProveEmail(v.r.Context(), l.ID)
	switch {
	case err != nil:
		v.closed(err)
	case proof.Refusal == nil:
		v.seeOther("/invitation/" + v.org.Settings.ID + "/done")
	case proof.Refusal.Reason == connector.AccountPendingApproval:
		v.seeOther("/invitation/" + v.org.Settings.ID + "/pending")
	default:
		v.seeOther(accountPath(v.org.Settings.ID) + "/inactive")
	}
}

func (v *visit) proven() { v.tell(http.StatusOK, v.onward(v.notice("invitation.done", nil))) }

func (v *visit) provenPending() { v.say(http.StatusOK, "invitation.pending", nil) }

// dateTime is the form in which pages show when something is.
const dateTime = time.DateOnly + " 15:04"
