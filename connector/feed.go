package connector

import (
	"context"
	"iter"
	"time"
)

// Cursor is a place in a source's feed of changes. The zero Cursor is none.
type Cursor struct {
	Data []byte // the feed's own
	// Key is a hash of everything that Data depends on: mechanism, identity of the server, of the bind
	// account, bases, filter, attributes. Under another Key it means nothing.
	Key Hash
}

// IsZero reports whether there is no cursor.
func (c Cursor) IsZero() bool { return len(c.Data) == 0 }

// Feed is a Source that can tell what has changed since a cursor, which a complete Read gives. What
// it tells are records as Read yields them, of everybody about whom anything may have changed: it
// may name people who are as they were, and one person twice, but never leaves anybody out without
// saying so in Batch.Full. ldapsync.Source is one.
type Feed interface {
	Source
	// Changes tells what has changed since a cursor, up to now.
	Changes(ctx context.Context, req ChangesRequest) (*Batch, error)
	// Follow is Changes that goes on: it calls yield with a first batch, which may be empty, as soon as it
	// has caught up, and then with each change as it happens, until ctx ends, the connection is lost, yield
	// fails, or a batch says that only a full read helps. It always returns an error; that of yield and
	// ctx's as they are.
	Follow(ctx context.Context, req ChangesRequest, yield func(*Batch) error) error
	// Reread asks for these people by anchor and returns a record for each: one that is Gone, or
	// OutOfScope, where the source says so for certain. Whom it cannot speak for is left out.
	Reread(ctx context.Context, anchors []Anchor) ([]*Record, error)
	// Older says why the state of a source at now, the cursor of its last Read, is older than at last, as
	// of a server that was restored from a backup; "" when nothing speaks for it.
	Older(now, last Cursor) string
}

// ChangesRequest says from where on changes are wanted.
type ChangesRequest struct {
	Since Cursor
	// Known streams the anchors of all people that the source has brought and that are not absent. A feed
	// that only tells who is still there compares with it; others never call it.
	Known func(ctx context.Context) iter.Seq2[Anchor, error]
	// KnownGroups streams the anchors of all groups of the source that are stored, for the same purpose.
	KnownGroups func(ctx context.Context) iter.Seq2[Anchor, error]
	// Naming finds the people of the source whose profile has one of these names as a value, or the DN under
	// which somebody with one of these anchors stood at last. A feed asks where an entry that goes takes
	// along what others say of it, without a word of them; others never call it.
	Naming func(ctx context.Context, gone []Anchor, names []string) ([]Anchor, error)
}

// Batch is what has changed between two cursors. Its records belong to the receiver. Somebody who, or a group
// that, is Gone in it has been looked for by anchor in vain.
type Batch struct {
	Records []*Record
	// Groups are the synced groups that changed, each once and with all its members. They may be as they
	// were.
	Groups []*GroupRecord
	// Cursor covers everything in the batch; changes after it are told next. It is the one of the request
	// when nothing has changed.
	Cursor Cursor
	// Full says why only a full read helps, for people: the cursor is too old, or from elsewhere; an OU was
	// renamed. The rest of the batch means nothing then.
	Full      string
	Mechanism string // "syncrepl", "dirsync", "usn", "timestamp"
	Server    string // as in the configuration
	Entries   int    // that the server sent
	Warnings  []string
	Took      time.Duration
}
