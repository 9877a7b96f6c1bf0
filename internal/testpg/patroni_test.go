//go:build patroni

package testpg

import (
	"testing"
	"time"
)

// A leader that is killed, and one that is frozen, are replaced, have lost nothing and come back as followers.
func TestPatroniReplacesItsLeader(t *testing.T) {
	c := Patroni(t, PatroniOptions{Synchronous: true})
	db := c.Database(t)
	says(t, c.Nodes[0].Server, db, "CREATE TABLE n (n int)", "")
	for i, away := range []struct {
		name            string
		leave, comeBack func(*Node) error
	}{
		{"killed", func(n *Node) error { n.Kill(); return nil }, func(n *Node) error { return n.Restart(t.Context()) }},
		{"frozen", (*Node).Freeze, (*Node).Thaw},
	} {
		old, err := c.Leader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		says(t, old.Server, db, "INSERT INTO n VALUES (1)", "")
		if err := away.leave(old); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		leader, err := c.Leader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s follows %s after %s", away.name, leader.Name, old.Name, time.Since(begin).Round(100*time.Millisecond))
		if leader == old {
			t.Fatalf("%s leads although it is %s", old.Name, away.name)
		}
		says(t, leader.Server, leader.URLOf(mustParse(t, db).Path[1:]), "SELECT count(*) FROM n", map[int]string{0: "1", 1: "2"}[i])
		if err := away.comeBack(old); err != nil {
			t.Fatal(err)
		}
		if err := c.Whole(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
