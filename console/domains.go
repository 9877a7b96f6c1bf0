package console

import (
	"context"
	"net/http"
	"strings"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/policy"
)

// Domains looks after the domains of an organization. domains.Keeper is one.
type Domains interface {
	List(ctx context.Context) ([]connector.Domain, error)
	Find(ctx context.Context, name policy.Name) (connector.Domain, error)
	Add(ctx context.Context, name policy.Name) (connector.Domain, error)
	Check(ctx context.Context, d connector.Domain) (domains.Checked, error)
	Effect(ctx context.Context, name policy.Name, yield func(domains.Moved) error) (domains.Effect, error)
	Claim(ctx context.Context, name policy.Name) (domains.Effect, error)
	Release(ctx context.Context, name policy.Name) (claimed bool, err error)
	Remove(ctx context.Context, name policy.Name) error
}

func (s *Server) domains() {
	s.page("/domains", see, (*visit).domains)
	s.body("domains", domainsPage{})
	s.action("/domains/add", need{permission: remove}, (*visit).askDomain, (*visit).addDomain)
	s.body("domain_add", domainAddPage{})
	s.page("/domains/of/{domain}", see, (*visit).domain)
	s.body("domain", domainPage{})
	s.page("/domains/of/{domain}/effect", see, (*visit).domainEffect)
	s.body("domain_effect", effectPage{})
	for _, d := range domainDeeds {
		s.action("/domains/of/{domain}/"+d.name, need{permission: remove},
			func(v *visit) { v.askDomainDeed(d) }, func(v *visit) { v.doDomainDeed(d) })
	}
}

// domainsPage is the list of domains.
type domainsPage struct {
	Add  string // address; "" = this administrator adds none
	Rows []domainRow
}

// domainRow is one domain.
type domainRow struct {
	Address, Name    string
	State, Claimed   pill
	IsClaimed        bool
	Verified, Looked *instant
	LastError        string
}

func (v *visit) domains() {
	list, err := v.org.Domains.List(v.r.Context())
	if err != nil {
		v.accident("domains", err)
		return
	}
	var p domainsPage
	if v.may(remove) {
		p.Add = v.link("/domains/add")
	}
	for i := range list {
		p.Rows = append(p.Rows, v.domainRow(&list[i]))
	}
	v.show(http.StatusOK, "domains", frame{Title: v.t("nav.domains", nil), State: v.t("domains.state", nil)}, p)
}

func (v *visit) domainRow(d *connector.Domain) domainRow {
	f := frame{v: v}
	row := domainRow{
		Address: v.link("/domains/of/" + d.Name), Name: nameOf(d.Name).Unicode, IsClaimed: d.Claimed, Claimed: pill{v.t("domains.claimed", nil), "info"},
		Verified: f.At(d.VerifiedAt), Looked: f.At(d.CheckedAt), LastError: v.told(d.LastError),
	}
	switch {
	case !d.Verified():
		row.State = pill{v.t("domains.added", nil), "wait"}
	case !d.FailingSince.IsZero():
		row.State = pill{v.t("domains.failing", nil), "warn"}
	default:
		row.State = pill{v.t("domains.verified", nil), "good"}
	}
	return row
}

// nameOf is a stored name as people write it.
func nameOf(ascii string) policy.Name {
	if name, err := policy.ParseDomain(ascii); err == nil {
		return name
	}
	return policy.Name{ASCII: ascii, Unicode: ascii}
}

// domainPage is one domain with what proves it.
type domainPage struct {
	domainRow
	ASCII, Record string
	Effect        string // address of what the proof and a claim do
	Actions       []actionLink
}

// theDomain is the domain that the path names, and answers where there is none.
func (v *visit) theDomain() (connector.Domain, policy.Name, bool) {
	name, err := policy.ParseDomain(v.r.PathValue("domain"))
	if err != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return connector.Domain{}, name, false
	}
	d, err := v.org.Domains.Find(v.r.Context(), name)
	if err != nil {
		v.accident("domain", err)
	}
	return d, name, err == nil
}

func (v *visit) domain() {
	d, name, ok := v.theDomain()
	if !ok {
		return
	}
	path := "/domains/of/" + d.Name
	p := domainPage{domainRow: v.domainRow(&d), ASCII: d.Name, Record: domains.Record(d.Token), Effect: v.link(path + "/effect")}
	for _, x := range domainDeeds {
		if x.fits(d) && v.may(remove) {
			p.Actions = append(p.Actions, actionLink{v.t("domains."+x.name+".link", nil), v.link(path + "/" + x.name), x.danger})
		}
	}
	v.show(http.StatusOK, "domain", frame{Title: name.Unicode, Crumbs: v.domainsCrumb()}, p)
}

func (v *visit) domainsCrumb() []crumb { return []crumb{{v.t("nav.domains", nil), v.link("/domains")}} }

// effectPage is what the proof of a domain does to whom, and what its claim means elsewhere.
type effectPage struct {
	Counts []fact
	People []userRow // of whom the proof moves
	More   bool
}

// domainEffect looks at all users, and shows the first whom the proof would move.
func (v *visit) domainEffect() {
	_, name, ok := v.theDomain()
	if !ok {
		return
	}
	var p effectPage
	e, err := v.org.Domains.Effect(v.r.Context(), name, func(m domains.Moved) error {
		if p.More = len(p.People) == perPage; !p.More {
			p.People = append(p.People, v.userRow(m.User))
		}
		return nil
	})
	if err != nil {
		v.accident("domain", err)
		return
	}
	for _, x := range []struct {
		key string
		n   int
	}{{"verified", e.Verified}, {"active", e.Active}, {"elsewhere", e.Elsewhere}} {
		p.Counts = append(p.Counts, fact{Name: v.t("domains.effect."+x.key, nil), Value: v.number(x.n)})
	}
	v.show(http.StatusOK, "domain_effect", frame{Title: v.t("domains.effect.title", nil), Crumbs: v.domainCrumbs(name)}, p)
}

func (v *visit) domainCrumbs(name policy.Name) []crumb {
	return append(v.domainsCrumb(), crumb{name.Unicode, v.link("/domains/of/" + name.ASCII)})
}

// domainAddPage asks for a name.
type domainAddPage struct{ Name, Fault, Back string }

func (v *visit) askDomain() { v.showAdd("", "", http.StatusOK) }

func (v *visit) showAdd(name, fault string, status int) {
	v.show(status, "domain_add", frame{Title: v.t("domains.add.title", nil), Crumbs: v.domainsCrumb()}, domainAddPage{name, fault, v.link("/domains")})
}

func (v *visit) addDomain() {
	text := v.value("name")
	name, err := policy.ParseDomain(text)
	if err == nil {
		_, err = v.org.Domains.Add(v.r.Context(), name)
	}
	switch {
	case err == nil:
		v.done(v.link("/domains/of/"+name.ASCII), "good", "domains.add.done", nil)
	case connector.KindOf(err) == connector.Unavailable:
		v.accident("domain", err)
	default:
		v.showAdd(text, v.words(err), http.StatusUnprocessableEntity)
	}
}

// domainDeed is one thing that is done with a domain.
type domainDeed struct {
	name   string
	danger bool
	fits   func(d connector.Domain) bool
	do     func(v *visit, d connector.Domain, name policy.Name) (kind, told string, err error)
}

var domainDeeds = []domainDeed{
	{
		name: "check", fits: func(connector.Domain) bool { return true },
		do: func(v *visit, d connector.Domain, _ policy.Name) (string, string, error) {
			c, err := v.org.Domains.Check(v.r.Context(), d)
			if c.Finding == domains.Proven {
				return "good", "domains.check.proven", err
			}
			return "warn", "domains.check.not", err
		},
	},
	{
		name: "claim", fits: func(d connector.Domain) bool { return d.Verified() && !d.Claimed },
		do: func(v *visit, _ connector.Domain, name policy.Name) (string, string, error) {
			_, err := v.org.Domains.Claim(v.r.Context(), name)
			return "good", "domains.claim.done", err
		},
	},
	{
		name: "release", fits: func(d connector.Domain) bool { return d.Claimed },
		do: func(v *visit, _ connector.Domain, name policy.Name) (string, string, error) {
			_, err := v.org.Domains.Release(v.r.Context(), name)
			return "good", "domains.release.done", err
		},
	},
	{
		name: "remove", danger: true, fits: func(connector.Domain) bool { return true },
		do: func(v *visit, _ connector.Domain, name policy.Name) (string, string, error) {
			return "good", "domains.remove.done", v.org.Domains.Remove(v.r.Context(), name)
		},
	},
}

func (v *visit) askDomainDeed(x domainDeed) {
	_, name, ok := v.theDomain()
	if !ok {
		return
	}
	v.show(http.StatusOK, "confirm", frame{Title: v.t("domains."+x.name+".link", nil), Crumbs: v.domainCrumbs(name)}, confirm{
		Effect: []string{v.t("domains."+x.name+".effect", nil)}, Button: strings.TrimSuffix(v.t("domains."+x.name+".link", nil), "…"), Danger: x.danger,
		Back: v.link("/domains/of/" + name.ASCII),
	})
}

func (v *visit) doDomainDeed(x domainDeed) {
	d, name, ok := v.theDomain()
	if !ok {
		return
	}
	kind, told, err := x.do(v, d, name)
	if err != nil {
		v.accident("domain", err)
		return
	}
	back := v.link("/domains/of/" + name.ASCII)
	if x.name == "remove" {
		back = v.link("/domains")
	}
	v.done(back, kind, told, map[string]string{"Domain": name.Unicode})
}
