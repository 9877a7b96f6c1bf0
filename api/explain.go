package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

func (s *Server) explanations() {
	route(s, operation{
		id: "explainUser", method: http.MethodGet, path: "/users/{user}/explanation", scope: connector.APIRead, tag: usersTag,
		summary: "Tell why a user is as it is, or was at an instant",
		about:   "The document of usherd user explain -o json: each attribute with its source and mapping rule, the state with its reasons, and what would have to happen for what people ask for. No source is asked.",
	}, s.explain)
}

type explainInput struct {
	UserPath
	At time.Time `query:"at" doc:"The instant; left out, it is now." format:"date-time"`
}

type explainOutput struct{ Body json.RawMessage }

func (s *Server) explain(ctx context.Context, c *call, in *explainInput) (*explainOutput, error) {
	u, err := s.o.Store.FindUser(ctx, c.id(), in.User)
	if err != nil {
		return nil, err
	}
	if !in.At.IsZero() && (in.At.After(s.now()) || in.At.Year() < 2000) {
		return nil, invalid("query.at", "an instant from 2000 on that is over")
	}
	say, err := report.Explain(c.lang)
	if err != nil {
		return nil, err
	}
	e, err := c.org.Writer.Explain(ctx, provision.ExplainRequest{User: u.ID, Say: say, At: in.At, Words: func(f connector.Failure) (string, []string) {
		t := s.catalogue.Text(f, c.lang)
		return t.Title, t.Remedy
	}})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(e)
	return &explainOutput{text}, err
}
