package api

import (
	"context"
	"net/http"

	"usherd/connector"
)

const organizationTag = "Organization"

func (s *Server) organization() {
	route(s, operation{
		id: "getOrganization", method: http.MethodGet, path: "", scope: connector.APIRead, tag: organizationTag,
		summary: "Show the organization as the configuration in force has it",
	}, s.getOrganization)
	route(s, operation{
		id: "listSeats", method: http.MethodGet, path: "/seats", scope: connector.APIRead, tag: organizationTag,
		summary: "Show how many seats of each package are used, free and waited for",
	}, s.listSeats)
}

// About is the organization.
type About struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Contact  *Contact      `json:"contact,omitempty" doc:"Whom its people ask."`
	Approval bool          `json:"approval" doc:"New users wait for an administrator."`
	Sources  []AboutSource `json:"sources" doc:"In order of priority."`
	Version  string        `json:"version" doc:"Of the program that answers."`
}

// AboutSource is where people of the organization come from.
type AboutSource struct {
	ID   string               `json:"id"`
	Kind connector.SourceKind `json:"kind"`
}

type aboutOutput struct{ Body About }

func (s *Server) getOrganization(_ context.Context, c *call, _ *OrgPath) (*aboutOutput, error) {
	o := c.org.Settings
	out := &aboutOutput{About{ID: o.ID, Name: o.Name, Contact: c.contact(), Approval: o.Approval, Sources: []AboutSource{}, Version: s.o.Version}}
	for _, x := range o.Sources {
		out.Body.Sources = append(out.Body.Sources, AboutSource{x.ID, x.Kind})
	}
	return out, nil
}

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
	counts, err := s.o.Store.Seats(ctx, c.id())
	if err != nil {
		return nil, err
	}
	out := &seatsOutput{Seats{[]PackageSeats{}}}
	for _, n := range counts {
		p := PackageSeats{Package: n.Package, Name: n.Name, Used: n.Used, Waiting: n.Waiting, Unlimited: n.Seats == connector.Unlimited}
		if !p.Unlimited {
			p.Seats, p.Free = n.Seats, n.Free()
		}
		out.Body.Packages = append(out.Body.Packages, p)
	}
	return out, nil
}
