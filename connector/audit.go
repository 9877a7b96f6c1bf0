package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// AuditAction says what somebody did.
type AuditAction string

// The actions. What is done to a user is "user." and the Action of the change.
const (
	AuditClaimReminded  AuditAction = "claim.reminded"
	AuditDomainAdded    AuditAction = "domain.added"
	AuditDomainClaimed  AuditAction = "domain.claimed"
	AuditDomainReleased AuditAction = "domain.released"
	AuditDomainRemoved  AuditAction = "domain.removed"
	AuditDismissed      AuditAction = "failure.dismissed"
	AuditMailRetried    AuditAction = "mail.retried"
	AuditReportRetried  AuditAction = "report.retried"
	AuditReportTested   AuditAction = "report.tested"
	AuditRunStarted     AuditAction = "run.started"
	AuditRunApproved    AuditAction = "run.approved"
	AuditRunRejected    AuditAction = "run.rejected"
	AuditTokenCreated   AuditAction = "token.created"
	AuditTokenRevoked   AuditAction = "token.revoked"
	AuditExported       AuditAction = "exported"
	AuditSignedIn       AuditAction = "signed_in"
	AuditSignInFailed   AuditAction = "sign_in.failed"
	AuditSignedOut      AuditAction = "signed_out"
)

// Actor is the person or program on whose behalf something is done. A context carries it, see Acting, so that whatever is
// written in the end can be told of.
type Actor struct {
	Name    string // "cli:root", "api:hr", "console:anna"; the name alone says by which door
	Address string // from where; "" = not by a network
	Reason  string // that was given; "" = none
	Ref     string // of the request; "" = none
}

type actorKey struct{}

// Acting is a context whose acts are those of a.
func Acting(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is who acts, zero where nobody does.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// AuditEntry is one act that is kept for good. The entries of an organization are a chain: the hash of each is over that of
// the one before, so that none can be changed, taken out or put in between without all later hashes being other ones. It
// holds ids and names of fields, and no data of people.
type AuditEntry struct {
	Org     string
	Seq     int64 // from 1, without gaps
	At      time.Time
	Actor   Actor
	Action  AuditAction
	Target  string            // to what, as "user 01jd…", "domain example.com"
	Details map[string]string // what is told of it, as "state": "active → inactive"
	Hash    AuditHash
}

// Exported is the entry of somebody who has taken data along.
func Exported(org string, by Actor, what, file string, at time.Time) AuditEntry {
	return AuditEntry{Org: org, At: at, Actor: by, Action: AuditExported, Target: what, Details: map[string]string{"file": file}}
}

// AuditHash is the SHA-256 of an entry; zero stands before the first one.
type AuditHash [sha256.Size]byte

// String is the hash in hexadecimal.
func (h AuditHash) String() string { return hex.EncodeToString(h[:]) }

// ParseAuditHash reads what String gives.
func ParseAuditHash(s string) (h AuditHash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, &Error{Kind: Invalid, Op: "audit", Err: fmt.Errorf("%q is no hash of an entry: it has %d hexadecimal digits", s, 2*len(h))}
	}
	return AuditHash(b), nil
}

// auditLine is what the hash is over, in this order.
type auditLine struct {
	Org     string            `json:"org"`
	Seq     int64             `json:"seq"`
	At      string            `json:"at"` // RFC 3339 with microseconds, UTC
	Actor   string            `json:"actor"`
	Address string            `json:"address,omitempty"`
	Action  AuditAction       `json:"action"`
	Target  string            `json:"target,omitempty"`
	Details map[string]string `json:"details,omitempty"` // by name, sorted
	Reason  string            `json:"reason,omitempty"`
	Ref     string            `json:"ref,omitempty"`
	Before  string            `json:"before"` // hash of the entry before
}

// Line is the JSON text that the hash of the entry is over, before being the hash of the entry that comes before. Everybody
// can check a chain with a program for SHA-256.
func (e *AuditEntry) Line(before AuditHash) ([]byte, error) {
	return json.Marshal(auditLine{
		Org: e.Org, Seq: e.Seq, At: e.At.UTC().Format("2006-01-02T15:04:05.000000Z"), Actor: e.Actor.Name, Address: e.Actor.Address,
		Action: e.Action, Target: e.Target, Details: e.Details, Reason: e.Actor.Reason, Ref: e.Actor.Ref, Before: before.String(),
	})
}

// WriteAudit writes a chain in a form that can be checked elsewhere: a JSON line for each entry, of which "entry" is the text
// that "hash" is the SHA-256 of, in hexadecimal.
func WriteAudit(w io.Writer, entries iter.Seq2[AuditEntry, error]) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	var before AuditHash
	for e, err := range entries {
		if err != nil {
			return err
		}
		line, err := e.Line(before)
		if err != nil {
			return err
		}
		if err := enc.Encode(map[string]string{"entry": string(line), "hash": e.Hash.String()}); err != nil {
			return err
		}
		before = e.Hash
	}
	return nil
}

// auditMost bounds each text of an entry, in bytes.
const auditMost = 1000

// Seal makes an entry the one after another one. Texts lose what not every database can keep, and their ends where they are
// very long.
func (e *AuditEntry) Seal(seq int64, before AuditHash) error {
	for _, s := range []*string{&e.Actor.Name, &e.Actor.Address, &e.Actor.Reason, &e.Actor.Ref, &e.Target} {
		*s = auditText(*s)
	}
	details := make(map[string]string, len(e.Details))
	for name, s := range e.Details {
		details[auditText(name)] = auditText(s)
	}
	if e.Details = details; len(details) == 0 {
		e.Details = nil
	}
	e.Seq, e.At = seq, e.At.UTC().Truncate(time.Microsecond)
	line, err := e.Line(before)
	e.Hash = sha256.Sum256(line)
	return err
}

func auditText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), auditMost)], ""), "\x00", "")
}

// AuditQuery asks for a page of entries, latest first.
type AuditQuery struct {
	Org    string // "" = acts that concern no organization
	Actor  string // begins so; "" = anybody
	Action AuditAction
	Target string
	Since  time.Time // zero = from the beginning
	Until  time.Time // before that; zero = until now
	Before int64     // entries before that one; 0 = from the last one on
	Limit  int
}

// AuditCheck is what following a chain has come to.
type AuditCheck struct {
	Entries int64
	Head    AuditHash // of the last one
	Broken  int64     // the first entry that is not what was written, or does not follow the one before; 0 = none
	Passed  bool      // the hash that was asked for is one of the chain's
}

// CheckAudit follows a chain from its beginning. Known is the hash of an entry that was kept elsewhere, zero for none:
// without one, nobody can tell that the end of a chain, or all of it, was made anew.
func CheckAudit(entries iter.Seq2[AuditEntry, error], known AuditHash) (c AuditCheck, err error) {
	c.Passed = known == AuditHash{}
	for e, err := range entries {
		if err != nil {
			return c, err
		}
		line, err := e.Line(c.Head)
		if err != nil {
			return c, err
		}
		c.Entries++
		if e.Seq != c.Entries || AuditHash(sha256.Sum256(line)) != e.Hash {
			c.Broken = c.Entries
			return c, nil
		}
		c.Head, c.Passed = e.Hash, c.Passed || e.Hash == known
	}
	return c, nil
}
