package ldapsync

import (
	"context"

	"usherd/connector"
)

// ChangesBy names the mechanism by which a directory tells what has changed.
type ChangesBy string

// The mechanisms. Auto takes the best that the server announces: ByDirSync of Active Directory, else
// ByUSN there; BySyncrepl of OpenLDAP and 389-ds; ByTimestamp is the last resort, never taken by itself.
const (
	Auto        ChangesBy = "auto"
	ByDirSync   ChangesBy = "dirsync"   // [MS-ADTS] section 3.1.1.3.4.1.3
	ByUSN       ChangesBy = "usn"       // uSNChanged and tombstones, of one domain controller
	BySyncrepl  ChangesBy = "syncrepl"  // RFC 4533
	ByTimestamp ChangesBy = "timestamp" // modifyTimestamp; tells of no deletions
	NoChanges   ChangesBy = "off"
)

// mechanism is one way in which a directory tells what has changed. One value serves one connection
// after the other, by one goroutine at a time.
type mechanism interface {
	by() ChangesBy
	// identity is what the cursor depends on beside the configuration: the server or its domain, the
	// account where the server binds cursors to it.
	identity(x *session) []byte
	// mark returns the place where the feed stands now, cheaply and without any content.
	mark(ctx context.Context, x *session) ([]byte, error)
	// changes collects in t what has changed since a place and returns the place after it, which is since
	// itself when nothing has changed. A full that is not "" says why only a full read helps.
	changes(ctx context.Context, x *session, since []byte, t *touched) (next []byte, full string, err error)
	// older says why a server whose feed stands at now was put back since it stood at last; "" = it was not.
	older(now, last []byte) string
}

// follower is a mechanism that is told of changes as they happen; others are asked again and again.
type follower interface {
	mechanism
	// follow calls tell with what has changed since a place, first when it has caught up, also when that is
	// nothing, and then with each change, or all that came within a moment. It always returns an error.
	follow(ctx context.Context, x *session, since []byte, tell func(t *touched, next []byte, full string) error) error
}

// touched is what a feed names. Whoever is in anchors is read again; records are as the server sent them and
// need no second look.
type touched struct {
	records []*connector.Record
	anchors map[connector.Anchor]struct{}
	entries int // that the server sent
	// structure says that an entry changed below which others stand, or a group on which the scope or
	// protection depends: the place or standing of people whose own entries did not change may be another.
	structure string
	warnings  []string
}
