package console

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"usherd/connector"
)

// SearchStore finds what no list has a filter for.
type SearchStore interface {
	FindRun(ctx context.Context, text string) (*connector.Run, error)
}

func (s *Server) search() {
	s.page("/search", see, (*visit).search)
	s.body("search", searchPage{})
}

// searchPage is what of everything fits what was typed.
type searchPage struct {
	Query     string
	Groups    []hitGroup
	Elsewhere []actionLink // lists that find more by the same words, or take longer
}

// hitGroup are the first of one kind that fit.
type hitGroup struct {
	Title string
	Hits  []hit
	All   string // address of the list of all that fit; "" = these are all
}

// hit is one of them.
type hit struct {
	Address, Text string
	Notes         []string
	Code          string // reference or id; "" = none
	State         pill   // without a text = it has none
	Waits         bool   // for approval
	exact         bool   // found by an id or a reference, which nothing else has
}

// mostHits bounds how many of a kind are shown.
const mostHits = 8

// finders are the kinds of things that are looked for, in the order in which they are shown: each with the page that one has to be
// allowed to see for it, and the name of that in the navigation.
var finders = []struct {
	page, name string
	find       func(v *visit, q string) (hitGroup, error)
}{
	{"/users", "users", (*visit).findPeople},
	{"/provisioning", "provisioning", (*visit).findSubscribers},
	{"/failures", "failures", (*visit).findFailures},
	{"/sso/attempts", "", (*visit).findSignIns},
	{"/runs", "runs", (*visit).findRuns},
	{"/errors", "errors", (*visit).findErrors},
	{"/sources", "sources", (*visit).findSources},
	{"/seats", "seats", (*visit).findPackages},
	{"/scim", "scim", (*visit).findClients},
	{"/sso", "sso", (*visit).findIDPs},
	{"/templates", "templates", (*visit).findTemplates},
	{"/domains", "domains", (*visit).findDomains},
}

// search looks for what was typed in everything that this administrator may see. Where it is the id or the reference of one thing
// and nothing else fits, that is shown at once.
func (v *visit) search() {
	p := searchPage{Query: v.query("q")}
	if p.Query != "" {
		if err := v.fillSearch(&p); err != nil {
			v.accident("search", err)
			return
		}
	}
	if len(p.Groups) == 1 && len(p.Groups[0].Hits) == 1 && p.Groups[0].Hits[0].exact {
		v.redirect(p.Groups[0].Hits[0].Address)
		return
	}
	v.show(http.StatusOK, "search", frame{Title: v.t("search.title", nil), State: v.t("search.state", nil)}, p)
}

func (v *visit) fillSearch(p *searchPage) error {
	for _, f := range finders {
		if need, there := v.s.permissionOf(f.page); !there || !v.may(need) {
			continue
		}
		g, err := f.find(v, p.Query)
		if err != nil {
			return err
		}
		if len(g.Hits) > 0 {
			g.Title = cmp.Or(g.Title, v.t("nav."+f.name, nil))
			p.Groups = append(p.Groups, g)
		}
	}
	if g := v.findPages(p.Query); len(g.Hits) > 0 {
		p.Groups = append(p.Groups, g)
	}
	p.Elsewhere = v.elsewhere(p.Query)
	return nil
}

// elsewhere are the lists that are asked for the same words by a link only: what they do takes longer, or asks a directory.
func (v *visit) elsewhere(q string) (list []actionLink) {
	add := func(page, text, param string, data any) {
		pattern := page
		if strings.HasPrefix(page, "/sources/") {
			pattern = "/sources/{source}/explain"
		}
		if need, there := v.s.permissionOf(pattern); there && v.may(need) {
			list = append(list, actionLink{Text: v.t(text, data), Address: v.link(page, param, q)})
		}
	}
	add("/failures", "search.failures", "q", nil)
	for _, s := range v.org.Settings.Sources {
		if v.asks(s.ID) {
			add("/sources/"+s.ID+"/explain", "search.explain", "entry", map[string]string{"Source": s.ID})
		}
	}
	if len(v.org.SignOns) > 0 {
		add("/sso/attempts", "search.signins", "q", nil)
	}
	if len(v.org.Clients) > 0 {
		add("/scim/requests", "search.requests", "q", nil)
	}
	return list
}

// none is err, but for what only says that there is nothing of the kind.
func none(err error) error {
	if err == nil {
		return nil
	}
	switch connector.KindOf(err) { //nolint:exhaustive // the others are faults
	case connector.NotFound, connector.Conflict, connector.Invalid:
		return nil
	}
	return err
}

// isID reports whether a text has the form of an id, which is never shortened there.
func isID(q string) bool {
	_, err := connector.ParseID(q)
	return err == nil
}

// findPeople finds who goes by the very words, inactive ones and tombstones by their ids too, and whose names begin with them.
func (v *visit) findPeople(q string) (g hitGroup, err error) {
	named, err := v.s.o.Store.FindUser(v.r.Context(), v.id(), q)
	if none(err) != nil {
		return g, err
	}
	if named != nil {
		h := v.personHit(named)
		h.exact = isID(q)
		g.Hits = append(g.Hits, h)
	}
	list, _, err := v.s.o.Store.ListUsers(v.r.Context(), connector.UserQuery{Org: v.id(), Search: q, Limit: mostHits})
	for _, u := range list {
		if (named == nil || u.ID != named.ID) && len(g.Hits) < mostHits {
			g.Hits = append(g.Hits, v.personHit(u))
		}
	}
	if len(list) > 0 {
		g.All = v.link("/users", "q", q, "active", "any")
	}
	return g, err
}

func (v *visit) personHit(u *connector.User) hit {
	row := v.userRow(u)
	h := hit{Address: row.Address, Text: row.Name, State: row.State, Waits: row.Pending}
	for _, note := range []string{row.Email, row.UserName, row.Package} {
		if note != "" && (len(h.Notes) == 0 || note != h.Notes[0]) {
			h.Notes = append(h.Notes, note)
		}
	}
	return h
}

func (v *visit) findSubscribers(q string) (g hitGroup, err error) {
	if id, wrong := connector.ParseID(q); wrong == nil {
		s, err := v.s.o.Store.Subscriber(v.r.Context(), v.id(), id)
		if err == nil {
			h := v.subscriberHit(s)
			h.exact = true
			g.Hits = append(g.Hits, h)
		}
		return g, none(err)
	}
	list, _, err := v.s.o.Store.Subscribers(v.r.Context(), connector.SubscriberQuery{Org: v.id(), Search: q, Limit: mostHits})
	for _, s := range list {
		h := v.subscriberHit(s)
		h.exact = connector.Fold(s.Name) == connector.Fold(q)
		g.Hits = append(g.Hits, h)
	}
	if len(list) > 0 {
		g.All = v.link("/provisioning", "q", q)
	}
	return g, err
}

func (v *visit) subscriberHit(s *connector.Subscriber) hit {
	row := v.subscriberRow(s)
	h := hit{Address: row.Address, Text: row.Name, State: row.Status, Code: row.Reason}
	for _, note := range []string{row.Person, row.Email, row.Template} {
		if note != "" {
			h.Notes = append(h.Notes, note)
		}
	}
	return h
}

// reference is the form of what people are told to quote, see connector.NewRef.
var reference = regexp.MustCompile(`^[0-9A-Za-z]{4}-[0-9A-Za-z]{4}$`)

func (v *visit) findFailures(q string) (g hitGroup, err error) {
	if !reference.MatchString(q) {
		return g, nil
	}
	i, err := v.s.o.Store.OpenItem(v.r.Context(), v.id(), q)
	if err == nil {
		row := v.failureRow(&i)
		g.Hits = []hit{{Address: row.Address, Text: row.Person, Notes: []string{row.Title}, Code: row.Reason, exact: true}}
	}
	return g, none(err)
}

// findSignIns finds attempts to sign in by the reference that the person was shown.
func (v *visit) findSignIns(q string) (g hitGroup, err error) {
	if !reference.MatchString(q) {
		return g, nil
	}
	list, err := v.s.o.Store.Attempts(v.r.Context(), connector.AttemptQuery{Org: v.id(), Ref: q, Limit: mostHits})
	for i := range list {
		row := v.signInRow(&list[i])
		g.Hits = append(g.Hits, hit{Address: row.Address, Text: cmp.Or(row.Person, row.IDP), Notes: []string{row.IDP, row.At.Text}, Code: row.Reason, State: row.Result, exact: true})
	}
	g.Title = v.t("sso.attempts", nil)
	return g, err
}

// runEnding is the end of the id of a run, by which commands, mails and files name it: connector.ID.Short, or more of it.
var runEnding = regexp.MustCompile(`^[0-9A-Fa-f]{8,12}$`)

func (v *visit) findRuns(q string) (g hitGroup, err error) {
	if !isID(q) && !runEnding.MatchString(q) {
		return g, nil
	}
	r, err := v.s.o.Store.FindRun(v.r.Context(), q)
	if err == nil && r.Org == v.id() {
		row := v.runRow(r)
		h := hit{Address: row.Address, Text: row.Source, Notes: []string{row.Mode}, Code: r.ID.Short(), State: row.Result, exact: true}
		if row.At != nil {
			h.Notes = append(h.Notes, row.At.Text)
		}
		g.Hits = []hit{h}
	}
	return g, none(err)
}

// findErrors finds numbers, words of their titles, and reasons by their slugs, which lead to their place on the page of the number.
func (v *visit) findErrors(q string) (g hitGroup, err error) {
	for _, e := range v.s.catalogue.Codes(v.lang) {
		row := v.errorRow(e)
		if q == row.Code || begins(row.Title, q) {
			g.Hits = append(g.Hits, hit{Address: row.Address, Text: row.Title, Code: row.Code})
			continue
		}
		for _, reason := range row.Reasons {
			if begins(reason, q) {
				g.Hits = append(g.Hits, hit{Address: row.Address + "#" + reason, Text: row.Title, Code: reason})
			}
		}
	}
	if len(g.Hits) > mostHits {
		g.Hits, g.All = g.Hits[:mostHits], v.link("/errors")
	}
	return g, nil
}

// begins reports whether a word of a text begins with what was typed, in any case.
func begins(text, q string) bool {
	text, q = connector.Fold(text), connector.Fold(q)
	for i := 0; q != ""; {
		at := strings.Index(text[i:], q)
		if at < 0 {
			return false
		}
		i += at
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		if i == 0 || !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			return true
		}
		i += len(q)
	}
	return false
}
