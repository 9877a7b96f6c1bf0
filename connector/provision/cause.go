package provision

import (
	"fmt"
	"strings"

	"usherd/connector"
)

const (
	maxPlaces   = 10_000 // that are counted for the cause of a hold
	mostOf      = 90     // percent of the removals that one place must have to be their cause
	ourSettings = "scope, filter or mapping of the source have changed since the last run"
)

// causes are the words for why people lose access, in the order in which they are told.
var causes = []struct{ reason, words string }{
	{string(connector.StandingGone), "not in the directory any more"},
	{string(connector.StandingOutOfScope), "out of scope"},
	{string(connector.StandingDisabled), "disabled or expired"},
	{"", "deleted at the end of their grace period"},
}

// cause says what most of the removals have in common: that the settings are others, what the source says of
// the people, and below which place they stand.
func (l *planner) cause() (string, error) {
	counts, places, n := map[string]int{}, map[string]int{}, 0
	for x, err := range l.plan.all(func(o int32) bool { return l.plan.entries.of(o).removal && !l.plan.overruled(o) }) {
		if err != nil {
			return "", err
		}
		n++
		reason := ""
		if x.Change.Action == connector.Deactivated {
			reason = x.Change.After.DeactivatedReason
		}
		counts[reason]++
		for dn := above(x.Change.DN); dn != "" && (len(places) < maxPlaces || places[dn] > 0); dn = above(dn) {
			places[dn]++
		}
	}
	var words []string
	for _, c := range causes {
		if counts[c.reason] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[c.reason], c.words))
		}
	}
	text := strings.Join(words, ", ")
	if place := deepest(places, n); place != "" {
		text += ", most or all of them below " + place
	}
	if l.settingsChanged() {
		text = ourSettings + "; " + text
	}
	return text, nil
}

// deepest is the longest of the places that nearly all stand below.
func deepest(places map[string]int, of int) string {
	best := ""
	for dn, n := range places {
		if n*100 >= of*mostOf && (len(dn) > len(best) || len(dn) == len(best) && dn < best) {
			best = dn
		}
	}
	return best
}

// above is the DN without its first part, "" at the top.
func above(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return dn[i+1:]
		}
	}
	return ""
}
