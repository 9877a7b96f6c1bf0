package store

import (
	"context"
	"database/sql"
	"slices"

	"usherd/connector"
)

// known is what the writer has found out in the transaction that goes on, and the counters that it has still to
// write. Nobody else writes before the transaction ends: so that is asked once and each counter is written once,
// however many changes share the commit. Nothing of it is kept beyond the transaction.
type known struct {
	domains  map[string][]connector.Domain // by name, those that were asked for
	packages map[string][]packageRow       // by organization, as they stand with what is still to be written
	people   map[linkSource]somePeople     // whether a source has any of them
	seats    map[packageKey]int            // given less given back, not written yet
	states   map[stateKey]int              // changes of user_counts, not written yet
}

type packageKey struct{ org, id string }

type stateKey struct {
	org   string
	state connector.State
}

// somePeople says whether a source has open items, and places on waiting lists, at all.
type somePeople struct{ items, places bool }

func newKnown() known {
	return known{
		domains: map[string][]connector.Domain{}, packages: map[string][]packageRow{}, people: map[linkSource]somePeople{},
		seats: map[packageKey]int{}, states: map[stateKey]int{},
	}
}

// forget drops what is known, counters included: the transaction has ended, or a part of it was taken back.
func (s *session) forget() {
	clear(s.known.domains)
	clear(s.known.packages)
	clear(s.known.people)
	clear(s.known.seats)
	clear(s.known.states)
}

// settle writes the counters. It comes before whatever reads them by SQL, before a part of the transaction that may be
// taken back alone, and before the commit.
func (s *session) settle(ctx context.Context) error {
	for key, n := range s.known.states {
		if n == 0 {
			continue
		}
		if _, err := s.exec(ctx, sqlCountState, key.org, key.state, n); err != nil {
			return err
		}
	}
	clear(s.known.states)
	for key, n := range s.known.seats {
		if n == 0 {
			continue
		}
		changed, err := s.exec(ctx, sqlMoveSeats, n, n, key.org, key.id, n, n)
		if err != nil {
			return err
		}
		if changed != 1 {
			return conflict("save", "the seats of package %s have moved", key.id)
		}
	}
	clear(s.known.seats)
	return nil
}

// count notes that users of a state have become more, or fewer.
func (s *session) count(org string, state connector.State, n int) {
	s.wrote = true
	s.known.states[stateKey{org, state}] += n
}

// moveSeats notes that seats of a package were given, or given back.
func (s *session) moveSeats(org, id string, n int) {
	s.wrote = true
	s.known.seats[packageKey{org, id}] += n
	for i := range s.known.packages[org] {
		if p := &s.known.packages[org][i]; p.id == id {
			p.used += n
		}
	}
}

// packages are the rows of an organization. They belong to the session.
func (s *session) packages(ctx context.Context, org string) ([]packageRow, error) {
	if rows, ok := s.known.packages[org]; ok {
		return rows, nil
	}
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	rows, err := s.query(ctx, sqlPackages, org)
	list, err := add[packageRow](nil, rows, err, scanPackage)
	if err == nil {
		s.known.packages[org] = list
	}
	return list, err
}

// somePeople asks what a source has.
func (s *session) somePeople(ctx context.Context, key linkSource) (somePeople, error) {
	if some, ok := s.known.people[key]; ok {
		return some, nil
	}
	rows, err := s.query(ctx, sqlAnyPeople, key.org, key.source, key.org, key.source)
	some, _, err := first(rows, err, func(r *sql.Rows, p *somePeople) error { return r.Scan(&p.items, &p.places) })
	if err == nil {
		s.known.people[key] = some
	}
	return some, err
}

// waitingMoved is told that places of a source on waiting lists are about to change.
func (s *session) waitingMoved(ctx context.Context, key linkSource) error {
	delete(s.known.people, key)
	if _, ok := s.known.packages[key.org]; !ok {
		return nil
	}
	err := s.settle(ctx)
	delete(s.known.packages, key.org)
	return err
}

// Seats is reader.Seats with what is still to be written.
func (t *tx) Seats(ctx context.Context, org string) ([]connector.SeatCount, error) {
	rows, err := t.s.packages(ctx, org)
	return seatCounts(rows), wrap("seats", err)
}

// CountResources is reader.CountResources with what is still to be written.
func (t *tx) CountResources(ctx context.Context, kind connector.ResourceKind, q connector.ResourceQuery) (int, error) {
	if err := t.s.settle(ctx); err != nil {
		return 0, wrap("count resources", err)
	}
	return t.reader.CountResources(ctx, kind, q)
}

// DomainsByName is reader.DomainsByName, and asks for each name once.
func (t *tx) DomainsByName(ctx context.Context, names []string) ([]connector.Domain, error) {
	var ask []string
	for _, n := range names {
		if _, ok := t.s.known.domains[n]; !ok {
			ask = append(ask, n)
		}
	}
	if len(ask) > 0 {
		list, err := t.reader.DomainsByName(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, n := range ask {
			t.s.known.domains[n] = nil
		}
		for _, d := range list {
			t.s.known.domains[d.Name] = append(t.s.known.domains[d.Name], d)
		}
	}
	var domains []connector.Domain
	for i, n := range names {
		if !slices.Contains(names[:i], n) {
			domains = append(domains, t.s.known.domains[n]...)
		}
	}
	return domains, nil
}
