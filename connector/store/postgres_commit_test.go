package store_test

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store/storetest"
	"usherd/internal/testpg"
)

// What a cutter does with the next COMMIT.
const (
	passOn    int32 = iota
	cutBefore       // the server never gets it
	cutAfter        // the server answers, and nobody hears it
	cutAtOnce       // the server gets it, and nobody waits for its answer
	cutAlone        // the server never gets it, is not told that nobody is there any more, and cannot be reached for a while
)

// cutter stands between a store and its server, and loses connections where it hurts.
type cutter struct {
	listener net.Listener
	server   string
	mode     atomic.Int32
	refuse   atomic.Int32 // connections that lead nowhere
	wg       sync.WaitGroup
}

// newCutter returns a cutter and the URL by which a database is reached through it.
func newCutter(t *testing.T, database string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{server: u.Host}
	var lc net.ListenConfig
	if c.listener, err = lc.Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	c.wg.Go(func() {
		for {
			client, err := c.listener.Accept()
			if err != nil {
				return
			}
			if c.refuse.Add(-1) >= 0 {
				_ = client.Close()
				continue
			}
			c.wg.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = c.listener.Close()
		c.wg.Wait()
	})
	u.Host = c.listener.Addr().String()
	return c, u.String()
}

var commit = append([]byte{'Q', 0, 0, 0, 11}, "COMMIT\x00"...)

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", c.server)
	if err != nil {
		return
	}
	defer server.Close()
	var deaf atomic.Bool
	answered, ended := make(chan struct{}, 16), make(chan struct{})
	c.wg.Go(func() { // what the server says
		defer close(ended)
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if deaf.Load() {
				answered <- struct{}{}
				continue
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		mode := passOn
		if bytes.Contains(buf[:n], commit) {
			mode = c.mode.Swap(passOn)
		}
		switch mode {
		case cutBefore:
			return
		case cutAfter:
			deaf.Store(true)
		case cutAlone:
			c.refuse.Store(8)
			_ = client.Close()
			<-ended
			return
		}
		if _, err := server.Write(buf[:n]); err != nil || mode == cutAtOnce {
			return
		}
		if mode == cutAfter {
			<-answered
			return
		}
	}
}

// Whatever becomes of the answer to a commit: the change is written once, and that is what its client is told.
func TestAnswersToCommitsGetLost(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{TCP: true})
	c, at := newCutter(t, s.Database(t))
	db := openURL(t, at)
	person := 0
	for name, mode := range map[string]int32{"before": cutBefore, "after": cutAfter, "at once": cutAtOnce} {
		for range 5 {
			person++
			runs, first := 0, person
			c.mode.Store(mode)
			err := db.Write(t.Context(), func(tx connector.Tx) error {
				runs++
				return createIn(t.Context(), tx, first)
			})
			if err != nil {
				t.Errorf("cut %s: after %d runs: %v", name, runs, err)
			}
			if mode == cutBefore && runs != 2 || mode == cutAfter && runs != 1 || c.mode.Load() != passOn {
				t.Errorf("cut %s: the function has run %d times", name, runs)
			}
		}
	}
	sound(t, db)
	if n, err := db.CountUsers(t.Context(), storetest.Org); err != nil || n[connector.Active] != person {
		t.Errorf("%v of %d, %v", n, person, err)
	}
}

// The session that has not got the commit may keep the lock for a while after the server can be reached again. It is
// waited for: what became of the change is known then.
func TestTheOldSessionIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{TCP: true})
	c, at := newCutter(t, s.Database(t))
	db := openURL(t, at+"&lock_timeout=1000&idle_in_transaction_session_timeout=3000")
	runs := 0
	c.mode.Store(cutAlone)
	err := db.Write(t.Context(), func(tx connector.Tx) error {
		runs++
		return createIn(t.Context(), tx, 1)
	})
	if err != nil || runs != 2 {
		t.Errorf("after %d runs: %v", runs, err)
	}
	sound(t, db)
}

// A server that is frozen is given up, and what it was asked is asked again when it goes on.
func TestServerIsFrozen(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{})
	db := openURL(t, s.Database(t)+"&answer_timeout=1&connect_timeout=1")
	w := writing(t, db)
	for range 2 {
		w.more(t, 50)
		if err := s.Freeze(); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := db.FindUser(context.Background(), storetest.Org, strconv.Itoa(0))
			read <- err
		}()
		timer := time.NewTimer(2500 * time.Millisecond) // longer than it is waited for an answer
		<-timer.C
		if err := s.Thaw(); err != nil {
			t.Fatal(err)
		}
		if err := <-read; connector.KindOf(err) != connector.NotFound {
			t.Errorf("a read over a server that was frozen: %v", err)
		}
	}
	w.more(t, 50)
	if w.kept(t, db); len(w.refuse) > 0 {
		t.Errorf("%d writes were refused: %v", len(w.refuse), w.refuse[0])
	}
}
