package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"usherd/connector"
	"usherd/connector/system"
)

// SystemStore is what the door reads of the store itself, and how it writes down that a bundle was taken. store.DB is one.
type SystemStore interface {
	Size(ctx context.Context) (int, error)
	Write(ctx context.Context, f func(connector.Tx) error) error
}

const zipType = "application/zip"

func (s *Server) system() {
	route(s, operation{
		id: "getSystem", method: http.MethodGet, path: "/system", scope: connector.APIRead, tag: systemTag,
		summary: "Show how the daemon is: checks, replicas, jobs, certificates, store, outbox",
		about:   "Of sources, certificates of identity providers and the outbox it tells those of the organization; all else is of the whole daemon.",
	}, s.getSystem)
	route(s, operation{
		id: "getDiagnostics", method: http.MethodGet, path: "/system/diagnostics", scope: connector.APIDiagnostics, tag: systemTag, streams: true, media: []string{zipType},
		summary: "Take along what somebody who helps needs, as a ZIP file",
		about: "Configuration, health, standing and the latest 100 runs of the organization; where it is the only one, metrics and the faults of the file on disk too. " +
			"No secrets, and of people only whom the configuration names. It stands in the audit trail.",
	}, s.getDiagnostics)
}

// System is how the daemon is.
type System struct {
	OK             bool           `json:"ok" doc:"Every check is."`
	Version        string         `json:"version" doc:"Of the program that answers."`
	Go             string         `json:"go" example:"go1.26.0"`
	Since          time.Time      `json:"since" doc:"It answers."`
	Replica        string         `json:"replica" doc:"The one that answers."`
	Replicas       int            `json:"replicas" doc:"That serve, as far as this one knows."`
	Leads          bool           `json:"leads" doc:"This one reads sources and sends mails."`
	Leader         string         `json:"leader,omitempty" doc:"The one that does; left out where none is known."`
	Revision       string         `json:"revision" doc:"Of the configuration in force."`
	LeaderRevision string         `json:"leader_revision,omitempty" doc:"Of the leader, where it is another one."`
	Store          SystemStorage  `json:"store"`
	LogLevel       string         `json:"log_level" example:"info"`
	Checks         []SystemCheck  `json:"checks" doc:"What has to be in order."`
	Jobs           []SystemJob    `json:"jobs" doc:"What is done by itself, of one who leads."`
	Certificates   []SystemEnding `json:"certificates" doc:"Soonest end first."`
	Mails          map[string]int `json:"mails" doc:"Of the outbox, by state, but for those that were sent."`
}

// SystemStorage is where everything is kept.
type SystemStorage struct {
	Kind  string `json:"kind" enum:"sqlite,postgres"`
	Bytes int    `json:"bytes"`
}

// SystemCheck is one thing that has to be in order.
type SystemCheck struct {
	Name   string  `json:"name,omitempty" doc:"Left out of a source." example:"store"`
	Source string  `json:"source,omitempty" example:"office"`
	OK     bool    `json:"ok"`
	Took   float64 `json:"duration_ms,omitempty" doc:"Left out where nothing was asked."`
	Detail string  `json:"detail,omitempty" doc:"Why it is not."`
	Hint   string  `json:"hint,omitempty" doc:"What helps."`
}

// SystemJob is something that is done by itself.
type SystemJob struct {
	Name   string     `json:"name,omitempty" doc:"Left out of the reading of a source." example:"housekeeping"`
	Source string     `json:"source,omitempty" doc:"That is read." example:"office"`
	State  string     `json:"state" enum:"waiting,queued,running" doc:"queued: it is time, and others run."`
	Last   *time.Time `json:"last" doc:"null: not since the start."`
	Next   *time.Time `json:"next"`
}

// SystemEnding is a certificate that ends.
type SystemEnding struct {
	Name   string    `json:"name" example:"api.tls"`
	Source string    `json:"source,omitempty" doc:"The identity provider; left out of ours."`
	EndsAt time.Time `json:"ends_at"`
}

type systemOutput struct{ Body System }

func (s *Server) getSystem(ctx context.Context, c *call, _ *OrgPath) (*systemOutput, error) {
	is, err := s.o.Program.Standing(ctx, c.id())
	if err != nil {
		return nil, err
	}
	size, err := s.o.Store.Size(ctx)
	if err != nil {
		return nil, err
	}
	h := s.o.Program.Health(ctx, c.id())
	x := System{
		OK: true, Version: s.o.Version, Go: h.Go, Since: h.Since.UTC(), Replica: h.Replica, Replicas: h.Replicas, Leads: is.Leads,
		Revision: s.o.Program.Configuration().Revision, LeaderRevision: h.LeaderRevision, Store: SystemStorage{h.Store, size}, LogLevel: h.LogLevel,
		Checks: make([]SystemCheck, len(h.Checks)), Jobs: make([]SystemJob, len(h.Jobs)), Certificates: make([]SystemEnding, len(is.Ends)), Mails: map[string]int{},
	}
	if !is.Leads {
		x.Leader = is.Leader
	}
	for i := range h.Checks {
		x.Checks[i] = checkOf(&h.Checks[i])
		x.OK = x.OK && h.Checks[i].OK
	}
	for i := range h.Jobs {
		x.Jobs[i] = jobOf(&h.Jobs[i])
	}
	for i, e := range is.Ends {
		x.Certificates[i] = SystemEnding{e.Name, e.Source, e.Ends.UTC()}
	}
	for _, state := range []connector.MailState{connector.MailAsked, connector.MailWaiting, connector.MailFailed} {
		if x.Mails[string(state)], err = s.o.Store.CountMails(ctx, c.id(), state); err != nil {
			return nil, err
		}
	}
	return &systemOutput{x}, nil
}

func checkOf(c *system.Check) SystemCheck {
	x := SystemCheck{Name: c.Name, OK: c.OK, Took: milliseconds(c.Took), Detail: c.Detail, Hint: c.Hint}
	if c.Source {
		x.Name, x.Source = "", c.Name
	}
	return x
}

func jobOf(j *system.Job) SystemJob {
	x := SystemJob{Name: j.Name, Source: j.Source, State: "waiting", Last: when(j.Last), Next: when(j.Next)}
	switch {
	case j.Running:
		x.State = "running"
	case j.Waiting:
		x.State = "queued"
	}
	return x
}

func (s *Server) getDiagnostics(ctx context.Context, c *call, _ *OrgPath) (*huma.StreamResponse, error) {
	now := s.now()
	files, err := system.Bundle(ctx, system.BundleOptions{Sight: s.sight(c), Program: s.o.Program, Store: s.o.Store, Version: s.o.Version, Now: now})
	if err != nil {
		return nil, err
	}
	name := system.BundleName(c.id(), now)
	if err := s.exported(ctx, c, "diagnostics", name); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", zipType)
		hc.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
		if err := system.WriteZip(hc.BodyWriter(), files, now); err != nil {
			s.cut(ctx, err)
		}
	}}, nil
}
