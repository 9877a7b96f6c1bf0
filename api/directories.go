package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
)

func (s *Server) directories() {
	route(s, operation{
		id: "testSource", method: http.MethodPost, path: "/sources/{source}/test", scope: connector.APIRuns, tag: sourcesTag, asks: true, refuses: []int{http.StatusConflict},
		summary: "Walk the way to the server of a source, step by step",
		about:   "A directory: names, connection, TLS, sign-in, bases, a first look. An identity provider: its metadata and certificates. It takes half a minute at most, and changes nothing. A source that pushes, or that files bring, has no server: a conflict.",
	}, s.testSource)
	route(s, operation{
		id: "browseSource", method: http.MethodGet, path: "/sources/{source}/entries", scope: connector.APIRuns, tag: sourcesTag, refuses: []int{http.StatusConflict},
		summary: "Look at a directory: an entry with its attributes, and those right below it",
		about:   "Without at it begins with the bases that the configuration names. What becomes of an entry, tryPerson tells.",
	}, s.browseSource)
}

// Tested is what a test has found.
type Tested struct {
	OK    bool         `json:"ok" doc:"The way leads there."`
	Steps []TestedStep `json:"steps" doc:"In their order; the last one is where it ended."`
	Took  float64      `json:"duration_ms"`
}

// TestedStep is one thing that was done on the way.
type TestedStep struct {
	Step   string  `json:"step" doc:"Such as resolve, connect, tls, bind, identity, signature." example:"tls"`
	Server string  `json:"server,omitempty"`
	OK     bool    `json:"ok"`
	Detail string  `json:"detail,omitempty" doc:"What was found."`
	Error  string  `json:"error,omitempty"`
	Hint   string  `json:"hint,omitempty" doc:"What to do about it."`
	Took   float64 `json:"duration_ms"`
}

func testedStep(x connector.CheckStep) TestedStep {
	j := TestedStep{Step: x.Name, Server: x.Server, OK: x.Err == nil, Detail: x.Detail, Took: milliseconds(x.Took)}
	if x.Err != nil {
		j.Error, j.Hint = x.Err.Error(), connector.HintOf(x.Err)
	}
	return j
}

type testedOutput struct{ Body Tested }

func (s *Server) testSource(ctx context.Context, c *call, in *SourcePath) (*testedOutput, error) {
	if x := c.org.Sources[in.Source]; x == nil {
		return nil, noSource()
	} else if !x.Server {
		return nil, newProblem(http.StatusConflict, "refused", "there is no server behind this source that could be asked")
	}
	began, out := s.now(), &testedOutput{Tested{Steps: []TestedStep{}}}
	ok, err := s.o.Runner.Check(ctx, c.id(), in.Source, func(x connector.CheckStep) { out.Body.Steps = append(out.Body.Steps, testedStep(x)) })
	switch {
	case err != nil && len(out.Body.Steps) == 0:
		return nil, sourceFault(err)
	case err != nil:
		out.Body.Steps = append(out.Body.Steps, testedStep(connector.CheckStep{Name: "end", Err: err}))
	}
	out.Body.OK, out.Body.Took = ok, milliseconds(s.now().Sub(began))
	return out, nil
}

// sourceFault tells whoever asked a source why there is no answer, and what helps: it is the source's fault, not ours.
func sourceFault(err error) error {
	switch connector.KindOf(err) { //nolint:exhaustive // the others are answered like everywhere
	case connector.Unavailable, connector.Incomplete, connector.Denied:
		p := newProblem(http.StatusServiceUnavailable, "source_unavailable", err.Error())
		if hint := connector.HintOf(err); hint != "" {
			p.Detail += "; what to do: " + hint
		}
		return p
	}
	return err
}

type browseInput struct {
	SourcePath
	At     string `query:"at" doc:"The DN of the entry to look at; left out, the bases." maxLength:"1000"`
	Begins string `query:"begins" doc:"Only entries below it whose names begin like that." maxLength:"200" example:"an"`
	After  string `query:"after" doc:"next of the page before." maxLength:"1000"`
	Limit  int    `query:"limit" doc:"How many at most." default:"50" minimum:"1" maximum:"200"`
}

// Browsed is an entry of a directory with a page of those right below it, in order of their names.
type Browsed struct {
	At         string             `json:"at,omitempty"`
	Up         string             `json:"up,omitempty" doc:"The DN above; left out at a base."`
	Attributes []BrowsedAttribute `json:"attributes,omitempty" doc:"Of the entry."`
	Entries    []BrowsedEntry     `json:"entries"`
	Next       string             `json:"next,omitempty" doc:"after of the next page; left out after the last."`
	Cut        bool               `json:"cut,omitempty" doc:"There are more entries than were looked at: narrow it down with begins."`
}

// BrowsedAttribute is an attribute with what its values mean.
type BrowsedAttribute struct {
	Name   string         `json:"name"`
	Values []BrowsedValue `json:"values"`
	More   int            `json:"more,omitempty" doc:"How many values there are beside these."`
}

// BrowsedValue is a value of an attribute.
type BrowsedValue struct {
	Text  string     `json:"text,omitempty" doc:"As the directory has it, or, of a GUID or SID, as people write it."`
	At    *time.Time `json:"at,omitempty" doc:"The point in time that it means."`
	Never bool       `json:"never,omitempty" doc:"It means no point in time."`
	Flags []string   `json:"flags,omitempty" doc:"The bits that are set, by their names." example:"[\"NORMAL_ACCOUNT\"]"`
	Bytes int        `json:"bytes,omitempty" doc:"Length of a value that is no text."`
}

// BrowsedEntry is one entry right below.
type BrowsedEntry struct {
	DN      string   `json:"dn"`
	Name    string   `json:"name,omitempty" doc:"The first part of the DN."`
	Classes []string `json:"classes,omitempty"`
	Person  bool     `json:"person" doc:"The filter of the source finds it."`
	Outside string   `json:"outside,omitempty" doc:"Why its place is out of scope."`
	Leaf    bool     `json:"leaf,omitempty" doc:"Nothing stands below."`
}

type browsedOutput struct{ Body Browsed }

func (s *Server) browseSource(ctx context.Context, c *call, in *browseInput) (*browsedOutput, error) {
	x := c.org.Sources[in.Source]
	switch {
	case x == nil:
		return nil, noSource()
	case x.Scope == nil:
		return nil, newProblem(http.StatusConflict, "refused", "this source is no directory")
	}
	out := &browsedOutput{Browsed{At: in.At, Entries: []BrowsedEntry{}}}
	if in.At == "" {
		for _, dn := range x.Scope.Roots() {
			out.Body.Entries = append(out.Body.Entries, BrowsedEntry{DN: dn})
		}
		return out, nil
	}
	page, err := s.o.Runner.Browse(ctx, c.id(), in.Source, connector.BrowseRequest{At: in.At, Begins: in.Begins, After: in.After, Limit: in.Limit})
	if err != nil {
		return nil, sourceFault(err)
	}
	out.Body.Up, out.Body.Next, out.Body.Cut = page.Up, page.Next, page.Cut
	for _, a := range page.Self {
		out.Body.Attributes = append(out.Body.Attributes, browsedAttribute(a))
	}
	for _, e := range page.Entries {
		out.Body.Entries = append(out.Body.Entries, BrowsedEntry{DN: e.DN, Name: e.Name, Classes: e.Classes, Person: e.Found, Outside: e.Outside, Leaf: e.Leaf})
	}
	return out, nil
}

func browsedAttribute(a connector.EntryAttribute) BrowsedAttribute {
	j := BrowsedAttribute{Name: a.Name, More: a.More, Values: make([]BrowsedValue, len(a.Values))}
	for i, v := range a.Values {
		j.Values[i] = BrowsedValue{Text: v.Text, At: when(v.At), Never: v.Never, Flags: v.Flags, Bytes: v.Bytes}
	}
	return j
}
