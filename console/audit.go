package console

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
)

// AuditStore is what the pages of the audit log read.
type AuditStore interface {
	Audit(ctx context.Context, q connector.AuditQuery) ([]connector.AuditEntry, error)
	AuditChain(ctx context.Context, org string) iter.Seq2[connector.AuditEntry, error]
}

func (s *Server) audit() {
	s.page("/audit", see, (*visit).audit)
	s.body("audit", auditPage{})
	s.page("/audit/verify", see, (*visit).verifyAudit)
	s.body("audit_verify", auditVerifyPage{})
	s.page("/audit/export.jsonl", export, (*visit).exportAudit)
	s.page("/audit/export.csv", export, (*visit).exportAuditRows)
}

// auditPage is what people have done.
type auditPage struct {
	Actor, Action, Target string
	Rows                  []auditRow
	Pager                 pager
	Verify, Export, CSV   string // addresses
}

// auditRow is one act.
type auditRow struct {
	Seq             string
	At              *instant
	Actor, Address  string
	Action, Target  string
	TargetAddress   string // the page of it; "" = there is none
	Details         []fact
	Reason, Ref     string
	OnlyBy, OnlyFor string // the list of this actor, and of this target
}

func (v *visit) audit() {
	q := v.auditQuery()
	q.Limit = perPage + 1
	if text := v.after(); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			v.say(http.StatusNotFound, "console.nowhere", nil)
			return
		}
		q.Before = n
	}
	list, err := v.s.o.Store.Audit(v.r.Context(), q)
	if err != nil {
		v.accident("audit", err)
		return
	}
	next := ""
	if len(list) > perPage {
		list = list[:perPage]
		next = strconv.FormatInt(list[perPage-1].Seq, 10)
	}
	p := auditPage{Actor: q.Actor, Action: string(q.Action), Target: q.Target, Verify: v.link("/audit/verify"), Export: v.link("/audit/export.jsonl"), CSV: v.here("/audit/export.csv")}
	for i := range list {
		p.Rows = append(p.Rows, v.auditRow(&list[i]))
	}
	p.Pager = v.pager(next, len(list))
	v.show(http.StatusOK, "audit", frame{Title: v.t("nav.audit", nil), State: v.t("audit.state", nil)}, p)
}

// auditQuery is what the filters ask the store for.
func (v *visit) auditQuery() connector.AuditQuery {
	return connector.AuditQuery{Org: v.id(), Actor: v.query("actor"), Action: connector.AuditAction(v.query("action")), Target: v.query("target")}
}

func (v *visit) auditRow(e *connector.AuditEntry) auditRow {
	f := frame{v: v}
	row := auditRow{
		Seq: strconv.FormatInt(e.Seq, 10), At: f.At(e.At), Actor: e.Actor.Name, Address: e.Actor.Address, Action: string(e.Action), Target: e.Target,
		Reason: e.Actor.Reason, Ref: e.Actor.Ref, OnlyBy: v.with("actor", e.Actor.Name), OnlyFor: v.with("target", e.Target),
	}
	for sort, path := range map[string]string{"user ": "/users/", "run ": "/runs/"} {
		if id, ok := cutPrefix(e.Target, sort); ok {
			row.TargetAddress = v.link(path + id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		if value := e.Details[name]; value != "" {
			row.Details = append(row.Details, fact{Name: name, Value: value})
		}
	}
	return row
}

// auditVerifyPage is what following the chain has come to.
type auditVerifyPage struct {
	Entries, Head string
	Broken        string // number of the first entry that is not what was written; "" = none
	Back          string
}

// verifyAudit follows the whole chain: it reads every entry.
func (v *visit) verifyAudit() {
	c, err := connector.CheckAudit(v.s.o.Store.AuditChain(v.r.Context(), v.id()), connector.AuditHash{})
	if err != nil {
		v.accident("audit", err)
		return
	}
	p := auditVerifyPage{Entries: v.number(int(c.Entries)), Back: v.link("/audit")}
	if c.Entries > 0 {
		p.Head = c.Head.String()
	}
	if c.Broken > 0 {
		p.Broken = strconv.FormatInt(c.Broken, 10)
	}
	v.show(http.StatusOK, "audit_verify", frame{Title: v.t("audit.verify", nil), Crumbs: []crumb{{v.t("nav.audit", nil), v.link("/audit")}}}, p)
}

// exportAudit sends the whole chain, a JSON line for each entry, as usherd audit export writes it.
func (v *visit) exportAudit() {
	if err := v.exported("audit", "audit.jsonl"); err != nil {
		v.accident("audit", err)
		return
	}
	v.w.Header().Set("Content-Type", "application/jsonl")
	v.w.Header().Set("Content-Disposition", `attachment; filename="audit_`+v.id()+`.jsonl"`)
	if err := connector.WriteAudit(v.w, v.s.o.Store.AuditChain(v.r.Context(), v.id())); err != nil {
		v.logError("audit", err)
		panic(http.ErrAbortHandler) // so that nobody takes the part for the whole
	}
}

// auditColumns are those of the file: new ones are only added at the end.
var auditColumns = []string{"seq", "at", "actor", "address", "action", "target", "reason", "ref", "details"}

// exportAuditRows sends the entries that the filters choose. Who wants to follow the chain takes all of them: export.jsonl.
func (v *visit) exportAuditRows() {
	v.sheet("audit", "audit", auditColumns, v.auditCells(v.auditQuery()))
}

func (v *visit) auditCells(q connector.AuditQuery) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for q.Limit = exportPage; ; {
			list, err := v.s.o.Store.Audit(v.r.Context(), q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range list {
				if !yield(auditCell(&list[i]), nil) {
					return
				}
			}
			if len(list) < exportPage {
				return
			}
			q.Before = list[len(list)-1].Seq
		}
	}
}

func auditCell(e *connector.AuditEntry) []string {
	var details []string
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		details = append(details, name+": "+e.Details[name])
	}
	return []string{
		strconv.FormatInt(e.Seq, 10), stamp(e.At), e.Actor.Name, e.Actor.Address, string(e.Action), e.Target, e.Actor.Reason, e.Actor.Ref, strings.Join(details, "; "),
	}
}
