package console

import (
	"net/http"
	"slices"

	"usherd/connector"
)

// userAsks has a directory asked for somebody again.
func (s *Server) userAsks() {
	s.action("/users/{user}/retry", need{permission: handle}, (*visit).askPerson, (*visit).doPerson)
}

// origin says that an account was another organization's before, and what is open about that.
type origin struct {
	From, Claim string // the organization, and the address of the claim
	Status      pill
	At          *instant
	Until       *instant // when the time to choose is over; nil = nothing is open
}

// askable are the directories that have a record of a person, so that they can be asked for it again.
func (v *visit) askable(links []connector.Link) []connector.Link {
	return slices.DeleteFunc(slices.Clone(links), func(l connector.Link) bool { return !v.asks(l.Source) })
}

// asksOf are what can be asked for a person.
func (v *visit) asksOf(u *connector.User, links []connector.Link) []actionLink {
	if !v.may(handle) || !u.State.Live() || len(v.askable(links)) == 0 {
		return nil
	}
	return []actionLink{{Text: v.t("people.retry.link", nil), Address: v.link("/users/" + u.ID.String() + "/retry")}}
}

// originOf is where a claimed account comes from, nil of others, and where the claim is forgotten.
func (v *visit) originOf(links []connector.Link) (*origin, error) {
	i := slices.IndexFunc(links, func(l connector.Link) bool { return l.Source == connector.Claimed })
	if i < 0 {
		return nil, nil //nolint:nilnil // it comes from nowhere else
	}
	id, err := connector.ParseID(links[i].Anchor.Raw)
	if err != nil {
		return nil, err
	}
	c, err := v.s.o.Store.Claim(v.r.Context(), v.id(), id)
	switch {
	case connector.KindOf(err) == connector.NotFound:
		return nil, nil //nolint:nilnil // nobody knows any more
	case err != nil:
		return nil, err
	}
	f := frame{v: v}
	o := &origin{From: v.nameOfOrg(c.From), Claim: v.link("/claims/" + c.ID.String()), Status: v.claimPill(c.Status), At: f.At(c.At)}
	if c.Status == connector.ClaimOpen {
		o.Until = f.At(c.Until)
	}
	return o, nil
}

// linked are the person whom the path names, and the directories that can be asked for it.
func (v *visit) linked() (u *connector.User, links []connector.Link, ok bool) {
	if u, ok = v.find(); !ok {
		return nil, nil, false
	}
	all, err := v.s.o.Store.UserLinks(v.r.Context(), u.Org, u.ID)
	if err != nil {
		v.accident("user", err)
		return nil, nil, false
	}
	return u, v.askable(all), true
}

func (v *visit) askPerson() {
	u, links, ok := v.linked()
	if !ok {
		return
	}
	row := v.userRow(u)
	c := confirm{Person: &row, Effect: []string{v.t("people.retry.effect", nil)}, Button: v.t("people.retry.button", nil), Back: v.link("/users/" + u.ID.String())}
	switch {
	case len(links) == 0:
		c.Button, c.Fault = "", v.t("people.retry.cannot", nil)
	case len(links) > 1:
		for i, l := range links {
			c.Choices = append(c.Choices, choice{Value: l.Source, Text: l.Source, Note: v.personal(l.DN), Chosen: i == 0})
		}
	}
	v.show(http.StatusOK, "confirm", v.frameOf(u, v.t("people.retry.link", nil)), c)
}

// doPerson asks the directory for the one person, and decides anew.
func (v *visit) doPerson() {
	u, links, ok := v.linked()
	if !ok {
		return
	}
	i := slices.IndexFunc(links, func(l connector.Link) bool { return l.Source == v.value("choice") })
	if len(links) == 1 {
		i = 0
	}
	if i < 0 {
		v.seeOther("/users/" + u.ID.String() + "/retry")
		return
	}
	p, err := v.s.o.Runner.Retry(v.r.Context(), v.id(), links[i].Source, links[i].Anchor.String(), v.session.Actor())
	back, name := v.link("/users/"+u.ID.String()), map[string]string{"Name": v.personal(fullName(u)), "Source": links[i].Source}
	switch {
	case err != nil:
		v.accident("retry", err)
	case p.Change == nil:
		v.done(back, "warn", "people.retry.nobody", name)
	case len(p.Change.Failures) > 0:
		f := p.Change.Failures[0]
		v.show(http.StatusConflict, "refused", v.frameOf(u, v.t("people.retry.link", nil)), refused{v.failCard(f, f.At), back})
	default:
		v.done(back, "good", "people.retry.done", name)
	}
}
