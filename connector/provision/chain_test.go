package provision_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"usherd/connector"
)

// movers are people who move between three sources of an organization, each of which has anchors of its own.
type movers struct {
	*world
	r     *rand.Rand
	seed  uint64
	is    map[string]*people
	who   []mover
	round int
}

type mover struct {
	id        connector.ID
	at        string
	uid, mail string
	said      []string // what the sources said, for who reads a failure
}

var threeSources = []string{"dir", "second", "third"}

// Whoever moves from one source of the organization to another one stays the same user, however often. Names that stay are
// enough whichever source is read first; whoever is renamed on the way has to be at the new source before the old one says that
// the person is gone, since whom all have lost is called what the first of them said last.
func TestMovesBetweenSourcesKeepTheUser(t *testing.T) {
	t.Parallel()
	for _, renames := range []bool{false, true} {
		t.Run(fmt.Sprintf("renamed %v", renames), func(t *testing.T) {
			t.Parallel()
			m := newMovers(t, 20)
			for m.round = range 20 {
				from := m.r.IntN(3)
				to := (from + 1 + m.r.IntN(2)) % 3
				if m.round > 0 {
					m.move(threeSources[from], threeSources[to], renames)
				}
				order := m.r.Perm(3)
				if renames {
					order = []int{to, from, 3 - from - to}
				}
				for _, k := range order {
					m.syncFrom(threeSources[k], m.is[threeSources[k]], connector.ResultOK)
				}
				m.look()
			}
		})
	}
}

func newMovers(t *testing.T, n int) *movers {
	t.Helper()
	m := &movers{seed: uint64(time.Now().UnixNano()), is: map[string]*people{}, who: make([]mover, n)}
	t.Logf("seed %d", m.seed)
	m.r = rand.New(rand.NewPCG(m.seed, 7))
	m.world = newWorld(t, func(o *connector.Organization) {
		twoSources(o)
		third := o.Sources[1]
		third.ID, third.Fingerprint = threeSources[2], connector.Hash{3}
		o.Sources = append(o.Sources, third)
	})
	for k, s := range threeSources { // somebody stays, as an empty answer is none
		stays := person(9000 + k)
		m.is[s] = &people{list: []*connector.Record{stays}}
	}
	for i := range m.who {
		m.who[i].uid, m.who[i].mail = fmt.Sprintf("u%04d", i), fmt.Sprintf("u%04d@example.com", i)
		m.place(i, threeSources[m.r.IntN(3)])
	}
	return m
}

func (m *movers) place(i int, source string) {
	x := &m.who[i]
	rec := person(i, "uid", x.uid, "mail", x.mail)
	rec.Anchor.Raw = fmt.Sprintf("%s-%09d", source, i)
	m.is[source].list = append(m.is[source].list, rec)
	x.at = source
	x.said = append(x.said, fmt.Sprintf("%d: %s says %s, %s", m.round, source, x.uid, x.mail))
}

// move takes some from one source to another, one name of each of which may be another one there.
func (m *movers) move(from, to string, renames bool) {
	for i := range m.who {
		x := &m.who[i]
		if x.at != from || m.r.IntN(3) == 0 {
			continue
		}
		m.is[from].list = slices.DeleteFunc(m.is[from].list, func(r *connector.Record) bool { return r.Anchor.Raw == fmt.Sprintf("%s-%09d", from, i) })
		switch n := m.r.IntN(3); {
		case renames && n == 0:
			x.uid = fmt.Sprintf("r%dx%04d", m.round, i)
		case renames && n == 1:
			x.mail = fmt.Sprintf("r%dx%04d@example.com", m.round, i)
		}
		m.place(i, to)
	}
}

// look checks that each is who it was, and as the source says where it is.
func (m *movers) look() {
	m.t.Helper()
	for i := range m.who {
		x := &m.who[i]
		u := m.user(x.uid)
		if u != nil && x.id.IsZero() {
			x.id = u.ID
		}
		if u == nil || u.ID != x.id || !u.State.MayUse() || u.Profile.Get(connector.Email) != x.mail {
			m.t.Fatalf("seed %d, round %d: %+v, want %s: %q", m.seed, m.round, u, x.id, x.said)
		}
	}
}
