package api

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/system"
)

const systemTag = "System"

// RevisionStore is what the door reads of configurations that were in force. store.DB is one.
type RevisionStore interface {
	Revision(ctx context.Context, id string) (connector.Revision, error)
	// RevisionTimes returns at most limit revisions without their texts, latest first, from behind that one on.
	RevisionTimes(ctx context.Context, before connector.Revision, limit int) ([]connector.Revision, error)
}

// partlySeen is how much of the daemon's a token sees.
const partlySeen = "A token belongs to one organization: where the daemon has several, it sees what is of its own, and partial is true. Nobody sees secrets."

func (s *Server) configuration() {
	route(s, operation{
		id: "getConfiguration", method: http.MethodGet, path: "/configuration", scope: connector.APIRead, tag: systemTag,
		summary: "Show the configuration in force, and how the file on disk is against it", about: partlySeen,
	}, s.getConfiguration)
	route(s, operation{
		id: "listRevisions", method: http.MethodGet, path: "/configuration/revisions", scope: connector.APIRead, tag: systemTag,
		summary: "List the configurations that were in force, the latest first",
		about:   "Each once, at the time at which it came into force first.",
	}, s.listRevisions)
	route(s, operation{
		id: "compareRevisions", method: http.MethodGet, path: "/configuration/differences", scope: connector.APIRead, tag: systemTag,
		summary: "Tell what two revisions of the configuration say otherwise", about: partlySeen, refuses: []int{http.StatusConflict},
	}, s.compareRevisions)
}

// sight is what a token sees of the daemon: all where its organization is the only one.
func (s *Server) sight(c *call) system.Sight {
	return system.Sight{Org: c.id(), All: len(*s.orgs.Load()) == 1}
}

// Configuration is what is in force.
type Configuration struct {
	Revision string               `json:"revision" doc:"Of the file." example:"1f0c9a3be27d"`
	LoadedAt time.Time            `json:"loaded_at"`
	Partial  bool                 `json:"partial" doc:"The file has more than this token sees."`
	File     ConfigurationFile    `json:"file"`
	Values   []ConfigurationValue `json:"values" doc:"In the order of the file."`
}

// ConfigurationFile is the file on disk.
type ConfigurationFile struct {
	Path        string                    `json:"path,omitempty" doc:"Left out where the file has more than this token sees." example:"/etc/usherd/usherd.yaml"`
	State       system.DiskState          `json:"state" enum:"same,differs,faulty" doc:"Against what is in force; faulty: a reload would be refused."`
	Revision    string                    `json:"revision,omitempty" doc:"Left out of one that is faulty."`
	FaultCount  int                       `json:"fault_count,omitempty" doc:"How many faults it has; 0 of a faulty one: it cannot be read."`
	Faults      []ConfigurationFault      `json:"faults,omitempty" doc:"Left out where the file has more than this token sees: a fault may quote it."`
	Error       string                    `json:"error,omitempty" doc:"Why it cannot be read; left out as the faults are."`
	Differences []ConfigurationDifference `json:"differences" doc:"What a reload would change."`
}

// ConfigurationFault is one thing wrong with a file.
type ConfigurationFault struct {
	File    string `json:"file" doc:"Its name without the directory." example:"usherd.yaml"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path,omitempty" doc:"The key." example:"console.url"`
	Message string `json:"message"`
}

// ConfigurationValue is one key, or what it has where the file does not say.
type ConfigurationValue struct {
	Path    string `json:"path" example:"organizations[acme].sources[office].guard.percent"`
	Text    string `json:"text" doc:"Secrets are [hidden], with where they come from." example:"5"`
	Line    int    `json:"line,omitempty" doc:"Left out of a default."`
	Default bool   `json:"default,omitempty" doc:"The file does not say it."`
}

// ConfigurationDifference is one thing that another revision says otherwise.
type ConfigurationDifference struct {
	Kind   string `json:"kind" enum:"added,removed,changed"`
	Path   string `json:"path" example:"organizations[acme].sources[office].guard.percent"`
	Line   int    `json:"line" doc:"In the newer text; in the older one of what is removed."`
	Before string `json:"before,omitempty" example:"5"`
	After  string `json:"after,omitempty" example:"7"`
}

type configurationInput struct {
	OrgPath
	Key     string `query:"key" doc:"Only values that have this in their path or text, in any case." maxLength:"200" example:"guard"`
	Written bool   `query:"written" doc:"Only what stands in the file, no defaults."`
}

type configurationOutput struct{ Body Configuration }

func (s *Server) getConfiguration(ctx context.Context, c *call, in *configurationInput) (*configurationOutput, error) {
	is, err := s.o.Program.Standing(ctx, c.id())
	if err != nil {
		return nil, err
	}
	now, sight := s.o.Program.Configuration(), s.sight(c)
	out := &configurationOutput{Configuration{
		Revision: now.Revision, LoadedAt: now.Loaded.UTC(), Partial: !sight.All, File: fileOf(&is.Disk, now.Revision, sight), Values: []ConfigurationValue{},
	}}
	key := strings.ToLower(in.Key)
	for _, x := range sight.Values(now.Values) {
		if in.Written && x.Line == 0 || !strings.Contains(strings.ToLower(x.Path+" "+x.Text), key) {
			continue
		}
		out.Body.Values = append(out.Body.Values, ConfigurationValue{x.Path, x.Text, x.Line, x.Line == 0})
	}
	return out, nil
}

// fileOf is the file on disk as a token sees it.
func fileOf(d *system.Disk, revision string, sight system.Sight) ConfigurationFile {
	seen := sight.Disk(*d)
	x := ConfigurationFile{
		State: d.Against(revision), Revision: d.Revision, FaultCount: len(d.Faults), Error: seen.Error, Differences: differences(seen.Differences),
	}
	if sight.All {
		x.Path = d.Path
	}
	for _, f := range seen.Faults {
		x.Faults = append(x.Faults, ConfigurationFault{filepath.Base(f.File), f.Line, f.Column, f.Path, f.Message})
	}
	return x
}

func differences(list []system.Difference) []ConfigurationDifference {
	shown := make([]ConfigurationDifference, len(list))
	for i, d := range list {
		shown[i] = ConfigurationDifference(d)
	}
	return shown
}

// Revision is a configuration that was in force.
type Revision struct {
	Revision string    `json:"revision" example:"1f0c9a3be27d"`
	At       time.Time `json:"at" doc:"When it came into force first."`
	InForce  bool      `json:"in_force,omitempty"`
}

// Revisions is a page of them.
type Revisions struct {
	Revisions []Revision `json:"revisions"`
	Next      string     `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
}

type revisionsInput struct {
	OrgPath
	Page
}

type revisionsOutput struct{ Body Revisions }

func (s *Server) listRevisions(ctx context.Context, _ *call, in *revisionsInput) (*revisionsOutput, error) {
	before, err := in.revision()
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.RevisionTimes(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out, now := &revisionsOutput{Revisions{Revisions: []Revision{}}}, s.o.Program.Configuration().Revision
	for _, r := range list[:min(len(list), in.Limit)] {
		out.Body.Revisions = append(out.Body.Revisions, Revision{r.ID, r.At.UTC(), r.ID == now})
	}
	if len(list) > in.Limit {
		last := list[in.Limit-1]
		out.Body.Next = cursor(last.At.UTC().Format(time.RFC3339Nano) + " " + last.ID)
	}
	return out, nil
}

// revision is the one from behind which a page of revisions begins; the zero value is the latest of all.
func (p Page) revision() (r connector.Revision, err error) {
	text, err := p.place()
	if err != nil || text == "" {
		return r, err
	}
	at, id, _ := strings.Cut(text, " ")
	if r.At, err = time.Parse(time.RFC3339Nano, at); err != nil || id == "" {
		return r, invalid("query.after", "this is not what a page gave as next")
	}
	r.ID = id
	return r, nil
}

type differencesInput struct {
	OrgPath
	A string `query:"a" doc:"The older revision." required:"true" minLength:"1" maxLength:"64" example:"1f0c9a3be27d"`
	B string `query:"b" doc:"The newer one." required:"true" minLength:"1" maxLength:"64" example:"9be1200c57aa"`
}

// RevisionDifferences are what two revisions say otherwise.
type RevisionDifferences struct {
	A           Revision                  `json:"a"`
	B           Revision                  `json:"b"`
	Partial     bool                      `json:"partial" doc:"The revisions have more than this token sees."`
	Differences []ConfigurationDifference `json:"differences"`
}

type differencesOutput struct{ Body RevisionDifferences }

func (s *Server) compareRevisions(ctx context.Context, c *call, in *differencesInput) (*differencesOutput, error) {
	older, err := s.o.Store.Revision(ctx, in.A)
	if err != nil {
		return nil, err
	}
	newer, err := s.o.Store.Revision(ctx, in.B)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Program.Differences(older, newer)
	if connector.KindOf(err) == connector.Invalid { // its text may quote what another organization has
		err = newProblem(http.StatusConflict, "revision_unreadable", "one of the two has faults for this version of usherd, and cannot be compared")
	}
	if err != nil {
		return nil, err
	}
	now, sight := s.o.Program.Configuration().Revision, s.sight(c)
	return &differencesOutput{RevisionDifferences{
		A: Revision{older.ID, older.At.UTC(), older.ID == now}, B: Revision{newer.ID, newer.At.UTC(), newer.ID == now}, Partial: !sight.All,
		Differences: differences(sight.Differences(list)),
	}}, nil
}
