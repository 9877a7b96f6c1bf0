package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
)

// crowd is some people of two sources, of whom a few have no link, two links or are deleted, and who share an employee
// number by twos.
func crowd(f *fixture, n int) (users []*connector.User) {
	for i := range n {
		c := Create(i, "", f.now)
		c.After.Profile["employeeNumber"] = []string{fmt.Sprint("E", i/2)}
		c.After.Profile["otherEmails"] = []string{fmt.Sprintf("Other%d@example.com", i)}
		c.Fields = connector.Diff(nil, c.After)
		if i%5 == 4 {
			c.Link = nil
		}
		f.save(c)
		u := c.After
		if i%3 == 1 {
			second := connector.Link{
				Org: Org, Source: "ldap", Anchor: AnchorOf(1000 + i), User: u.ID, DN: "cn=second", Profile: connector.Profile{"title": {"Other"}},
				Standing: connector.StandingGone, Protected: true, UpdatedAt: f.now, RecheckAt: f.now.Add(time.Hour), PrimaryGroup: 513,
			}
			next := Next(connector.Updated, u, f.now, func(u *connector.User) { u.Profile.Set("title", "Merged") })
			next.Source, next.Anchor, next.Link = "ldap", second.Anchor, &second
			f.save(next)
			u = next.After
		}
		if i%7 == 6 {
			gone := Next(connector.Removed, u, f.now, setState(connector.Deleted))
			f.save(gone)
			u = gone.After
		}
		users = append(users, f.user(u.ID))
	}
	return users
}

// question asks for some of them, by numbers that choose gives, and may be nobody's.
func question(rnd *rand.Rand, users []*connector.User, most int, choose func() int) connector.PeopleQuery {
	q := connector.PeopleQuery{Org: Org, Source: []string{Source, "ldap"}[rnd.IntN(2)]}
	for range rnd.IntN(most + 1) {
		n := choose()
		switch rnd.IntN(3) {
		case 0:
			q.Anchors = append(q.Anchors, AnchorOf(n+1000*rnd.IntN(2)))
		case 1:
			if q.IDs = append(q.IDs, connector.NewID(Start())); n < len(users) {
				q.IDs[len(q.IDs)-1] = users[n].ID
			}
		default:
			keys := (&connector.User{Profile: Profile(n)}).Keys()
			keys = append(keys, connector.UserKey{Kind: "employeeNumber", Value: fmt.Sprint("e", n/2)}, connector.UserKey{Kind: connector.Email, Value: ""})
			q.Keys = append(q.Keys, keys[rnd.IntN(len(keys))])
		}
	}
	return q
}

// asked is a question answered by the methods that ask for one thing each.
func asked(f *fixture, r connector.Reader, q connector.PeopleQuery) string {
	links, err := r.Links(f.ctx, q.Org, q.Source, q.Anchors)
	f.ok(err)
	ids := slices.Clone(q.IDs)
	for _, l := range links {
		ids = append(ids, l.User)
	}
	users, err := r.Users(f.ctx, q.Org, ids)
	f.ok(err)
	byKey, err := r.UsersByKey(f.ctx, q.Org, q.Keys)
	f.ok(err)
	users = append(users, byKey...)
	ids = nil
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	links, err = r.LinksOfUsers(f.ctx, q.Org, ids)
	f.ok(err)
	return whom(users, links)
}

// whom writes an answer down, in no order, whoever comes twice once.
func whom(users []*connector.User, links []connector.Link) string {
	var out []string
	for _, u := range users {
		out = append(out, fmt.Sprintf("%+v", *u))
	}
	for _, l := range links {
		out = append(out, fmt.Sprintf("%+v", l))
	}
	slices.Sort(out)
	return fmt.Sprintf("%q", slices.Compact(out))
}

func (f *fixture) once(users []*connector.User, links []connector.Link) {
	f.Helper()
	ids := map[connector.ID]bool{}
	for _, u := range users {
		if ids[u.ID] {
			f.Fatalf("%s comes twice", u.UserName())
		}
		ids[u.ID] = true
	}
	for i, l := range links {
		if !ids[l.User] || slices.ContainsFunc(links[:i], func(o connector.Link) bool { return o.Source == l.Source && o.Anchor == l.Anchor }) {
			f.Fatalf("a link of %s comes twice, or without its user", l.Source)
		}
	}
}

// peopleAtOnce asks whom records can be about, of few and of many, and compares with the methods that ask one by one;
// also in a transaction that has read some of it, and written.
func peopleAtOnce(f *fixture) {
	seed := rand.Uint64() //nolint:gosec // a test
	f.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // a test
	users := crowd(f, 24)
	for range 150 {
		q := question(rnd, users, []int{3, 3, 40}[rnd.IntN(3)], func() int { return rnd.IntN(len(users) + 2) })
		got, links, err := f.s.People(f.ctx, q)
		f.ok(err)
		f.once(got, links)
		f.equal(whom(got, links), asked(f, f.s, q))
	}
	_, _, err := f.s.People(f.ctx, connector.PeopleQuery{Org: Org, Source: Source, Keys: []connector.UserKey{{Kind: "shoe", Value: "9"}}})
	f.kind(err, connector.Invalid)
	undo := errors.New("undo")
	for range 40 {
		err := f.s.Write(f.ctx, func(tx connector.Tx) error {
			done := make(chan struct{})
			go func() { // which a failure may end, and not the writer's
				defer close(done)
				f.askAndWrite(tx, rnd, users)
			}()
			<-done
			return undo
		})
		if f.Failed() || !errors.Is(err, undo) {
			f.Fatal(err)
		}
	}
}

// askAndWrite reads some of the people, and changes some, in one transaction.
func (f *fixture) askAndWrite(tx connector.Tx, rnd *rand.Rand, users []*connector.User) {
	f.Helper()
	from := rnd.IntN(len(users) - 3)
	few := func() int { return from + rnd.IntN(3) }
	for range 16 {
		n := few()
		switch rnd.IntN(4) {
		case 0:
			f.sees(tx, Source, users[n].ID)
		case 1:
			stored, err := tx.Users(f.ctx, Org, []connector.ID{users[n].ID})
			if f.ok(err); !stored[0].State.Live() {
				continue
			}
			next := Next(connector.Updated, stored[0], f.now, func(u *connector.User) {
				u.Profile.Set("title", strconv.Itoa(rnd.Int()))
				u.Profile.Set("email", fmt.Sprintf("Given%d.Family%d@example.com", n, n+24*rnd.IntN(2)))
			})
			errs, err := tx.Save(f.ctx, []*connector.Change{next}, RunCause(f.run), f.now)
			f.ok(errors.Join(append(errs, err)...))
		default:
			q := question(rnd, users, 2, few)
			got, links, err := tx.People(f.ctx, q)
			f.ok(err)
			f.once(got, links)
			f.equal(whom(got, links), asked(f, tx, q))
		}
	}
}

// sees compares a client's user with links with the two methods that ask for them one by one.
func (f *fixture) sees(r connector.Reader, client string, id connector.ID) {
	f.Helper()
	u, links, err := r.ClientUserLinks(f.ctx, Org, client, id)
	want, none := r.ClientUser(f.ctx, Org, client, id)
	if none != nil {
		f.kind(none, connector.NotFound)
		f.kind(err, connector.NotFound)
		return
	}
	f.ok(err)
	f.equal(u, want)
	all, err := r.LinksOfUsers(f.ctx, Org, []connector.ID{id})
	f.ok(err)
	f.equal(whom(nil, links), whom(nil, all))
}

// userAndLinks asks for users as clients see them, together with all their links.
func userAndLinks(f *fixture) {
	users := crowd(f, 12)
	refused := Fail(1, connector.EmailTaken)
	f.save(refused)
	for _, u := range users {
		for _, client := range []string{Source, "ldap", "nobody"} {
			f.sees(f.s, client, u.ID)
		}
	}
	f.sees(f.s, Source, connector.NewID(f.now))
	_, _, err := f.s.ClientUserLinks(f.ctx, "other", Source, users[0].ID)
	f.kind(err, connector.NotFound)
}

// savedAfterReading saves changes of people whom the same transaction has read: that is what they are checked against.
func savedAfterReading(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 2})
	a, b := f.create(1, "gold"), f.create(2, "gold")
	try := func(c *connector.Change) (errs []error) {
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
			if _, _, err = tx.ClientUserLinks(f.ctx, Org, Source, a.ID); err != nil {
				return err
			}
			_, _, err = tx.People(f.ctx, connector.PeopleQuery{Org: Org, Source: Source, IDs: []connector.ID{c.After.ID}})
			if err == nil {
				errs, err = tx.Save(f.ctx, []*connector.Change{c}, RunCause(f.run), f.now)
			}
			return err
		}))
		return errs
	}
	title := func(u *connector.User) { u.Profile.Set("title", "Guide") }
	link := func(n int) *connector.Link {
		return &connector.Link{Org: Org, Source: Source, Anchor: AnchorOf(n), User: a.ID, Standing: connector.StandingEnabled, UpdatedAt: f.now}
	}
	for _, n := range []int{2, 1} { // somebody else's anchor, its own
		c := Next(connector.Updated, a, f.now, title)
		c.Link = link(n)
		f.are(try(c), map[int]error{2: connector.ErrMoved}[n])
	}
	f.are(try(Next(connector.Updated, a, f.now, title)), connector.ErrMoved) // of the version before
	named := Next(connector.Updated, f.user(a.ID), f.now, func(u *connector.User) { u.Profile.Set(connector.UserName, b.UserName()) })
	f.are(try(named), connector.ErrMoved)
	f.are(try(Deactivate(f.user(a.ID), f.now)), nil)
	f.equal(f.seats("gold").Used, 1)
	third := Create(3, "gold", f.now)
	f.are(try(third), nil)
	f.are(try(third), connector.ErrMoved)
	f.equal(f.seats("gold").Used, 2)
}
