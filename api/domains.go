package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/policy"
)

const domainsTag = "Domains"

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
	conflict := []int{http.StatusConflict}
	route(s, operation{
		id: "listDomains", method: http.MethodGet, path: "/domains", scope: connector.APIRead, tag: domainsTag, summary: "List the domains with their standing",
	}, s.listDomains)
	route(s, operation{
		id: "getDomain", method: http.MethodGet, path: "/domains/{domain}", scope: connector.APIRead, tag: domainsTag, summary: "Show a domain",
	}, func(ctx context.Context, c *call, in *DomainPath) (*domainOutput, error) {
		return domainDo(in, func(name policy.Name) (connector.Domain, error) { return c.org.Domains.Find(ctx, name) })
	})
	route(s, operation{
		id: "addDomain", method: http.MethodPost, path: "/domains", scope: connector.APIDomains, tag: domainsTag, status: http.StatusCreated,
		summary: "Add a domain", about: "It is not verified yet: put txt_record as a TXT record into its zone, then have it checked.", refuses: conflict,
	}, s.addDomain)
	route(s, operation{
		id: "previewDomain", method: http.MethodGet, path: "/domains/{domain}/preview", scope: connector.APIDomains, tag: domainsTag,
		summary: "Show what the proof of a domain would do to whom, and its claim",
		about:   "Nothing is changed, and the domain need not be added. All users are looked at.",
	}, s.previewDomain)
	route(s, operation{
		id: "checkDomain", method: http.MethodPost, path: "/domains/{domain}/check", scope: connector.APIDomains, tag: domainsTag,
		summary: "Look for the TXT record now", about: "What is found is the answer, not an error: see finding. The daemon looks every day by itself.",
	}, s.checkDomain)
	route(s, operation{
		id: "claimDomain", method: http.MethodPost, path: "/domains/{domain}/claim", scope: connector.APIDomains, tag: domainsTag, refuses: conflict,
		summary: "Keep all other organizations from creating users with a verified domain",
	}, s.claimDomain)
	route(s, operation{
		id: "releaseDomain", method: http.MethodPost, path: "/domains/{domain}/release", scope: connector.APIDomains, tag: domainsTag,
		summary: "End the claim of a domain", about: "One that is not claimed stays as it is.",
	}, func(ctx context.Context, c *call, in *DomainPath) (*domainOutput, error) {
		return domainDo(in, func(name policy.Name) (connector.Domain, error) {
			if _, err := c.org.Domains.Release(ctx, name); err != nil {
				return connector.Domain{}, err
			}
			return c.org.Domains.Find(ctx, name)
		})
	})
	route(s, operation{
		id: "removeDomain", method: http.MethodDelete, path: "/domains/{domain}", scope: connector.APIDomains, tag: domainsTag, status: http.StatusNoContent,
		summary: "Forget a domain, with its claim", about: "Users keep their states, new ones start as not verified.",
	}, func(ctx context.Context, c *call, in *DomainPath) (*struct{}, error) {
		name, err := in.name()
		if err != nil {
			return nil, err
		}
		return nil, c.org.Domains.Remove(ctx, name)
	})
}

// Domain is a domain of mail addresses.
type Domain struct {
	Org       string     `json:"org"`
	Domain    string     `json:"domain" doc:"In its ASCII form."`
	Verified  bool       `json:"verified"`
	Claimed   bool       `json:"claimed" doc:"No other organization can create users with it."`
	Record    string     `json:"txt_record" doc:"What proves it as a TXT record at its name."`
	CheckedAt *time.Time `json:"checked_at,omitempty"`
	Failing   *time.Time `json:"failing_since,omitempty" doc:"Since when a verified domain fails its checks: after seven days it is verified no longer."`
	LastError string     `json:"last_error,omitempty"`
}

// NewDomain is the form in which the API and the command line show a domain.
func NewDomain(d *connector.Domain) Domain {
	return Domain{d.Org, d.Name, d.Verified(), d.Claimed, domains.Record(d.Token), when(d.CheckedAt), when(d.FailingSince), d.LastError}
}

// DomainPath names a domain.
type DomainPath struct {
	OrgPath
	Domain string `path:"domain" doc:"Its name, in Unicode or ASCII." maxLength:"253" example:"acme.test"`
}

func (p *DomainPath) name() (policy.Name, error) {
	name, err := policy.ParseDomain(p.Domain)
	if err != nil {
		return name, invalid("path.domain", err.Error())
	}
	return name, nil
}

type domainOutput struct{ Body Domain }

// domainDo does something about the domain of a path and shows it.
func domainDo(in *DomainPath, do func(policy.Name) (connector.Domain, error)) (*domainOutput, error) {
	name, err := in.name()
	if err != nil {
		return nil, err
	}
	d, err := do(name)
	if err != nil {
		return nil, err
	}
	return &domainOutput{NewDomain(&d)}, nil
}

// DomainList is all domains of an organization.
type DomainList struct {
	Domains []Domain `json:"domains"`
}

type domainsOutput struct{ Body DomainList }

func (s *Server) listDomains(ctx context.Context, c *call, _ *OrgPath) (*domainsOutput, error) {
	all, err := c.org.Domains.List(ctx)
	if err != nil {
		return nil, err
	}
	out := &domainsOutput{DomainList{make([]Domain, len(all))}}
	for i := range all {
		out.Body.Domains[i] = NewDomain(&all[i])
	}
	return out, nil
}

type addDomainInput struct {
	OrgPath
	Body struct {
		Domain string `json:"domain" doc:"Its name, in Unicode or ASCII." minLength:"1" maxLength:"253" example:"acme.test"`
	}
}

// AddedDomain is one that was added.
type AddedDomain struct {
	Domain
	Shared bool `json:"private_suffix,omitempty" doc:"Others may register names of their own under it: be sure that it is yours alone."`
}

type addedDomainOutput struct {
	Location string `header:"Location" doc:"Where the domain is."`
	Body     AddedDomain
}

func (s *Server) addDomain(ctx context.Context, c *call, in *addDomainInput) (*addedDomainOutput, error) {
	name, err := policy.ParseDomain(in.Body.Domain)
	if err != nil {
		return nil, invalid("body.domain", err.Error())
	}
	d, err := c.org.Domains.Add(ctx, name)
	if err != nil {
		return nil, err
	}
	return &addedDomainOutput{c.at("/domains/" + d.Name), AddedDomain{NewDomain(&d), name.PrivateSuffix}}, nil
}

// DomainEffect is what the proof of a domain would do, and its claim.
type DomainEffect struct {
	Org    string `json:"org"`
	Domain string `json:"domain"`
	domains.Effect
	People []MovedUser `json:"people" doc:"Who would become verified or active; the API names the first 1,000 of them."`
}

// MovedUser is somebody whom the proof of a domain would move.
type MovedUser struct {
	ID       string          `json:"id"`
	UserName string          `json:"user_name"`
	Email    string          `json:"email"`
	State    connector.State `json:"state"`
	Becomes  connector.State `json:"becomes"`
}

// PreviewDomain counts what a domain would do, and names most of the people at most.
func PreviewDomain(ctx context.Context, k Domains, org string, name policy.Name, most int) (*DomainEffect, error) {
	e := &DomainEffect{Org: org, Domain: name.ASCII, People: []MovedUser{}}
	var err error
	e.Effect, err = k.Effect(ctx, name, func(m domains.Moved) error {
		if u := m.User; len(e.People) < most {
			e.People = append(e.People, MovedUser{u.ID.String(), u.UserName(), u.Profile.Get(connector.Email), u.State, m.Becomes})
		}
		return nil
	})
	return e, err
}

// maxMoved bounds how many people the preview of a domain names.
const maxMoved = 1000

type domainEffectOutput struct{ Body *DomainEffect }

func (s *Server) previewDomain(ctx context.Context, c *call, in *DomainPath) (*domainEffectOutput, error) {
	name, err := in.name()
	if err != nil {
		return nil, err
	}
	e, err := PreviewDomain(ctx, c.org.Domains, c.id(), name, maxMoved)
	return &domainEffectOutput{e}, err
}

// CheckedDomain is what a look for the record has found.
type CheckedDomain struct {
	Domain
	Finding   domains.Finding `json:"finding" enum:"proven,no_record,wrong_token,no_answer"`
	Detail    string          `json:"detail,omitempty" doc:"What was found, where it is not proven."`
	Next      string          `json:"what_to_do,omitempty"`
	KeptUntil *time.Time      `json:"kept_until,omitempty" doc:"When a verified domain is lost unless the record is found before."`
	Moved     int             `json:"users_verified" doc:"Who became verified at once."`
	Again     int             `json:"decided_again" doc:"People whom the next run decides again, because the domain was won or lost."`
}

type checkedDomainOutput struct{ Body CheckedDomain }

func (s *Server) checkDomain(ctx context.Context, c *call, in *DomainPath) (*checkedDomainOutput, error) {
	name, err := in.name()
	if err != nil {
		return nil, err
	}
	d, err := c.org.Domains.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	x, err := c.org.Domains.Check(ctx, d)
	if err != nil {
		return nil, err
	}
	return &checkedDomainOutput{CheckedDomain{NewDomain(&x.Domain), x.Finding, x.Detail, x.Next, when(x.KeptUntil), x.Moved, x.Again}}, nil
}

// ClaimedDomain is a domain that is claimed.
type ClaimedDomain struct {
	Domain
	Elsewhere int `json:"elsewhere" doc:"Users of other organizations on it, who stay where they are."`
}

type claimedDomainOutput struct{ Body ClaimedDomain }

func (s *Server) claimDomain(ctx context.Context, c *call, in *DomainPath) (*claimedDomainOutput, error) {
	name, err := in.name()
	if err != nil {
		return nil, err
	}
	e, err := c.org.Domains.Claim(ctx, name)
	if err != nil {
		return nil, err
	}
	d, err := c.org.Domains.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	return &claimedDomainOutput{ClaimedDomain{NewDomain(&d), e.Elsewhere}}, nil
}
