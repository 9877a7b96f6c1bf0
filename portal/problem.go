package portal

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
)

// ref is the form of references to failures.
var ref = regexp.MustCompile(`^[0-9A-Z]{4}-[0-9A-Z]{4}$`)

// problem tells in the person's words what a failure of that number means, for an application that has been told one.
// ?org=, ?reason= and ?ref= say more; of them only what we know by ourselves is shown.
func (v *visit) problem() {
	n, err := strconv.Atoi(v.r.PathValue("code"))
	reasons := failure.Reasons(connector.Code(n))
	if err != nil || len(reasons) == 0 {
		v.nowhere()
		return
	}
	q := v.r.URL.Query()
	f := connector.Failure{Code: connector.Code(n), At: v.s.o.Now()}
	if reason := connector.Reason(q.Get("reason")); slices.Contains(reasons, reason) {
		f.Reason = reason
	} else if len(reasons) == 1 {
		f.Reason = reasons[0]
	}
	if r := q.Get("ref"); ref.MatchString(r) {
		f.Ref = r
	}
	v.card(f)
}

// card tells a failure to the person; what administrators do about it is told to them.
func (v *visit) card(f connector.Failure) {
	card := v.s.pages.Failure(v.s.catalogue, f, nil, v.contact(), v.lang)
	card.Causes, card.Never, card.Before = nil, nil, nil
	if strings.HasPrefix(card.Title, strings.TrimSuffix(card.Messages[0], ".")) { // 18: its title says it all
		card.Messages = nil
	}
	v.show(http.StatusOK, "problem", card)
}
