package console

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/sources"
)

// idpLast is how sign-ins by one identity provider have gone of late.
type idpLast struct {
	In      *instant // the last one that went well; nil = there is none among those that are looked at
	InAt    string   // address of it
	NeverIn string   // what is said then
	Reasons []fact   // why some were refused within 24 hours, with how many
	Status  fact     // how many carried Member Status
	Clock   string   // how the clocks stand to each other; "" = that is not known
	ClockOf pill     // whether that is still well
	Rows    []signInRow
}

// lastSignIns looks at the last attempts of an identity provider, and at how those of 24 hours were refused.
func (v *visit) lastSignIns(source string, c *sources.SignOn, counts connector.AttemptCounts) (l idpLast, err error) {
	list, err := v.s.o.Store.Attempts(v.r.Context(), connector.AttemptQuery{Org: v.id(), Source: source, Limit: lastTried})
	if err != nil {
		return l, err
	}
	l = idpLast{Rows: make([]signInRow, min(len(list), shownLast))}
	for i := range l.Rows {
		l.Rows[i] = v.signInRow(&list[i])
	}
	for _, x := range counts.Reasons {
		code := strconv.Itoa(int(x.Code))
		l.Reasons = append(l.Reasons, fact{
			Name: strings.TrimSpace(v.s.catalogue.Title(x.Code, v.lang) + " " + string(x.Reason)), Value: v.counted(x.Count),
			Address: v.link("/sso/attempts", "idp", source, "code", code, "reason", string(x.Reason), "since", "1d"),
		})
	}
	l.Status = v.carriedStatus(source, list)
	l.Clock, l.ClockOf = v.clocks(list, c.Skew)
	err = v.lastIn(&l, source, list)
	return l, err
}

// carriedStatus counts the attempts that were refused since the assertion carried Member Status.
func (v *visit) carriedStatus(source string, list []connector.Attempt) fact {
	n := 0
	for i := range list {
		if list[i].Reason == connector.MemberStatusPresent {
			n++
		}
	}
	f := fact{Name: v.s.pages.Count(v.lang, "errors.attempts", len(list)), Value: v.number(n)}
	if n > 0 {
		f.Address = v.link("/sso/attempts", "idp", source, "reason", string(connector.MemberStatusPresent))
	}
	return f
}

// mostLookedThrough is among how many attempts the last one is looked for that let somebody in.
const mostLookedThrough = 1000

// lastIn finds the last attempt that let somebody in, tests left out: among those at hand, else among those before them.
func (v *visit) lastIn(l *idpLast, source string, list []connector.Attempt) (err error) {
	in := func(x connector.Attempt) bool { return x.Code == 0 && x.Test == nil }
	q := connector.AttemptQuery{Org: v.id(), Source: source, Limit: mostLookedThrough}
	if len(list) == lastTried && !slices.ContainsFunc(list, in) {
		q.Before = list[len(list)-1].ID
		if list, err = v.s.o.Store.Attempts(v.r.Context(), q); err != nil {
			return err
		}
	}
	i := slices.IndexFunc(list, in)
	switch {
	case i >= 0:
		f := frame{v: v}
		l.In, l.InAt = f.At(list[i].At), v.link("/sso/attempts/"+list[i].ID.String())
	case len(list) == q.Limit:
		l.NeverIn = v.t("sso.lately.nonelately", map[string]string{"Number": v.number(lastTried + q.Limit)})
	default:
		l.NeverIn = v.t("sso.lately.none", nil)
	}
	return nil
}

// clocks says between what the clocks differed at the last attempts of which that is known, and in the middle.
func (v *visit) clocks(list []connector.Attempt, allowed time.Duration) (string, pill) {
	var skews []time.Duration
	for i := range list {
		if skew, known := list[i].Skew(); known {
			skews = append(skews, skew)
		}
	}
	if len(skews) == 0 {
		return "", pill{}
	}
	slices.Sort(skews)
	least, most := skews[0], skews[len(skews)-1]
	said := v.t("sso.lately.between", map[string]string{"Least": v.skew(least), "Most": v.skew(most), "Middle": v.skew(skews[len(skews)/2])})
	if v.skewed(least, allowed) || v.skewed(most, allowed) {
		return said, pill{v.t("sso.lately.apart", nil), "warn"}
	}
	return said, pill{v.t("sso.lately.together", nil), "good"}
}

// skewed reports whether clocks stand further apart than half of what is allowed: then it is time to set one.
func (v *visit) skewed(skew, allowed time.Duration) bool {
	return skew.Abs() > max(allowed/2, time.Second)
}

// skew is a difference of clocks with its sign, in seconds.
func (v *visit) skew(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign = "−"
	}
	return sign + v.printer().Sprintf("%.1f", d.Abs().Seconds()) + "\u00a0s"
}

// requiredBy are the fields without which nobody gets an account, with where they come from in what an identity provider says.
func (v *visit) requiredBy(source string) (list []doorField, err error) {
	all, err := v.org.Writer.Fields(source)
	for _, f := range all {
		if f.Required {
			list = append(list, v.doorField(f))
		}
	}
	return list, err
}
