package policy

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

// DefaultGuard is what a configuration starts from.
func DefaultGuard() connector.Guard {
	return connector.Guard{Min: 10, Percent: 5, AttributePercent: defaultAttributePercent, ExpiresAfter: connector.Duration(24 * time.Hour)}
}

const defaultAttributePercent = 50

// Unguarded is the guard that holds nothing.
func Unguarded() connector.Guard {
	return connector.Guard{Min: math.MaxInt32, Percent: 100, AttributePercent: 100}
}

// RemovalWindow is how long removals by several runs count together.
const RemovalWindow = time.Hour

// Recent counts the removals within RemovalWindow before now, and returns those that still matter.
func Recent(removed []connector.RemovalCount, now time.Time) (n int, kept []connector.RemovalCount) {
	for _, r := range removed {
		if now.Sub(r.At) < RemovalWindow {
			n += r.N
			kept = append(kept, r)
		}
	}
	return n, kept
}

// MinLost is how many people must lose or change an attribute before the share says anything: in a
// directory of four, two without a telephone are no sign of lost rights.
const MinLost = 10

// Removals says whether taking that many of a source's users away must wait for approval: when it is
// more than Min and more than Percent of the users. The reason is for people. Min and Percent are
// taken as they are, a negative one as 0: the zero Guard holds every removal. Recent are removals by
// earlier runs within RemovalWindow: what comes one by one counts together.
func Removals(g connector.Guard, users, removals, recent int) (reason string, held bool) {
	if removals <= 0 || !exceeds(g, users, removals+recent) {
		return "", false
	}
	subject := plural(removals, "removal is", "removals are")
	if recent > 0 {
		subject = fmt.Sprintf("%s, with %s in the last hour,", plural(removals, "removal", "removals"), number(recent))
		if removals == 1 {
			subject += " is"
		} else {
			subject += " are"
		}
	}
	return fmt.Sprintf("%s more than %s and more than %s of %s", subject, number(max(g.Min, 0)), percent(g.Percent), plural(users, "user", "users")), true
}

// GroupRemovals is what a run would take away of a source's groups, and what there is.
type GroupRemovals struct {
	Groups, Deleted  int
	Members, Removed int // memberships; those of deleted groups are removed too
}

// Groups says whether taking that many groups or memberships away must wait, by the measure of Removals.
func Groups(g connector.Guard, r GroupRemovals) (reason string, held bool) {
	for _, x := range []struct {
		whole, part      int
		one, many, whose string
	}{
		{r.Groups, r.Deleted, "group would be deleted", "groups would be deleted", "groups"},
		{r.Members, r.Removed, "membership would be removed", "memberships would be removed", "memberships"},
	} {
		if x.part > 0 && exceeds(g, x.whole, x.part) {
			return fmt.Sprintf("%s, more than %s and more than %s of %s %s",
				plural(x.part, x.one, x.many), number(max(g.Min, 0)), percent(g.Percent), number(x.whole), x.whose), true
		}
	}
	return "", false
}

// exceeds reports part > max(Min, Percent of whole).
func exceeds(g connector.Guard, whole, part int) bool {
	return part > max(g.Min, 0) && beyond(float64(part), float64(whole), g.Percent)
}

// beyond reports whether part is more than that percentage of whole; the last binary digits of a
// percentage such as 0.1 do not count.
func beyond(part, whole, percentage float64) bool {
	limit := whole * max(percentage, 0)
	return part*100 > limit+1e-9*max(limit, 1)
}

// Empty says whether an answer without any entry contradicts what is known: before is the number of
// people linked to the source, or of entries in its last complete answer. Such an answer is not
// complete; nobody can approve it.
func Empty(before, now int) (reason string, empty bool) {
	if now > 0 || before <= 0 {
		return "", false
	}
	return fmt.Sprintf("the answer has no entries at all where %s were known: check that the account may still read the base and that base and filter are right", number(before)), true
}

// Answer is what counts of a complete read: SourceState and ReadResult have both.
type Answer struct {
	Entries int
	Present map[string]int // attribute -> entries with a value
}

// Cliff names the attributes, in order, that more than AttributePercent of those who had them have
// lost since the last complete read, measured as shares of the entries, so that a directory that
// grows or shrinks as a whole says nothing. It is the sign of a bind account that lost rights. An
// AttributePercent of 0 means 50. At least 10 entries must have lost it.
func Cliff(g connector.Guard, before, now Answer) []string {
	if before.Entries <= 0 || now.Entries <= 0 {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(before.Present)) {
		had, has := before.Present[name], now.Present[name]
		expected := float64(had) * float64(now.Entries) / float64(before.Entries)
		lost := expected - float64(has)
		if lost < MinLost || !beyond(lost, expected, attributePercent(g)) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s of %s have it, %s of %s had it at the last complete read",
			name, number(has), plural(now.Entries, "entry", "entries"), number(had), number(before.Entries)))
	}
	return out
}

// Changes names the attributes, in order, that a run would change in more than AttributePercent of a
// source's users and in at least 10: the sign of a mistake in the mapping. An AttributePercent of 0
// means 50.
func Changes(g connector.Guard, users int, changed map[string]int) []string {
	return mistakes(g, users, changed, "would change")
}

// Blanks is Changes for the attributes without which users are refused.
func Blanks(g connector.Guard, users int, blank map[string]int) []string {
	return mistakes(g, users, blank, "would be empty")
}

func mistakes(g connector.Guard, users int, counts map[string]int, what string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		n := counts[name]
		if n < MinLost || !beyond(float64(n), float64(users), attributePercent(g)) {
			continue
		}
		out = append(out, fmt.Sprintf("%s %s for %s of %s, more than %s",
			connector.Label(name), what, number(n), plural(users, "user", "users"), percent(attributePercent(g))))
	}
	return out
}

func attributePercent(g connector.Guard) float64 {
	if g.AttributePercent <= 0 {
		return defaultAttributePercent
	}
	return g.AttributePercent
}

// percent writes 5 %, 0.5 %, 33.33 %.
func percent(p float64) string {
	if digits := math.Round(max(p, 0)*100) / 100; digits > 0 || p <= 0 {
		p = digits
	}
	return strconv.FormatFloat(p, 'f', -1, 64) + " %"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// number writes 1,234,567.
func number(n int) string {
	digits := strconv.Itoa(n)
	if len(digits) < 4 {
		return digits
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
