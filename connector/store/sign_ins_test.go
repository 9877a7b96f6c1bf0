package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"usherd/connector"
)

// Strangers may ask for tickets that there are not as often as they like.
func TestAGuessedTicketWaitsForNoWriter(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	busy, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.write(context.Background(), func(*tx) error {
			close(busy)
			<-free
			return nil
		})
	}()
	<-busy
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, ok, err := db.TakeTicket(ctx, "acme", "login", connector.CodeTicket, connector.TokenHash{1}, time.Now()); ok || err != nil {
		t.Error(ok, err)
	}
	close(free)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
