package api

import (
	"context"
	"net/http"

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
	route(s, operation{
		id: "getSourceConfiguration", method: http.MethodGet, path: "/sources/{source}/configuration", scope: connector.APIRead, tag: sourcesTag,
		summary: "Show what the configuration says of a source: settings with their lines, scope, mapping, schedule",
	}, s.getSourceConfiguration)
}

// Sources are all of an organization.
type Sources struct {
	Sources []connector.SourceStanding `json:"sources" doc:"In order of priority."`
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

type sourceOutput struct{ Body connector.SourceStanding }

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
