package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
)

func (s *Server) checks() {
	route(s, operation{
		id: "listFields", method: http.MethodGet, path: "/fields", scope: connector.APIRead, tag: usersTag,
		summary: "Show which attributes each source is asked for, and which of them nobody is created without",
	}, s.listFields)
	route(s, operation{
		id: "checkPerson", method: http.MethodPost, path: "/users/check", scope: connector.APIRead, tag: usersTag, asks: true,
		summary: "Say whether somebody would be accepted", refuses: []int{http.StatusNotFound},
		about: "By the rules of every door, seats included, as if the source gave the person like that for the first time. Nothing is written.",
	}, s.checkPerson)
	route(s, operation{
		id: "listSeatDays", method: http.MethodGet, path: "/packages/{package}/days", scope: connector.APIRead, tag: organizationTag,
		summary: "Show how full a package was on each day",
		about:   "As it was counted last on the day, by UTC. Days on which the daemon did not run are left out; 400 are kept.",
	}, s.listSeatDays)
}

// Doors are the sources of an organization with what each is asked for.
type Doors struct {
	Sources []Door `json:"sources" doc:"In order of priority."`
}

// Door is a source with what it is asked for.
type Door struct {
	Source string               `json:"source"`
	Kind   connector.SourceKind `json:"kind"`
	Fields []Field              `json:"fields"`
}

// Field is an attribute that a source is asked for.
type Field struct {
	Name      string   `json:"name" example:"userName"`
	Label     string   `json:"label" doc:"As people know it, in the language that is asked for."`
	Required  bool     `json:"required" doc:"Nobody is created without it."`
	MaxLength int      `json:"max_length" doc:"In characters."`
	Multi     bool     `json:"multi_valued,omitempty"`
	Rules     []string `json:"rules,omitempty" doc:"By which it comes from what the source says; left out: it gives none."`
}

type doorsOutput struct{ Body Doors }

func (s *Server) listFields(_ context.Context, c *call, _ *OrgPath) (*doorsOutput, error) {
	out := &doorsOutput{Doors{[]Door{}}}
	for _, x := range c.org.Settings.Sources {
		list, err := c.org.Writer.Fields(x.ID)
		if err != nil {
			return nil, err
		}
		d := Door{Source: x.ID, Kind: x.Kind, Fields: make([]Field, len(list))}
		for i, f := range list {
			info, _ := connector.AttributeByName(f.Name)
			d.Fields[i] = Field{f.Name, s.catalogue.Label(f.Name, c.lang), f.Required, info.MaxLen, info.Multi, f.Rules}
		}
		out.Body.Sources = append(out.Body.Sources, d)
	}
	return out, nil
}

type checkInput struct {
	OrgPath
	Body ToCheck
}

// ToCheck is a person as a source would have it.
type ToCheck struct {
	Source     string              `json:"source" doc:"The id of the source that the person would come by." maxLength:"64"`
	Attributes map[string][]string `json:"attributes" doc:"By the names of attributes, after the mapping: userName, givenName, familyName, email …"`
	Package    string              `json:"package,omitempty" doc:"Left out: the source's, or the organization's." maxLength:"64"`
}

// Checked is what would become of the person.
type Checked struct {
	Accepted bool               `json:"accepted"`
	Action   connector.Action   `json:"action" doc:"What would be done: created, or updated where the person is known."`
	State    connector.State    `json:"state,omitempty"`
	Pending  bool               `json:"pending_approval,omitempty" doc:"It would wait for approval."`
	Package  string             `json:"package,omitempty"`
	Failures []failure.Document `json:"failures,omitempty" doc:"Why it would be refused."`
}

type checkedOutput struct{ Body Checked }

func (s *Server) checkPerson(ctx context.Context, c *call, in *checkInput) (*checkedOutput, error) {
	profile := connector.Profile{}
	for name, values := range in.Body.Attributes {
		if _, known := connector.AttributeByName(name); !known {
			return nil, invalid("body.attributes", "there is no attribute "+name)
		}
		profile.Set(name, values...)
	}
	ch, err := c.org.Writer.Check(ctx, provision.CheckRequest{Source: in.Body.Source, Profile: profile, Package: in.Body.Package})
	if err != nil {
		return nil, err
	}
	out := &checkedOutput{Checked{Accepted: len(ch.Failures) == 0, Action: ch.Action}}
	for _, f := range ch.Failures {
		out.Body.Failures = append(out.Body.Failures, s.catalogue.Document(f, c.lang))
	}
	if u := ch.After; u != nil && out.Body.Accepted {
		out.Body.State, out.Body.Pending, out.Body.Package = u.State, u.PendingApproval, u.Package
	}
	return out, nil
}

type seatDaysInput struct {
	OrgPath
	Package string `path:"package" doc:"The id of the package." maxLength:"64"`
	Days    int    `query:"days" doc:"How many days back." default:"90" minimum:"1" maximum:"400"`
}

// SeatDay is how full a package was on one day.
type SeatDay struct {
	Day       string `json:"day" format:"date"`
	Unlimited bool   `json:"unlimited,omitempty"`
	Seats     int    `json:"seats,omitempty"`
	Used      int    `json:"used"`
	Waiting   int    `json:"waiting"`
}

// SeatDays are several, in order.
type SeatDays struct {
	Days []SeatDay `json:"days"`
}

type seatDaysOutput struct{ Body SeatDays }

func (s *Server) listSeatDays(ctx context.Context, c *call, in *seatDaysInput) (*seatDaysOutput, error) {
	if _, configured := c.org.Settings.Package(in.Package); !configured {
		return nil, newProblem(http.StatusNotFound, "not_found", "the organization has no such package")
	}
	list, err := s.o.Store.SeatDays(ctx, c.id(), in.Package, s.now().AddDate(0, 0, -in.Days))
	if err != nil {
		return nil, err
	}
	out := &seatDaysOutput{SeatDays{[]SeatDay{}}}
	for _, d := range list {
		x := SeatDay{Day: d.Day.Format(time.DateOnly), Used: d.Used, Waiting: d.Waiting, Unlimited: d.Seats == connector.Unlimited}
		if !x.Unlimited {
			x.Seats = d.Seats
		}
		out.Body.Days = append(out.Body.Days, x)
	}
	return out, nil
}
