package console

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/system"
)

// SystemStore is what the page about the daemon reads.
type SystemStore interface {
	Size(ctx context.Context) (int, error)
	CountMails(ctx context.Context, org string, state connector.MailState) (int, error)
}

func (s *Server) system() {
	s.page("/system", see, (*visit).system)
	s.body("system", systemPage{})
	s.action("/system/diagnostics", need{permission: manage}, (*visit).askDiagnostics, (*visit).doDiagnostics)
	s.body("diagnostics", diagnosticsPage{})
}

// systemPage is how the daemon is.
type systemPage struct {
	Checks      []checkRow
	Facts       []fact
	Since       *instant
	Jobs        []jobRow
	Standby     bool // jobs are those of another replica
	Ends        []comingRow
	Mails       []fact
	Diagnostics string // address; "" = this administrator takes none
	Copy        string // what is not in order, as text
}

type checkRow struct {
	Name, Address string
	Pill          pill
	Took          string
	Detail, Hint  string
}

type jobRow struct {
	Name, Address string
	Pill          pill
	Last, Next    *instant
}

func (v *visit) system() {
	program, ok := v.program()
	if !ok {
		return
	}
	ctx := v.r.Context()
	is, err := program.Standing(ctx, v.id())
	if err != nil {
		v.accident("system", err)
		return
	}
	h := program.Health(ctx, v.id())
	p := systemPage{Standby: !is.Leads, Since: (&frame{v: v}).At(h.Since)}
	v.checks(&p, &h)
	v.jobs(&p, &h)
	for _, e := range is.Ends {
		p.Ends = append(p.Ends, v.certificateRow(e))
	}
	if err := v.systemFacts(&p, &h, &is); err != nil {
		v.accident("system", err)
		return
	}
	if v.may(manage) {
		p.Diagnostics = v.link("/system/diagnostics")
	}
	v.show(http.StatusOK, "system", frame{Title: v.t("nav.system", nil), State: v.t("system.state", nil)}, p)
}

// checks are what has to be in order.
func (v *visit) checks(p *systemPage, h *system.Health) {
	f := frame{v: v}
	for _, c := range h.Checks {
		row := checkRow{Name: c.Name, Pill: pill{v.t("system.ok", nil), "good"}, Detail: v.told(c.Detail), Hint: v.told(c.Hint)}
		if !c.Source {
			row.Name = v.t("system.check."+c.Name, nil)
		} else if path := v.sourcePath(c.Name); path != "" {
			row.Address = v.link(path)
		}
		if c.Name == "configuration" && !c.Source {
			row.Address = v.link("/config")
		}
		if c.Took > 0 {
			row.Took = f.Millis(c.Took)
		}
		if !c.OK {
			row.Pill = pill{v.t("system.bad", nil), "bad"}
			p.Copy += c.Name + ": " + c.Detail + "\n"
		}
		p.Checks = append(p.Checks, row)
	}
}

// Millis is a short time.
func (f *frame) Millis(d time.Duration) string {
	return f.v.printer().Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// jobs are what is done by itself.
func (v *visit) jobs(p *systemPage, h *system.Health) {
	f := frame{v: v}
	for _, j := range h.Jobs {
		row := jobRow{Pill: pill{v.t("system.waits", nil), "off"}, Last: f.At(j.Last), Next: f.At(j.Next)}
		switch {
		case j.Running:
			row.Pill = pill{v.t("system.runs", nil), "info"}
		case j.Waiting:
			row.Pill = pill{v.t("system.queued", nil), "wait"}
		}
		if j.Source != "" {
			row.Name, row.Address = v.t("system.job.source", map[string]string{"Source": j.Source}), v.link(v.sourcePath(j.Source))
		} else {
			key := "job." + j.Name
			if row.Name = v.t("system."+key, nil); row.Name == key { // a job that has no text yet
				row.Name = j.Name
			}
		}
		p.Jobs = append(p.Jobs, row)
	}
}

// certificateRow is one certificate with its end.
func (v *visit) certificateRow(e system.Ending) comingRow {
	f := frame{v: v}
	r := comingRow{Text: v.endingLabel(e), When: f.At(e.Ends), Kind: "good"}
	switch left := e.Ends.Sub(v.now); {
	case left < endsNow:
		r.Kind = "bad"
	case left < endsSoon:
		r.Kind = "warn"
	}
	if e.Source != "" {
		r.Address = v.link(v.sourcePath(e.Source))
	}
	return r
}

// systemFacts are version, replica, store and outbox.
func (v *visit) systemFacts(p *systemPage, h *system.Health, is *system.Standing) error {
	size, err := v.s.o.Store.Size(v.r.Context())
	if err != nil {
		return err
	}
	role := v.t("system.leads", nil)
	if !is.Leads {
		role = v.t("system.stands", map[string]string{"Leader": is.Leader})
	}
	p.Facts = []fact{
		{Name: v.t("system.version", nil), Value: v.s.o.Version + ", " + h.Go},
		{Name: v.t("system.replica", nil), Value: h.Replica},
		{Name: v.t("system.role", nil), Value: role},
		{Name: v.t("system.replicas", nil), Value: v.number(h.Replicas)},
		{Name: v.t("config.revision", nil), Value: v.set.Revision, Address: v.link("/config")},
		{Name: v.t("system.store", nil), Value: h.Store + ", " + v.printer().Sprintf("%.1f MB", float64(size)/1e6)},
		{Name: v.t("system.log", nil), Value: h.LogLevel},
	}
	if h.LeaderRevision != "" {
		p.Facts = append(p.Facts, fact{Name: v.t("system.otherrevision", nil), Value: h.LeaderRevision})
	}
	for _, state := range []connector.MailState{connector.MailAsked, connector.MailWaiting, connector.MailFailed} {
		n, err := v.s.o.Store.CountMails(v.r.Context(), v.id(), state)
		if err != nil {
			return err
		}
		p.Mails = append(p.Mails, fact{Name: v.t("system.mail."+string(state), nil), Value: v.number(n)})
	}
	return nil
}
