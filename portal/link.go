package portal

import (
	"errors"
	"net/http"

	"usherd/connector"
)

// link finds the link whose token is in the path, {token}, and answers where it opens nothing, or not any more. It does
// not use it.
func (v *visit) link(kind connector.LinkKind) (connector.MailLink, bool) {
	if !v.welcome("link") {
		return connector.MailLink{}, false
	}
	id, err := v.s.o.Links.Open(v.org.Settings.ID, kind, v.r.PathValue("token"))
	var l connector.MailLink
	if err == nil {
		l, err = v.s.o.Store.MailLink(v.r.Context(), v.org.Settings.ID, id)
	}
	if err == nil {
		err = l.Check(v.s.o.Now())
	}
	if err != nil {
		v.closed(err)
		return l, false
	}
	return l, true
}

// closed says why a link opens nothing, and what the person can do.
func (v *visit) closed(err error) {
	if n, status, ok := v.closing(err); ok {
		v.tell(status, n)
	}
}

// closing is the page that closed shows; an error that is none of a link is answered as an accident, and ok is false.
func (v *visit) closing(err error) (n notice, status int, ok bool) {
	var key string
	status = http.StatusGone
	switch {
	case errors.Is(err, connector.ErrLinkAltered):
		key, status = "portal.link.altered", http.StatusNotFound
	case errors.Is(err, connector.ErrLinkUnknown):
		key = "portal.link.unknown"
	case errors.Is(err, connector.ErrLinkUsed):
		key = "portal.link.used"
	case errors.Is(err, connector.ErrLinkEnded):
		key = "portal.link.ended"
	default:
		v.accident("link", err)
		return notice{}, 0, false
	}
	n = v.notice(key, nil)
	n.Next, n.NextText = v.s.path+accountPath(v.org.Settings.ID), v.t("portal.link.new", nil)
	return n, status, true
}
