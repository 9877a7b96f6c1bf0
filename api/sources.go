package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
)

const sourcesTag = "Sources"

func (s *Server) sources() {
	route(s, operation{
		id: "listSources", method: http.MethodGet, path: "/sources", scope: connector.APIRead, tag: sourcesTag,
		summary: "Show how each source is: read when, followed how, failing since when",
	}, s.listSources)
	route(s, operation{
		id: "getSource", method: http.MethodGet, path: "/sources/{source}", scope: connector.APIRead, tag: sourcesTag, summary: "Show how one source is",
	}, s.getSource)
}

// SourceStanding is how a source is. What is not known is null or left out.
type SourceStanding struct {
	Org         string     `json:"org"`
	Source      string     `json:"source"`
	Type        string     `json:"type" doc:"Of a directory, or scim, sso, template, import, site_link."`
	Status      string     `json:"status" doc:"never_run, ok, failing, quarantined, waits_for_approval; of what is not read: pushes, signs in, activates, imports."`
	Follows     string     `json:"follows" doc:"live, or such as every 2m; empty: only by full runs."`
	Mechanism   string     `json:"mechanism" doc:"By which the last changes were told."`
	People      int        `json:"entries" doc:"In the last complete read."`
	LastFull    *time.Time `json:"last_full" doc:"End of the last complete full run."`
	LastChanges *time.Time `json:"last_changes" doc:"End of the last run of changes that had any."`
	Missed      *int       `json:"missed" doc:"People whom the last full run found changed and the changes had not told of."`
	Failures    int        `json:"failures" doc:"In a row, of runs that nobody asked for."`
	Since       *time.Time `json:"failing_since"`
	NextTry     *time.Time `json:"next_try" doc:"When it is tried again by itself."`
	Error       string     `json:"error,omitempty" doc:"Of the last one."`
	Hint        string     `json:"hint,omitempty" doc:"What to do about it."`
	Held        string     `json:"held_run,omitempty" doc:"Of which something, or with status waits_for_approval everything, waits."`
	HeldWhy     string     `json:"held_reason,omitempty"`
}

// Sources are all of an organization.
type Sources struct {
	Sources []SourceStanding `json:"sources" doc:"In order of priority."`
}

type sourcesOutput struct{ Body Sources }

func (s *Server) listSources(ctx context.Context, c *call, _ *OrgPath) (*sourcesOutput, error) {
	list, err := s.o.Runner.Sources(ctx, c.id())
	return &sourcesOutput{Sources{list}}, err
}

// SourcePath names a source.
type SourcePath struct {
	OrgPath
	Source string `path:"source" doc:"Its id in the configuration." maxLength:"32" example:"office"`
}

type sourceOutput struct{ Body SourceStanding }

func (s *Server) getSource(ctx context.Context, c *call, in *SourcePath) (*sourceOutput, error) {
	list, err := s.o.Runner.Sources(ctx, c.id())
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Source == in.Source {
			return &sourceOutput{list[i]}, nil
		}
	}
	return nil, noSource()
}

func noSource() *Problem {
	return newProblem(http.StatusNotFound, "not_found", "the organization has no such source")
}
