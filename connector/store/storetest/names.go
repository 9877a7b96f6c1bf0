package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"usherd/connector"
)

func (f *fixture) rename(u *connector.User, name string) *connector.Change {
	return Next(connector.Updated, u, f.now, func(u *connector.User) { u.Profile.Set(connector.UserName, name) })
}

// crowd creates n users with the user names a, b, c, ...
func (f *fixture) crowd(n int) []*connector.User {
	var users []*connector.User
	for i := range n {
		c := Create(i, "", f.now)
		c.After.Profile.Set(connector.UserName, string(rune('a'+i)))
		c.Fields = connector.Diff(nil, c.After)
		f.save(c)
		users = append(users, c.After)
	}
	return users
}

func (f *fixture) names(users []*connector.User) string {
	var all strings.Builder
	for _, u := range users {
		all.WriteString(f.user(u.ID).UserName())
	}
	return all.String()
}

func namesInRings(f *fixture) {
	u := f.crowd(7)
	f.save(f.rename(u[0], "B"), f.rename(u[1], "A"))                      // a swap
	f.save(f.rename(u[2], "d"), f.rename(u[3], "e"), f.rename(u[4], "c")) // a ring
	f.equal(f.names(u), "BAdecfg")
	hire := Create(50, "", f.now)
	hire.After.Profile.Set(connector.UserName, "f")
	hire.Fields = connector.Diff(nil, hire.After)
	f.save(hire, f.rename(u[5], "g"), f.rename(u[6], "h")) // a chain, the last link of it first
	f.equal(f.names(u), "BAdecgh")

	u = nil
	for _, name := range []string{"b", "a", "d"} {
		user, err := f.s.FindUser(f.ctx, Org, name)
		f.ok(err)
		u = append(u, user)
	}
	gold := f.rename(u[1], "b")
	gold.After.Package, gold.TakeSeat = "gold", "gold"
	gold.Fields = connector.Diff(u[1], gold.After)
	f.are(f.try(f.rename(u[0], "a"), gold), connector.ErrMoved, connector.ErrNoSeat) // one cannot without the other
	f.packages(connector.Package{ID: "gold", Seats: 1})
	stale := f.rename(u[1], "b")
	stale.BaseVersion--
	f.are(f.try(f.rename(u[0], "a"), stale), connector.ErrMoved, connector.ErrMoved)
	// Somebody else who wants the name of a swap too comes too late for it, wherever it stands.
	f.are(f.try(f.rename(u[0], "a"), gold, f.rename(u[2], "a")), nil, nil, connector.ErrMoved)
	f.equal(f.names(u), "abd")
	f.equal(f.seats("gold").Used, 1)
}

// randomRenames saves renames that chain, close to rings and collide, and expects that who is refused could
// not have been written with any of the others.
func randomRenames(f *fixture) {
	seed := rand.Uint64() //nolint:gosec // a test
	f.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	users := f.crowd(12)
	for round := range 30 {
		var changes []*connector.Change
		if round%2 == 0 { // everybody gets somebody's name
			for i, n := range rnd.Perm(len(users)) {
				changes = append(changes, f.rename(users[i], users[n].UserName()))
			}
			rnd.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		} else {
			for _, i := range rnd.Perm(len(users))[:rnd.IntN(len(users))] {
				changes = append(changes, f.rename(users[i], fmt.Sprintf("%c", 'a'+rnd.IntN(15))))
			}
		}
		var refused []*connector.Change
		for i, err := range f.try(changes...) {
			switch {
			case err == nil:
				f.equal(f.user(changes[i].After.ID).UserName(), changes[i].After.UserName())
			case round%2 == 0:
				f.Fatalf("round %d: %v, but all names are given up", round, err)
			default:
				refused = append(refused, changes[i])
			}
		}
		for i, err := range f.try(refused...) {
			if err == nil {
				f.Fatalf("round %d: %s was refused without a reason", round, refused[i].Subject)
			}
		}
		for i, u := range users {
			users[i] = f.user(u.ID)
		}
		f.verify()
	}
}
