package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"usherd/connector"
)

const domainColumns = `org, name, token, added_at, verified_at, checked_at, failing_since, last_error, claimed`

const (
	sqlDomainsByName = `SELECT ` + domainColumns + ` FROM domains WHERE name IN (*)`
	sqlDomain        = `SELECT ` + domainColumns + ` FROM domains WHERE name = ? AND org = ?`
	sqlDomains       = `SELECT ` + domainColumns + ` FROM domains WHERE ? = '' OR org = ? ORDER BY name, org`

	sqlAddDomain = `INSERT INTO domains (` + domainColumns + `) VALUES (?,?,?,?,?,?,?,?,0) ON CONFLICT (name, org) DO NOTHING`

	sqlPutDomain = `UPDATE domains SET token = ?, verified_at = ?, checked_at = ?, failing_since = ?, last_error = ? WHERE name = ? AND org = ?`

	sqlRemoveDomain = `DELETE FROM domains WHERE name = ? AND org = ?`
	sqlClaimDomain  = `UPDATE domains SET claimed = ? WHERE name = ? AND org = ?`
)

func scanDomain(r *sql.Rows, d *connector.Domain) error {
	return r.Scan(&d.Org, &d.Name, &d.Token, (*timeColumn)(&d.AddedAt), (*timeColumn)(&d.VerifiedAt), (*timeColumn)(&d.CheckedAt),
		(*timeColumn)(&d.FailingSince), &d.LastError, &d.Claimed)
}

// DomainsByName returns the entries of all organizations for these names (ASCII form).
func (r *reader) DomainsByName(ctx context.Context, names []string) ([]connector.Domain, error) {
	args := make([]any, len(names))
	for i, n := range names {
		args[i] = n
	}
	var domains []connector.Domain
	err := inLists(sqlDomainsByName, nil, args, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		domains, err = add(domains, rows, err, scanDomain)
		return err
	})
	return domains, wrap("domains by name", err)
}

// Domains returns the domains of an organization, "" = of all, sorted by name.
func (r *reader) Domains(ctx context.Context, org string) ([]connector.Domain, error) {
	rows, err := r.q.query(ctx, sqlDomains, org, org)
	domains, err := add[connector.Domain](nil, rows, err, scanDomain)
	return domains, wrap("domains", err)
}

// AddDomain adds a domain, not claimed; one that the organization has already is an error of Kind
// Conflict.
func (db *DB) AddDomain(ctx context.Context, d connector.Domain) error {
	if d.Org == "" || d.Name == "" || d.Name != asciiDomain(d.Name) {
		return invalid("add domain", "%q is not the ASCII form of a domain of an organization", d.Name)
	}
	return db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlAddDomain, d.Org, d.Name, d.Token, micros(d.AddedAt), micros(d.VerifiedAt), micros(d.CheckedAt),
			micros(d.FailingSince), d.LastError)
		if err == nil && n == 0 {
			return &connector.Error{
				Kind: connector.Conflict, Op: "store: add domain", Err: fmt.Errorf("the organization has %s already", d.Name),
				Hint: "its record, and whether it is found: usherd domain check " + d.Name,
			}
		}
		if err != nil {
			return wrap("add domain", err)
		}
		return t.acted(ctx, db.now(), d.Org, connector.AuditDomainAdded, "domain "+d.Name, nil)
	})
}

// PutDomain overwrites the token and the standing of a domain that is there; whether it is claimed is
// left to ClaimDomain and ReleaseDomain.
func (db *DB) PutDomain(ctx context.Context, d connector.Domain) error {
	return db.changeDomain(ctx, "put domain", d.Org, d.Name, "", sqlPutDomain, d.Token, micros(d.VerifiedAt), micros(d.CheckedAt),
		micros(d.FailingSince), d.LastError, d.Name, d.Org)
}

// RemoveDomain removes a domain of the organization, its claim included.
func (db *DB) RemoveDomain(ctx context.Context, org, name string) error {
	return db.changeDomain(ctx, "remove domain", org, name, connector.AuditDomainRemoved, sqlRemoveDomain, name, org)
}

// ReleaseDomain gives up the claim; a domain that is not claimed is no error.
func (db *DB) ReleaseDomain(ctx context.Context, org, name string) error {
	return db.changeDomain(ctx, "release domain", org, name, connector.AuditDomainReleased, sqlClaimDomain, 0, name, org)
}

// changeDomain changes a domain; action is what is kept of whoever does it, "" = nothing.
func (db *DB) changeDomain(ctx context.Context, op, org, name string, action connector.AuditAction, q string, args ...any) error {
	return db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, q, args...)
		if err == nil && n == 0 {
			return &connector.Error{
				Kind: connector.NotFound, Op: "store: " + op, Err: fmt.Errorf("the organization has no domain %s", name),
				Hint: "see them with: usherd domain list",
			}
		}
		if err != nil || action == "" {
			return wrap(op, err)
		}
		return t.acted(ctx, db.now(), org, action, "domain "+name, nil)
	})
}

// ClaimDomain claims a verified domain for the organization. It fails with Kind Conflict when another
// organization has claimed it or a domain above it, with Refused when it is not verified.
func (db *DB) ClaimDomain(ctx context.Context, org, name string, now time.Time) error {
	return db.write(ctx, func(t *tx) error {
		rows, err := t.q.query(ctx, sqlDomain, name, org)
		d, ok, err := first(rows, err, scanDomain)
		switch {
		case err != nil:
			return wrap("claim domain", err)
		case !ok:
			return notFound("claim domain", "the organization has no domain %s", name)
		case !d.Verified() || d.VerifiedAt.After(now):
			return &connector.Error{
				Kind: connector.Refused, Op: "store: claim domain", Err: errNotVerified,
				Hint: "verify it first: usherd domain check " + name,
			}
		}
		others, err := t.DomainsByName(ctx, connector.ParentDomains(name))
		if err != nil {
			return err
		}
		for _, o := range others {
			if o.Claimed && o.Org != org {
				return conflict("claim domain", "%s is claimed by another organization", name)
			}
		}
		if _, err = t.s.exec(ctx, sqlClaimDomain, 1, name, org); err != nil {
			return wrap("claim domain", err)
		}
		return t.acted(ctx, now, org, connector.AuditDomainClaimed, "domain "+name, nil)
	})
}
