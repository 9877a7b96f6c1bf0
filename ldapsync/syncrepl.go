package ldapsync

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// syncrepl is content synchronization (RFC 4533) as slapd and 389-ds do it.
type syncrepl struct{}

var _ follower = syncrepl{}

func (syncrepl) by() ChangesBy { return BySyncrepl }

// offersSyncrepl reports whether the server announces RFC 4533.
func offersSyncrepl(x *session) bool { return x.root.controls[ldap.ControlTypeSyncRequest] }

// identity is nothing: a place carries what it depends on. All replicas of a slapd understand each other's
// cookies, so the name of a server must not be in it; which database it is, the UUID of the entry at its top
// says, which replicas and restored backups share and a newly filled directory does not. A cookie of 389-ds
// names server, account, base and filter itself.
func (syncrepl) identity(*session) []byte { return nil }

// mark asks for the content of the bases' own entries only. The cookie is the same as for everything below
// them: on slapd it is the contextCSN of the database, on 389-ds the number of the last change, with base
// and filter but not the scope.
func (m syncrepl) mark(ctx context.Context, x *session) ([]byte, error) {
	if x.root.read && !offersSyncrepl(x) {
		return nil, noSyncrepl(serverError("ldapsync: changes of "+x.c.server, ldap.LDAPResultUnavailableCriticalExtension, ""))
	}
	searches, err := x.syncSearches(ctx)
	if err != nil {
		return nil, err
	}
	p, err := m.now(ctx, x, searches)
	if err != nil {
		return nil, err
	}
	return p.encode(), nil
}

// noSyncrepl says what to do about a server that does not know RFC 4533.
func noSyncrepl(e *connector.Error) error {
	e.Hint = "switch RFC 4533 on (OpenLDAP: overlay syncprov; 389-ds: the plug-ins Content Synchronization and Retro Changelog), or write changes: off"
	return e
}

// now is the place where the searches stand.
func (syncrepl) now(ctx context.Context, x *session, searches []*syncSearch) (*syncPlace, error) {
	f, err := newSyncing(ctx, x, searches, new(touched))
	if err != nil {
		return nil, err
	}
	f.marking = true
	if err := f.run(f.refresh); err != nil {
		return nil, err
	}
	if f.full != "" {
		return nil, &connector.Error{Kind: connector.Incomplete, Op: searches[0].op(), Err: errors.New(f.full)}
	}
	for _, s := range searches {
		if len(s.mark.cookie) == 0 {
			return nil, &connector.Error{
				Kind: connector.Refused, Op: s.op(), Err: errors.New("the server tells no place in its feed of changes"),
				Hint: "OpenLDAP: fill the directory with slapadd -w, or make one change, so that it has a contextCSN; or write changes: off",
			}
		}
	}
	return f.place(x.standing()), nil
}

// place is up to where the searches have been taken in.
func (f *syncing) place(groups digest) *syncPlace {
	p := &syncPlace{groups: groups}
	for _, s := range f.searches {
		p.marks = append(p.marks, s.mark)
	}
	return p
}

// standing is who is in the rule groups.
func (x *session) standing() digest {
	var d digest
	for i, set := range x.memberSets() {
		if set != nil {
			d.add(binary.AppendUvarint(bytes.Clone(set.sum[:]), uint64(i)))
		}
	}
	return d
}

// older compares what the servers say of their last change.
func (syncrepl) older(now, last []byte) string {
	is, ok1 := decodePlace(now)
	was, ok2 := decodePlace(last)
	if !ok1 || !ok2 || was.elsewhere(is) != "" {
		return ""
	}
	return is.behind(was)
}

func (p *syncPlace) behind(last *syncPlace) string {
	for i := range p.marks {
		if why := parseCookie(p.marks[i].cookie).behind(parseCookie(last.marks[i].cookie)); why != "" {
			return "the directory went back: " + why + ", as after a restore from a backup, or on a replica that lags behind"
		}
	}
	return ""
}

// from makes the searches, ready to go on from a place. now is where they stand.
func (m syncrepl) from(ctx context.Context, x *session, since []byte) (searches []*syncSearch, was, now *syncPlace, full string, err error) {
	if searches, err = x.syncSearches(ctx); err != nil {
		return nil, nil, nil, "", err
	}
	if now, err = m.now(ctx, x, searches); err != nil {
		return nil, nil, nil, "", err
	}
	var ok bool
	if was, ok = decodePlace(since); !ok {
		return nil, nil, nil, "the place of the last full read cannot be read", nil
	}
	if full = was.elsewhere(now); full == "" {
		full = now.behind(was)
	}
	if full == "" {
		full, err = x.outOfLog(ctx, was, now)
	}
	if full != "" || err != nil {
		return nil, nil, nil, full, err
	}
	for i, s := range searches {
		*s = syncSearch{stream: &stream{c: s.c, ctx: ctx, r: s.r}, people: s.people, mark: was.marks[i]}
	}
	return searches, was, now, "", nil
}

// outOfLog says why the change log of a 389-ds does not reach back to a place, or had better not be asked to.
// The server does not notice itself that changes which it has trimmed are missing (after 2 days by default).
func (x *session) outOfLog(ctx context.Context, was, now *syncPlace) (string, error) {
	from, to := was.oldest(), now.oldest()
	if from.csns != nil || from.number == to.number {
		return "", nil
	}
	first, err := x.firstChange(ctx)
	switch {
	case err != nil:
		return "", err
	case first == 0:
		return "the server does not tell how far back its change log goes (firstchangenumber of the root DSE)", nil
	case from.number+1 < first:
		return fmt.Sprintf("the change log of the server begins at %d, and changes from %d on are wanted", first, from.number+1), nil
	case to.number-from.number > maxTouched: // for which it needs memory, and time that grows with the square
		return fmt.Sprintf("more than %d changes were made", maxTouched), nil
	}
	return "", nil
}

// oldest is the cookie with the lowest number.
func (p *syncPlace) oldest() (c cookie) {
	for i := range p.marks {
		if next := parseCookie(p.marks[i].cookie); i == 0 || next.number < c.number {
			c = next
		}
	}
	return c
}

// firstChange is the number of the first change in the change log of a 389-ds; 0 = it does not tell.
func (x *session) firstChange(ctx context.Context) (first uint64, err error) {
	_, err = one(ctx, x.c, searchRequest{Filter: anyObject, Attributes: []string{"firstchangenumber"}}, func(e *entry) error {
		if v := valuesOf(e, 0); len(v) == 1 {
			first, _ = strconv.ParseUint(string(v[0]), 10, 64)
		}
		return nil
	})
	return first, err
}

func (m syncrepl) changes(ctx context.Context, x *session, since []byte, t *touched) (next []byte, full string, err error) {
	searches, was, now, full, err := m.from(ctx, x, since)
	if err != nil || full != "" {
		return since, full, err
	}
	if bytes.Equal(now.encode(), since) {
		return since, "", nil
	}
	if was.groups != now.groups {
		t.structure = membersChanged
	}
	f, err := newSyncing(ctx, x, searches, t)
	if err != nil {
		return since, "", err
	}
	if err := f.run(f.refresh); err != nil || f.full != "" {
		return since, f.full, err
	}
	return f.place(now.groups).encode(), "", nil
}

const membersChanged = "the members of a group that decides about scope, protection or package have changed"

// gathering is how long changes are gathered after the first, so that many at once are told at once.
const (
	gathering = 5 * time.Millisecond
	maxGather = 1000
	// maxMoved is after how many messages a place is told although nothing has changed here, so that it does not
	// fall out of the server's log.
	maxMoved = 1000
)

func (m syncrepl) follow(ctx context.Context, x *session, since []byte, tell func(t *touched, next []byte, full string) error) error {
	searches, was, now, full, err := m.from(ctx, x, since)
	if err != nil {
		return err
	}
	t := new(touched)
	if full != "" {
		return onlyFull(tell(t, since, full), full)
	}
	if was.groups != now.groups {
		t.structure = membersChanged
	}
	f, err := newSyncing(ctx, x, searches, t)
	if err != nil {
		return err
	}
	f.mode = refreshAndPersist
	defer x.c.shut() // the server would go on for ever
	return f.run(func() error {
		if err := f.refresh(); err != nil {
			return err
		}
		return f.persist(now.groups, since, tell)
	})
}

// onlyFull ends a feed that cannot go on.
func onlyFull(err error, full string) error {
	if err != nil {
		return err
	}
	return &connector.Error{Kind: connector.Conflict, Op: "ldapsync: follow", Err: errors.New(full), Hint: "read in full, and follow from there"}
}

// persist tells what the refresh stage brought, and then what comes.
func (f *syncing) persist(groups digest, since []byte, tell func(t *touched, next []byte, full string) error) error {
	place, moved := since, maxMoved // so that the first time is told of in any case
	for {
		if f.full != "" {
			return onlyFull(tell(f.t, place, f.full), f.full)
		}
		if moved >= maxMoved || !f.t.isEmpty() {
			place, moved = f.place(groups).encode(), 0
			if err := tell(f.t, place, ""); err != nil {
				return err
			}
			f.t = newTouched()
		}
		clear(f.named)
		f.rec.now = f.x.s.options.Now()
		n, err := f.gather()
		if err != nil {
			return err
		}
		moved += n
	}
}

func (t *touched) isEmpty() bool {
	return len(t.records)+len(t.anchors)+len(t.groups) == 0 && t.structure == ""
}

// gather waits for a message, however long, and takes in those that come with it.
func (f *syncing) gather() (int, error) {
	in := f.x.c.in
	in.idle = true
	if _, err := in.await(); err != nil {
		return 0, f.searches[0].cut(err)
	}
	lift := f.x.c.within(gathering)
	defer lift()
	n := 0
	for ; n < maxGather && f.full == ""; n++ {
		more, err := in.await()
		if err != nil {
			return n, f.searches[0].cut(err)
		}
		if !more {
			break
		}
		if err := f.next(); err != nil {
			return n, err
		}
	}
	return n, nil
}
