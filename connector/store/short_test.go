package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"usherd/connector"
	"usherd/connector/store/storetest"
)

// Many ask at once by the few connections that go past database/sql, while somebody writes, and then the store is
// closed under them: each gets the right user or an error, and nobody waits for ever.
func TestShortReadsOfMany(t *testing.T) {
	t.Parallel()
	db, changes := openPushed(t, 200)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.ClientUser(ended, storetest.Org, benchClient, changes[0].After.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if _, err := db.ClientUser(t.Context(), storetest.Org, benchClient, connector.ID{1}); connector.KindOf(err) != connector.NotFound {
		t.Errorf("nobody: %v", err)
	}
	var wg sync.WaitGroup
	begun := make(chan struct{}, 40)
	for n := range 40 {
		wg.Go(func() {
			for i := 0; ; i++ {
				want := changes[(n*7+i)%len(changes)].After
				got, err := db.ClientUser(t.Context(), storetest.Org, benchClient, want.ID)
				if err != nil {
					if i < 20 {
						t.Errorf("read %d: %v", i, err)
					}
					return
				}
				if got.User.UserName() != want.UserName() || got.Grouped {
					t.Errorf("got %+v, want %s", got.User, want.UserName())
				}
				if i == 20 {
					begun <- struct{}{}
				}
			}
		})
	}
	putGroup(t, db, pushedGroup("Other", nil))
	for range cap(begun) {
		<-begun
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if _, err := db.ClientUser(t.Context(), storetest.Org, benchClient, changes[0].After.ID); err == nil {
		t.Error("a closed store answers")
	}
}
