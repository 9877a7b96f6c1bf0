package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

const organizationTag = "Organization"

func (s *Server) organization() {
	route(s, operation{
		id: "getOrganization", method: http.MethodGet, path: "", scope: connector.APIRead, tag: organizationTag,
		summary: "Show the organization as the configuration in force has it, with how many users it has, its domains and seats",
	}, s.getOrganization)
	route(s, operation{
		id: "listSeats", method: http.MethodGet, path: "/seats", scope: connector.APIRead, tag: organizationTag,
		summary: "Show how many seats of each package are used, free and waited for",
	}, s.listSeats)
	route(s, operation{
		id: "listWaiting", method: http.MethodGet, path: "/packages/{package}/waiting", scope: connector.APIRead, tag: organizationTag,
		summary: "Show who waits for a seat of a package, the longest waiting first",
		about:   "Each is a failure with reason no_seat too, which ends by itself when a seat is free.",
	}, s.listWaiting)
}

// About is the organization.
type About struct {
	ID              string         `json:"id" example:"acme"`
	Name            string         `json:"name"`
	Partner         string         `json:"partner_id" doc:"Empty: nobody can be created (31 partner_id_missing)." example:"P-1001"`
	Contact         *Contact       `json:"contact,omitempty" doc:"Whom its people ask."`
	Approval        bool           `json:"approval" doc:"New users wait for an administrator."`
	Second          bool           `json:"second_approver" doc:"What a run holds is carried out when two administrators have approved it."`
	Holds           bool           `json:"inactive_holds_seat" doc:"Who is inactive keeps the seat."`
	DeleteAfter     float64        `json:"delete_after_days" doc:"An inactive user is deleted after so many days." example:"30"`
	GoneDeleteAfter float64        `json:"gone_delete_after_days" doc:"One that is gone from its directory, after so many." example:"7"`
	Languages       []string       `json:"languages" doc:"Of its people, the first is the default; none: en."`
	Required        []string       `json:"required" doc:"Attributes that everybody must have, the four that always are among them."`
	Users           int            `json:"users" doc:"How many there are; tombstones are not counted."`
	Sources         []AboutSource  `json:"sources" doc:"In order of priority."`
	Domains         []Domain       `json:"domains"`
	Packages        []PackageSeats `json:"packages"`
	Default         string         `json:"default_package,omitempty" doc:"Of users whose source gives none; left out: no package, no seat."`
	Version         string         `json:"version" doc:"Of the program that answers."`
}

// AboutSource is where people of the organization come from.
type AboutSource struct {
	ID   string               `json:"id"`
	Kind connector.SourceKind `json:"kind"`
}

type aboutOutput struct{ Body About }

func (s *Server) getOrganization(ctx context.Context, c *call, _ *OrgPath) (*aboutOutput, error) {
	o := c.org.Settings
	x := About{
		ID: o.ID, Name: o.Name, Partner: o.PartnerID, Contact: c.contact(), Approval: o.Approval, Second: o.SecondApprover, Holds: o.InactiveHoldsSeat,
		DeleteAfter: days(o.DeleteAfter), GoneDeleteAfter: days(o.GoneDeleteAfter), Languages: listed(o.Languages), Required: policy.Required(o),
		Sources: []AboutSource{}, Domains: []Domain{}, Default: o.DefaultPackage, Version: s.o.Version,
	}
	for _, source := range o.Sources {
		x.Sources = append(x.Sources, AboutSource{source.ID, source.Kind})
	}
	counts, err := s.o.Store.CountUsers(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	for state, n := range counts {
		if state.Live() {
			x.Users += n
		}
	}
	list, err := c.org.Domains.List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		x.Domains = append(x.Domains, NewDomain(&list[i]))
	}
	x.Packages, err = s.seats(ctx, c)
	return &aboutOutput{x}, err
}

func days(d time.Duration) float64 { return d.Hours() / 24 }

// Seats are those of all packages.
type Seats struct {
	Packages []PackageSeats `json:"packages"`
}

// PackageSeats is how full a package is.
type PackageSeats struct {
	Package   string `json:"package"`
	Name      string `json:"name"`
	Unlimited bool   `json:"unlimited,omitempty"`
	Seats     int    `json:"seats,omitempty" doc:"How many there are, unless unlimited."`
	Used      int    `json:"used"`
	Free      int    `json:"free,omitempty" doc:"Unless unlimited."`
	Waiting   int    `json:"waiting" doc:"People who wait for one."`
}

type seatsOutput struct{ Body Seats }

func (s *Server) listSeats(ctx context.Context, c *call, _ *OrgPath) (*seatsOutput, error) {
	list, err := s.seats(ctx, c)
	return &seatsOutput{Seats{list}}, err
}

// seats are those of all packages.
func (s *Server) seats(ctx context.Context, c *call) ([]PackageSeats, error) {
	counts, err := s.o.Store.Seats(ctx, c.id())
	list := []PackageSeats{}
	for _, n := range counts {
		p := PackageSeats{Package: n.Package, Name: n.Name, Used: n.Used, Waiting: n.Waiting, Unlimited: n.Seats == connector.Unlimited}
		if !p.Unlimited {
			p.Seats, p.Free = n.Seats, n.Free()
		}
		list = append(list, p)
	}
	return list, err
}

type waitingInput struct {
	OrgPath
	Package string `path:"package" doc:"The id of the package." maxLength:"64"`
	Limit   int    `query:"limit" doc:"How many at most." default:"100" minimum:"1" maximum:"500"`
}

// Waiting is a place on a waiting list.
type Waiting struct {
	Source string    `json:"source"`
	Anchor string    `json:"anchor"`
	DN     string    `json:"dn,omitempty"`
	Since  time.Time `json:"since"`
	Asked  time.Time `json:"last_asked" doc:"When the source has asked for the seat last."`
}

// WaitingList is the head of one.
type WaitingList struct {
	Waiting []Waiting `json:"waiting"`
}

type waitingOutput struct{ Body WaitingList }

func (s *Server) listWaiting(ctx context.Context, c *call, in *waitingInput) (*waitingOutput, error) {
	if !slices.ContainsFunc(c.org.Settings.Packages, func(p connector.Package) bool { return p.ID == in.Package }) {
		return nil, newProblem(http.StatusNotFound, "not_found", "the organization has no such package")
	}
	list, err := s.o.Store.Waiting(ctx, c.id(), in.Package, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &waitingOutput{WaitingList{[]Waiting{}}}
	for _, x := range list {
		out.Body.Waiting = append(out.Body.Waiting, Waiting{x.Source, x.Record.Anchor.String(), x.Record.DN, x.Since.UTC(), x.Asked.UTC()})
	}
	return out, nil
}
