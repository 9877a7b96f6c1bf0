package connector

import (
	"context"
	"iter"
	"time"
)

// Source is a source of people that can be read: one connection's worth of questions at a time.
// ldapsync.Source is one.
type Source interface {
	// Read calls yield with every record that the source holds, those that are out of its scope
	// included, and says at the end whether that was all. The record is lent until yield returns.
	// An error of yield ends the read and is returned as it is.
	Read(ctx context.Context, yield func(*Record) error) (ReadResult, error)
	// Lookup asks for one person by anchor. The record is nil unless it is present.
	Lookup(ctx context.Context, anchor Anchor) (*Record, Presence, error)
	// Find returns the records that key (user name, e-mail, DN or anchor) could mean, at most a few.
	Find(ctx context.Context, key string) ([]*Record, error)
}

// GroupSource is a Source that has groups too. ldapsync.Source is one.
type GroupSource interface {
	// Groups calls yield with every group that is synced and all its members, and says at the end whether
	// those were all. The record is lent until yield returns. An error of yield ends the read and is
	// returned as it is.
	Groups(ctx context.Context, yield func(*GroupRecord) error) (ReadResult, error)
	// RereadGroups asks for these groups by anchor and returns a record for each: one that is Gone where
	// the source says so for certain. Which it cannot speak for is left out.
	RereadGroups(ctx context.Context, anchors []Anchor) ([]*GroupRecord, error)
}

// Reader reads the store. Every method sees one organization only. Maps and slices that it returns
// belong to the caller; users are shared and must not be changed.
type Reader interface {
	Resources
	SubscriberReader
	// LinkStates streams all links of a source, in no order.
	LinkStates(ctx context.Context, org, source string) iter.Seq2[LinkState, error]
	// Links returns the links of the source with these anchors; absent ones are left out.
	Links(ctx context.Context, org, source string, anchors []Anchor) ([]Link, error)
	// LinksNaming streams the anchors of all links of the source whose profile, or the user's where the link
	// has none, has one of these values in any attribute, compared by Fold. It looks at everybody.
	LinksNaming(ctx context.Context, org, source string, values []string) iter.Seq2[Anchor, error]
	// LinksOfUsers returns all links, of any source, of these users.
	LinksOfUsers(ctx context.Context, org string, users []ID) ([]Link, error)
	// Recheck returns at most limit anchors of a source whose links say that their state has become another
	// one by the clock alone, or by what is known of a domain, the longest due first. Save ends it.
	Recheck(ctx context.Context, org, source string, now time.Time, limit int) ([]Anchor, error)
	// People returns the users whom records can be about, and all links, of any source, of each of them: those that the
	// source has linked to these anchors, those with these ids, tombstones included, and the live ones that hold any of
	// these keys. About one person it is one statement.
	People(ctx context.Context, q PeopleQuery) ([]*User, []Link, error)
	// ClientUserLinks is ClientUser with all links, of any source, of the user.
	ClientUserLinks(ctx context.Context, org, client string, id ID) (*ClientUser, []Link, error)
	// Users returns the users with these ids, tombstones included; absent ones are left out.
	Users(ctx context.Context, org string, ids []ID) ([]*User, error)
	// ListUsers returns a page of users; next is "" after the last page.
	ListUsers(ctx context.Context, q UserQuery) (users []*User, next string, err error)
	// UsersByKey returns the live users that hold any of these keys (kinds userName and email are
	// unique; kind employeeNumber need not be).
	UsersByKey(ctx context.Context, org string, keys []UserKey) ([]*User, error)
	// UsersDue returns a page of live users whose DeleteAt comes by a time, soonest first; next is "" after the
	// last page.
	UsersDue(ctx context.Context, q DueQuery) (users []*User, next string, err error)
	// CountDue returns how many there are; After and Limit do not count.
	CountDue(ctx context.Context, q DueQuery) (int, error)
	// DomainsByName returns the entries of all organizations for these names (ASCII form).
	DomainsByName(ctx context.Context, names []string) ([]Domain, error)
	// Seats returns the standing of all packages of the organization.
	Seats(ctx context.Context, org string) ([]SeatCount, error)
	// Waiting returns the head of the waiting list of a package, longest waiting first.
	Waiting(ctx context.Context, org, pkg string, limit int) ([]Waiter, error)
	// OpenAnchors returns the anchors of a source that have open items, of these reasons where any are given.
	OpenAnchors(ctx context.Context, org, source string, reasons ...Reason) (map[Anchor]bool, error)
	// UserEvents streams the events of a user in the order in which they happened.
	UserEvents(ctx context.Context, org string, user ID) iter.Seq2[Event, error]
	// OpenItems returns a page of open items, first seen first; next is "" after the last page.
	OpenItems(ctx context.Context, q ItemQuery) (items []OpenItem, next string, err error)
	// Run returns one run, or an error of Kind NotFound.
	Run(ctx context.Context, id ID) (*Run, error)
	// OpenHolds returns the runs of a source ("" = of all) that are written as waiting for approval, oldest
	// first, at most 1,000.
	OpenHolds(ctx context.Context, org, source string) ([]*Run, error)
	// Runs returns runs, latest first.
	Runs(ctx context.Context, f RunFilter) ([]*Run, error)
	// RunEvents returns at most limit events that a run caused, latest first, from before that one on; zero
	// is from the last one on.
	RunEvents(ctx context.Context, org string, run, before ID, limit int) ([]Event, error)
	// EventsOfUsers streams all events of these users, those of one user together and in order.
	EventsOfUsers(ctx context.Context, org string, users []ID) iter.Seq2[Event, error]
	// GroupStates streams anchor, key and number of members of all groups of a source, in no order.
	GroupStates(ctx context.Context, org, source string) iter.Seq2[Group, error]
	// CompareGroups says what records mean for the groups of the source that are stored: a change for each
	// that is not as it was. Renamed holds other keys, before and after, of people whose renames are not
	// written yet although they follow; it may be nil. No group may be in it twice.
	CompareGroups(ctx context.Context, org, source string, records []*GroupRecord, renamed map[Hash]Hash) ([]*GroupChange, error)
	// AffectedMembers streams the people behind members of a source that were added to a group or removed
	// from one: those people themselves, and where a member is a group, everybody in it and in the groups
	// nested in it. Somebody may come more than once.
	AffectedMembers(ctx context.Context, org, source string, keys []Hash) iter.Seq2[Affected, error]
	// RunGroups streams the groups that a run changed, each once, with the run's first event of it.
	RunGroups(ctx context.Context, run ID) iter.Seq2[RunGroup, error]
	// GroupHistory streams the events of a group from that one on, in order.
	GroupHistory(ctx context.Context, org string, group, from ID) iter.Seq2[GroupEvent, error]
	// GroupsOf returns the groups of the source with these ids or anchors; absent ones are left out.
	GroupsOf(ctx context.Context, org, source string, ids []ID, anchors []Anchor) ([]Group, error)
	// MembersOf returns which of these keys are named by a group's own list.
	MembersOf(ctx context.Context, group ID, keys []Hash) ([]Member, error)
	// Mails returns mails of an organization, latest first.
	Mails(ctx context.Context, q MailQuery) ([]Mail, error)
	// MailLink returns a link without using it; ErrLinkUnknown where there is none.
	MailLink(ctx context.Context, org string, id ID) (MailLink, error)
	// MailLinks returns the links of a kind that were made for a subject, latest first, at most limit.
	MailLinks(ctx context.Context, org string, kind LinkKind, subject ID, limit int) ([]MailLink, error)
	// Claim returns one claim that the organization has made, or an error of Kind NotFound.
	Claim(ctx context.Context, org string, id ID) (*Claim, error)
	// OpenClaimOf returns the open claim to which a user of the organization belongs, nil when there is none.
	OpenClaimOf(ctx context.Context, org string, user ID) (*Claim, error)
	// ClaimsDue returns open claims of the organization for which something is due by then, the longest due first.
	ClaimsDue(ctx context.Context, org string, until time.Time, limit int) ([]Claim, error)
	// TakenOver returns which of these addresses (folded) others have claimed from the organization, each with the
	// organization in which its user lives on.
	TakenOver(ctx context.Context, org string, emails []string) (map[string]string, error)
	// Audit returns a page of what people have done in an organization, latest first.
	Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, error)
	// AuditChain streams all of it in the order in which it was written, as CheckAudit follows it.
	AuditChain(ctx context.Context, org string) iter.Seq2[AuditEntry, error]
	// SourceState returns what is remembered of a source; zero but for the names when nothing is.
	SourceState(ctx context.Context, org, source string) (SourceState, error)
}

// Tx is one write transaction.
type Tx interface {
	Reader
	SubscriberWriter
	// Save writes decisions: user, keys, links, event, seats, open items and waiting list of each. The
	// result has one entry for each change: nil, or an error that is ErrMoved or ErrNoSeat; then
	// nothing of that change is written and the others are. Seats are freed before any is taken, and
	// given in order. Held changes must not be passed. A deleted user comes back only by a change whose
	// first transition begins there.
	Save(ctx context.Context, changes []*Change, cause Cause, now time.Time) ([]error, error)
	// PutGroups writes changes as CompareGroups gives them, all of one source, only what differs; those of a
	// group that were split into parts one after the other. It gives new groups an id where they have none. With follow,
	// the memberships of a group that was renamed go with its name (SourceSettings.RenamesFollow).
	PutGroups(ctx context.Context, changes []*GroupChange, follow bool, cause Cause, now time.Time) error
	// CloseGone closes the open items and waiting places of these anchors, whose people are not in the
	// source any more.
	CloseGone(ctx context.Context, org, source string, anchors []Anchor) error
	// LeaveList takes a place off the waiting list; one that is not there any more is no error. The open item stays.
	LeaveList(ctx context.Context, w Waiter) error
	// PutRun inserts the run or overwrites it.
	PutRun(ctx context.Context, run *Run) error
	// PutOutcomes keeps changes that left no event (held, failed, skipped) for the run's report.
	PutOutcomes(ctx context.Context, run ID, changes []*Change) error
	// PutClaim inserts the claim or overwrites it.
	PutClaim(ctx context.Context, c *Claim) error
	// PutSourceState overwrites what is remembered of a source.
	PutSourceState(ctx context.Context, s SourceState) error
	// PutRecords keeps what a source said of some people, for replays. Equal chunks are stored once.
	PutRecords(ctx context.Context, c *RecordChunk) error
	// PutAudit puts an entry at the end of its organization's chain, and gives it its number and hash. Save does so by itself
	// for what a person (CausePerson) did to users, as the methods of the store do that are acts, of whoever acts (ActorOf).
	PutAudit(ctx context.Context, e AuditEntry) error
	// PutMail writes a mail into the outbox, waiting from At or, where that is later, Next on (of an undecided kind: asked). It needs ID, Org, Kind, To and At; one with this id that
	// is there already is an error of Kind Conflict.
	PutMail(ctx context.Context, m Mail) error
	// SetMail overwrites what becomes of a mail: all but Org, ID, To and At. ok is false where it does not wait any more, or is gone.
	SetMail(ctx context.Context, m Mail) (ok bool, err error)
	// DropMail takes a mail out of the outbox; ok is false where it is gone already.
	DropMail(ctx context.Context, org string, id ID) (ok bool, err error)
	// PutDelivery puts a notice on its way to a recipient, waiting from Next on. It needs all but what becomes of it.
	PutDelivery(ctx context.Context, d Delivery) error
	// SetDelivery overwrites what becomes of a delivery that waits; ok is false where it does not any more, or is gone.
	SetDelivery(ctx context.Context, d Delivery) (ok bool, err error)
	// PutNoticeMark overwrites what is remembered of a topic; without a value it is forgotten.
	PutNoticeMark(ctx context.Context, m NoticeMark) error
	// ToldRun marks that a run was told of as it was read; ok is false where it has ended once more since.
	ToldRun(ctx context.Context, r UntoldRun) (ok bool, err error)
	// PutMailLink keeps a link that is not there yet. It needs all but UsedAt.
	PutMailLink(ctx context.Context, l MailLink) error
	// UseMailLink uses a link: of those who do at the same moment, in whatever process, one succeeds. Otherwise the error is
	// ErrLinkUnknown, ErrLinkUsed or ErrLinkEnded; with the last two the link is returned all the same.
	UseMailLink(ctx context.Context, org string, id ID, now time.Time) (MailLink, error)
}

// Store is the port to the database. All methods are safe for concurrent use.
type Store interface {
	Reader
	// Write runs f in a transaction that is durable when Write returns. Calls that arrive together may
	// share one: f may be run again, and fails alone.
	Write(ctx context.Context, f func(Tx) error) error
	// Bulk runs f in a transaction of its own, meant for chunks of about 1,000 people.
	Bulk(ctx context.Context, f func(Tx) error) error
	// Lease takes the named lease for holder until ttl from now, by the database's clock, or renews it.
	// It fails with Kind Conflict while somebody else holds it. Token grows with each take-over.
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (token int64, err error)
	// LeaseHolder returns who holds the lease now, "" when nobody does.
	LeaseHolder(ctx context.Context, name string) (string, error)
	// Release gives a lease back; none held is no error.
	Release(ctx context.Context, name, holder string) error
	// InterruptRuns marks the runs of the source that still say "running" as cut off; whoever holds the
	// source's lease calls it before a run. It returns how many there were.
	InterruptRuns(ctx context.Context, org, source string, now time.Time) (int, error)
}

// OtherOrganizations looks across the line that every method of Reader keeps: at the users of several organizations
// at once. Only the code of claims has it, and shows of them what a claimer may see.
type OtherOrganizations interface {
	// UsersOnDomains returns a page of the live users of these organizations whose primary e-mail is in one of the
	// domains, one organization after the other; next is "" after the last page.
	UsersOnDomains(ctx context.Context, q DomainQuery) (users []*User, next string, err error)
	// UsersByID returns the users of these organizations with these ids, tombstones included.
	UsersByID(ctx context.Context, orgs []string, ids []ID) ([]*User, error)
}
