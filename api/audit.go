package api

import (
	"context"
	"iter"
	"net/http"
	"time"

	"usherd/connector"
)

const auditTag = "Audit"

// AuditStore is what the door reads of the audit trail. store.DB is one.
type AuditStore interface {
	Audit(ctx context.Context, q connector.AuditQuery) ([]connector.AuditEntry, error)
	AuditChain(ctx context.Context, org string) iter.Seq2[connector.AuditEntry, error]
}

func (s *Server) audit() {
	route(s, operation{
		id: "listAudit", method: http.MethodGet, path: "/audit", scope: connector.APIRead, tag: auditTag, summary: "List what people and programs have done, latest first",
	}, s.listAudit)
	route(s, operation{
		id: "checkAudit", method: http.MethodGet, path: "/audit/check", scope: connector.APIRead, tag: auditTag,
		summary: "Follow the chain of the audit trail from its beginning",
		about:   "Keep head elsewhere now and then: given as query, it is looked for in the chain, which shows that nobody has made the trail anew since. All entries are read.",
	}, s.checkAudit)
}

// AuditEntry is an act that is kept for good.
type AuditEntry struct {
	Org     string                `json:"org"`
	Seq     int64                 `json:"seq" doc:"From 1, without gaps."`
	At      time.Time             `json:"at"`
	Actor   string                `json:"actor"`
	Address string                `json:"address,omitempty"`
	Action  connector.AuditAction `json:"action"`
	Target  string                `json:"target,omitempty"`
	Details map[string]string     `json:"details,omitempty"`
	Reason  string                `json:"reason,omitempty"`
	Ref     string                `json:"ref,omitempty"`
	Hash    string                `json:"hash" doc:"SHA-256, in hexadecimal, over this entry and the hash of the one before."`
}

// NewAuditEntry is the form in which the API and the command line show an entry.
func NewAuditEntry(e *connector.AuditEntry) AuditEntry {
	return AuditEntry{e.Org, e.Seq, e.At, e.Actor.Name, e.Actor.Address, e.Action, e.Target, e.Details, e.Actor.Reason, e.Actor.Ref, e.Hash.String()}
}

type listAuditInput struct {
	OrgPath
	Actor  string                `query:"actor" doc:"Only of whom the name begins so, such as cli: or api:" maxLength:"100"`
	Action connector.AuditAction `query:"action" doc:"Only that, such as user.deactivated or token.created." maxLength:"64"`
	Target string                `query:"target" doc:"Only what was done to that, as the list names it." maxLength:"320"`
	Since  time.Time             `query:"since" doc:"Only from then on." format:"date-time"`
	Until  time.Time             `query:"until" doc:"Only before that." format:"date-time"`
	Before int64                 `query:"before" doc:"Only entries before that number: next of the page before." minimum:"0"`
	Limit  int                   `query:"limit" doc:"How many at most." default:"100" minimum:"1" maximum:"500"`
}

// AuditPage is a page of entries.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	Next    int64        `json:"next,omitempty" doc:"before of the next page; left out after the last."`
}

type auditOutput struct{ Body AuditPage }

func (s *Server) listAudit(ctx context.Context, c *call, in *listAuditInput) (*auditOutput, error) {
	list, err := s.o.Store.Audit(ctx, connector.AuditQuery{
		Org: c.id(), Actor: in.Actor, Action: in.Action, Target: in.Target, Since: in.Since, Until: in.Until, Before: in.Before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &auditOutput{AuditPage{Entries: []AuditEntry{}}}
	for i := range list[:min(len(list), in.Limit)] {
		out.Body.Entries = append(out.Body.Entries, NewAuditEntry(&list[i]))
	}
	if len(list) > in.Limit {
		out.Body.Next = list[in.Limit-1].Seq
	}
	return out, nil
}

type checkAuditInput struct {
	OrgPath
	Head string `query:"head" doc:"Hash of an entry that was kept elsewhere." maxLength:"64"`
}

// AuditCheck is what has come of following a chain.
type AuditCheck struct {
	Org     string `json:"org"`
	Entries int64  `json:"entries"`
	Head    string `json:"head,omitempty" doc:"Hash of the last entry."`
	Broken  int64  `json:"broken,omitempty" doc:"The first entry that was changed, or does not follow the one before."`
	Unknown bool   `json:"head_unknown,omitempty" doc:"The hash that was given is not in the chain: entries are gone, or the trail was made anew."`
}

// NewAuditCheck is the form in which the API and the command line show it.
func NewAuditCheck(org string, c connector.AuditCheck) AuditCheck {
	x := AuditCheck{Org: org, Entries: c.Entries, Broken: c.Broken, Unknown: !c.Passed && c.Broken == 0}
	if c.Entries > 0 {
		x.Head = c.Head.String()
	}
	return x
}

type auditCheckOutput struct{ Body AuditCheck }

func (s *Server) checkAudit(ctx context.Context, c *call, in *checkAuditInput) (*auditCheckOutput, error) {
	var known connector.AuditHash
	if in.Head != "" {
		var err error
		if known, err = connector.ParseAuditHash(in.Head); err != nil {
			return nil, invalid("query.head", "64 hexadecimal digits")
		}
	}
	check, err := connector.CheckAudit(s.o.Store.AuditChain(ctx, c.id()), known)
	return &auditCheckOutput{NewAuditCheck(c.id(), check)}, err
}
