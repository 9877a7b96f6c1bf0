package storetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usherd/connector"
)

// Store is what the suite asks of a store: the port, and what commands, reports and the daemon use.
type Store interface {
	connector.Store
	connector.Resources
	SetPackages(ctx context.Context, org string, packages []connector.Package) error
	CountSeats(ctx context.Context, org string, now time.Time) error
	SeatDays(ctx context.Context, org, pkg string, since time.Time) ([]connector.SeatDay, error)
	Queue(ctx context.Context, org, pkg string, after connector.ID, limit int) ([]connector.Queued, error)
	Runs(ctx context.Context, f connector.RunFilter) ([]*connector.Run, error)
	Rollbacks(ctx context.Context, run *connector.Run) ([]*connector.Run, error)
	FindRun(ctx context.Context, text string) (*connector.Run, error)
	RunChanges(ctx context.Context, run connector.ID) iter.Seq2[*connector.Change, error]
	Outcomes(ctx context.Context, run, after connector.ID, limit int) ([]connector.Outcome, error)
	OutcomesOf(ctx context.Context, run connector.ID, people []*connector.Change) ([]connector.Outcome, error)
	OutcomesFound(ctx context.Context, run connector.ID) (bool, error)
	EventsInRun(ctx context.Context, org string, run connector.ID, users []connector.ID) ([]connector.Event, error)
	DropOutcomes(ctx context.Context, run connector.ID) error
	Prune(ctx context.Context, before time.Time) (int, error)
	ListUsers(ctx context.Context, q connector.UserQuery) (users []*connector.User, next string, err error)
	CountUsers(ctx context.Context, org string) (map[connector.State]int, error)
	CountUsersOf(ctx context.Context, q connector.UserQuery, most int) (n int, more bool, err error)
	FindUser(ctx context.Context, org, key string) (*connector.User, error)
	UserEvents(ctx context.Context, org string, user connector.ID) iter.Seq2[connector.Event, error]
	UserLinks(ctx context.Context, org string, user connector.ID) ([]connector.Link, error)
	Groups(ctx context.Context, q connector.GroupQuery) (groups []connector.Group, next string, err error)
	FindGroup(ctx context.Context, org, key string) (*connector.Group, error)
	DirectMembers(ctx context.Context, org string, group connector.ID) iter.Seq2[connector.GroupMember, error]
	EffectiveMembers(ctx context.Context, org string, group connector.ID) iter.Seq2[*connector.User, error]
	CountMembers(ctx context.Context, org string, group connector.ID) (connector.MemberCounts, error)
	GroupsOfUser(ctx context.Context, org string, user connector.ID, limit int) ([]connector.UserGroup, error)
	RunGroupEvents(ctx context.Context, run connector.ID) iter.Seq2[connector.GroupEvent, error]
	AuditOrgs(ctx context.Context) ([]string, error)
	OpenItems(ctx context.Context, q connector.ItemQuery) (items []connector.OpenItem, next string, err error)
	CountItems(ctx context.Context, q connector.ItemQuery, most int) (n int, more bool, err error)
	OpenItemsByID(ctx context.Context, org string, ids []connector.ID) ([]connector.OpenItem, error)
	OpenItemsByRef(ctx context.Context, org string, refs []string) ([]connector.OpenItem, error)
	Dismiss(ctx context.Context, org, ref string) error
	AddDomain(ctx context.Context, d connector.Domain) error
	PutDomain(ctx context.Context, d connector.Domain) error
	Domains(ctx context.Context, org string) ([]connector.Domain, error)
	RemoveDomain(ctx context.Context, org, name string) error
	ClaimDomain(ctx context.Context, org, name string, now time.Time) error
	ReleaseDomain(ctx context.Context, org, name string) error
	ForgetHashes(ctx context.Context, org, domain string) (int, error)
	PutRevision(ctx context.Context, r connector.Revision) error
	Revisions(ctx context.Context, limit int) ([]connector.Revision, error)
	Size(ctx context.Context) (int, error)
	Revision(ctx context.Context, id string) (connector.Revision, error)
	RevisionTimes(ctx context.Context, before connector.Revision, limit int) ([]connector.Revision, error)
	SeenItems(ctx context.Context, org string, since time.Time) ([]connector.ItemCount, error)
	RunDays(ctx context.Context, org, source string, since time.Time) ([]connector.RunDay, error)
	Records(ctx context.Context, org, source string, since time.Time) iter.Seq2[connector.StoredRecord, error]
	RecordSources(ctx context.Context, org string) ([]string, error)
	CompactRecords(ctx context.Context, org, source string, before time.Time) (int, error)
	DropRecords(ctx context.Context, org, source string, before time.Time) error
	AddToken(ctx context.Context, k connector.Token) error
	Token(ctx context.Context, id connector.ID) (*connector.Token, error)
	TokenByHash(ctx context.Context, hash connector.TokenHash) (*connector.Token, error)
	FindToken(ctx context.Context, text string) (*connector.Token, error)
	Tokens(ctx context.Context, f connector.TokenFilter) ([]connector.Token, error)
	UseTokens(ctx context.Context, used map[connector.ID]time.Time) error
	RevokeToken(ctx context.Context, id connector.ID, by string, now time.Time) error
	ReplaceToken(ctx context.Context, id connector.ID, next connector.Token, ends time.Time) error
	TokenRevision(ctx context.Context) (int64, error)
	DropTokens(ctx context.Context, before time.Time) (int, error)
	PutRequests(ctx context.Context, list []connector.Request, quirks []connector.QuirkCount) error
	Request(ctx context.Context, org string, id connector.ID) (q connector.Request, ok bool, err error)
	Requests(ctx context.Context, q connector.RequestQuery) ([]connector.Request, error)
	RequestOrgs(ctx context.Context) ([]string, error)
	RequestClients(ctx context.Context, org string) ([]string, error)
	CountRequests(ctx context.Context, org, source string, since time.Time) (connector.RequestCounts, error)
	Quirks(ctx context.Context, org, source string) ([]connector.QuirkCount, error)
	DropRequests(ctx context.Context, org, source string, before time.Time) (int, error)
	DropQuirks(ctx context.Context, before time.Time) error
	ClientProfile(ctx context.Context, org, source string) (connector.ClientProfile, error)
	PutClientProfile(ctx context.Context, p connector.ClientProfile) error
	PutTicket(ctx context.Context, k connector.Ticket) error
	TakeTicket(ctx context.Context, org, source string, kind connector.TicketKind, hash connector.TokenHash, now time.Time) (connector.Ticket, bool, error)
	DropTickets(ctx context.Context, now time.Time) error
	PutSession(ctx context.Context, s connector.Session) error
	Session(ctx context.Context, hash connector.TokenHash) (connector.Session, bool, error)
	EndSession(ctx context.Context, hash connector.TokenHash) error
	TakeTry(ctx context.Context, limits []connector.TryLimit, window time.Duration, now time.Time) (bool, error)
	ForgetTries(ctx context.Context, key string) error
	UseFormKey(ctx context.Context, hash connector.TokenHash, until time.Time) (bool, error)
	DropSessions(ctx context.Context, now time.Time) error
	PutSelection(ctx context.Context, s connector.Selection) error
	Selection(ctx context.Context, org string, id connector.ID) (connector.Selection, error)
	MoveSelection(ctx context.Context, s *connector.Selection, now time.Time) (bool, error)
	SubscribersByID(ctx context.Context, org string, ids []connector.ID) ([]*connector.Subscriber, error)
	PutAttempt(ctx context.Context, s connector.Attempt) error
	CountAttempts(ctx context.Context, org, source string, since time.Time, most int) (connector.AttemptCounts, error)
	Attempts(ctx context.Context, q connector.AttemptQuery) ([]connector.Attempt, error)
	Attempt(ctx context.Context, org string, id connector.ID) (connector.Attempt, bool, error)
	AttemptOrgs(ctx context.Context) ([]string, error)
	AttemptSources(ctx context.Context, org string) ([]string, error)
	DropAttempts(ctx context.Context, org, source string, before time.Time) (int, error)
	UseAssertion(ctx context.Context, org, source string, hash []byte, until time.Time) (bool, error)
	DropAssertions(ctx context.Context, now time.Time) error
	Mail(ctx context.Context, org string, id connector.ID) (connector.Mail, bool, error)
	Mails(ctx context.Context, q connector.MailQuery) ([]connector.Mail, error)
	MailOrgs(ctx context.Context) ([]string, error)
	DueMails(ctx context.Context, now time.Time, limit int) ([]connector.Mail, error)
	AskedMails(ctx context.Context, now time.Time, limit int) ([]connector.Mail, error)
	NextMail(ctx context.Context) (time.Time, error)
	CountMails(ctx context.Context, org string, state connector.MailState) (int, error)
	RetryMail(ctx context.Context, org string, id connector.ID, now time.Time) (bool, error)
	RetryMails(ctx context.Context, org string, now time.Time) (int, error)
	DropMails(ctx context.Context, before time.Time) (int, error)
	DropMailLinks(ctx context.Context, before time.Time) (int, error)
	UntoldRuns(ctx context.Context, limit int) ([]connector.UntoldRun, error)
	DueDeliveries(ctx context.Context, channel connector.Channel, now time.Time, limit int) ([]connector.Delivery, error)
	Delivery(ctx context.Context, id connector.ID) (connector.Delivery, bool, error)
	Deliveries(ctx context.Context, q connector.DeliveryQuery) ([]connector.Delivery, error)
	CountDeliveries(ctx context.Context, state connector.DeliveryState) (int, error)
	NoticeMarks(ctx context.Context, org string) ([]connector.NoticeMark, error)
	RetryDelivery(ctx context.Context, org string, id connector.ID, now time.Time) (bool, error)
	RetryDeliveries(ctx context.Context, org string, now time.Time) (int, error)
	DropDeliveries(ctx context.Context, before time.Time) (int, error)
	Claims(ctx context.Context, q connector.ClaimQuery) ([]connector.Claim, error)
	connector.OtherOrganizations
	BeginAnswer(ctx context.Context, a connector.KeptAnswer, abandoned, forgotten time.Time) (connector.KeptAnswer, bool, error)
	EndAnswer(ctx context.Context, a connector.KeptAnswer) error
	UndoAnswer(ctx context.Context, a connector.KeptAnswer) error
	DropAnswers(ctx context.Context, before time.Time) error
	PutRunFile(ctx context.Context, org string, run connector.ID, name string, r io.Reader) error
	RunFile(ctx context.Context, org string, run connector.ID) (string, io.ReadCloser, error)
	DropRunFiles(ctx context.Context, now time.Time) (int, error)
	Leases(ctx context.Context, prefix string) (map[string]string, error)
	DropLeases(ctx context.Context, prefix string) error
	Secret(ctx context.Context, name string, fresh []byte) ([]byte, error)
	Backup(ctx context.Context, path string) error
	Verify(ctx context.Context) ([]string, error)
	Close() error
}

// Run runs the suite; open gives an empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	runAll(t, open, []test{
		{"creation is read back whole", creationIsReadBack},
		{"who is created inactive is read back beside others", createdInactive},
		{"a version that has moved is refused alone", movedVersion},
		{"a name is held by one user", nameIsUnique},
		{"names may be swapped and handed on", namesHandedOn},
		{"names go round in rings", namesInRings},
		{"the events of a run are read backwards", eventsOfARun},
		{"a deleted user comes back", deletedComesBack},
		{"the rollbacks of a run are found", rollbacksOfARun},
		{"random renames of many", randomRenames},
		{"a link is held by one user", linkIsUnique},
		{"unchanged writes the link only", unchangedWritesLink},
		{"a sibling and a replaced link", siblingAndUnlink},
		{"removal leaves a tombstone", removal},
		{"several changes of one user in one call", sameUserTwice},
		{"a call that makes no sense writes nothing", nonsense},
		{"seats are given in order and freed first", seatsInOrder},
		{"a change of package", changeOfPackage},
		{"seats lowered below use", seatsLowered},
		{"the last seats under 64 goroutines", lastSeats},
		{"how full packages are is kept for each day", seatDays},
		{"failures are counted by reason, and runs by day", trends},
		{"revisions are listed without their texts", revisionTimes},
		{"open items", openItems},
		{"open items of people without an anchor", anchorless},
		{"values that no index takes", longValues},
		{"the waiting list keeps its order", waitingOrder},
		{"gone people are closed", closeGone},
		{"organizations see only their own", isolation},
		{"reads inside a transaction see its writes", readsOwnWrites},
		{"a failing neighbour fails alone", failingNeighbour},
		{"those who share a commit see each other", sharedCommit},
		{"domains are asked for anew when they have changed", knownDomains},
		{"a panic is an error", panicIsError},
		{"an error undoes all of its transaction", errorUndoes},
		{"a context that has ended writes nothing", endedContext},
		{"users are listed by page", listUsers},
		{"users are filtered and counted", filterUsers},
		{"users are listed in other orders", sortUsers},
		{"users are searched", searchUsers},
		{"users are found by key", findUsers},
		{"whom records can be about", peopleAtOnce},
		{"a client's user with all its links", userAndLinks},
		{"who was read is saved", savedAfterReading},
		{"users due for deletion", usersDue},
		{"runs and outcomes", runs},
		{"the changes of a run", runChanges},
		{"what waits for approval", openHolds},
		{"interrupted and old runs", oldRuns},
		{"source state", sourceState},
		{"leases", leases},
		{"leases are listed and forgotten by what their names begin with", listedLeases},
		{"a secret is made once", secrets},
		{"domains", domains},
		{"claims", claims},
		{"hashes are forgotten by domain", forgetHashes},
		{"links are found by what they say", linksNaming},
		{"revisions", revisions},
		{"records are kept in order, after a base", records},
		{"records of others are left alone", recordsOfOthers},
		{"compacted records against a model", compactedRecords},
		{"tokens are found, used and revoked", tokens},
		{"access tokens end with their secret", accessTokens},
		{"a token takes the place of another one", replacedTokens},
		{"requests are read back, latest first", requestsReadBack},
		{"requests are chosen as a naive reading would", requestsAgainstModel},
		{"old requests are forgotten", requestsForgotten},
		{"quirks are counted", quirksCounted},
		{"the dialect of a client", clientProfile},
		{"an assertion is used once", assertionsOnce},
		{"a ticket is used once", ticketsOnce},
		{"attempts to sign in are read back, latest first", signIns},
		{"what people do is kept in a chain", audit},
		{"what people do is chosen as a naive reading would", auditChosen},
		{"mails wait in the outbox, are sent or given up", outbox},
		{"runs are told of once for each end", untoldRuns},
		{"notices are on their way, arrive or are given up", deliveries},
		{"a link in a mail is used once", mailLinks},
		{"subscribers are written once and kept with what happened", subscribersWritten},
		{"subscribers are found as a naive reading would", subscribersFound},
		{"claims of users are kept by both organizations", claimsOfUsers},
		{"users of other organizations are found by domain", othersOnDomains},
		{"the file of a run is kept while the run waits", runFiles},
		{"sessions are read back, used, and end", sessions},
		{"a selection is carried out once", selectionsOnce},
		{"tries are counted together", triesCounted},
		{"the key of a form is used once", formKeysOnce},
		{"work for a request is begun once and its answer kept", keptAnswers},
		{"large sets", largeSets},
		{"groups are created, edited and deleted", groupsWritten},
		{"groups are listed and found", groupsFound},
		{"members of nested groups", nestedMembers},
		{"memberships follow a rename", membershipsFollow},
		{"memberships stay as the list says", membershipsStay},
		{"groups of others are not seen", groupsApart},
		{"random groups against a model", groupsAgainstModel},
		{"random changes against a model", againstModel},
		{"random changes of several users in one call", randomChunks},
	})
	Resources(t, open)
}

// Backups runs the part of the suite that is about stores which write a copy of themselves to a file.
func Backups(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	runAll(t, open, []test{{"backup while writing", backupWhileWriting}})
}

// Resources runs the part of the suite that is about what clients see.
func Resources(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	runAll(t, open, []test{
		{"what clients see, one by one", resourcesOne},
		{"random conditions against a model", resourcesAgainstModel},
		{"groups of many users", groupNames},
		{"lists that make no sense are refused", resourcesRefused},
	})
}

// test is one of the suite, with a store of its own.
type test struct {
	name string
	run  func(f *fixture)
}

func runAll(t *testing.T, open func(t *testing.T) Store, tests []test) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			f := &fixture{T: t, s: s, ctx: t.Context(), now: Start(), run: connector.NewID(Start())}
			test.run(f)
			f.verify()
		})
	}
}

// fixture is one test with its store.
type fixture struct {
	*testing.T
	s   Store
	ctx context.Context //nolint:containedctx // of the test
	now time.Time
	run connector.ID
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) kind(err error, want connector.Kind) {
	f.Helper()
	if err == nil || connector.KindOf(err) != want {
		f.Fatalf("got error %v of kind %d, want kind %d", err, connector.KindOf(err), want)
	}
}

func (f *fixture) equal(got, want any) {
	f.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		f.Fatalf("not what it should be (-want +got):\n%s", d)
	}
}

// verify asks the store itself whether all holds.
func (f *fixture) verify() {
	f.Helper()
	if f.Failed() {
		return
	}
	faults, err := f.s.Verify(context.WithoutCancel(f.ctx))
	f.ok(err)
	for _, s := range faults {
		f.Error(s)
	}
}

// try saves changes and returns what became of each.
func (f *fixture) try(changes ...*connector.Change) (errs []error) {
	f.Helper()
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
		errs, err = tx.Save(f.ctx, changes, RunCause(f.run), f.now)
		return err
	}))
	return errs
}

// save saves changes of which each must succeed.
func (f *fixture) save(changes ...*connector.Change) {
	f.Helper()
	errs := f.try(changes...)
	for i, c := range changes {
		if errs[i] != nil {
			f.Fatalf("change %d (%s %s): %v", i, c.Action, c.Subject, errs[i])
		}
	}
}

// create creates person n.
func (f *fixture) create(n int, pkg string) *connector.User {
	f.Helper()
	c := Create(n, pkg, f.now)
	f.save(c)
	return c.After
}

func (f *fixture) user(id connector.ID) *connector.User {
	f.Helper()
	users, err := f.s.Users(f.ctx, Org, []connector.ID{id})
	f.ok(err)
	if len(users) != 1 {
		f.Fatalf("%d users have the id %s", len(users), id)
	}
	return users[0]
}

// seats gives the standing of a package.
func (f *fixture) seats(pkg string) connector.SeatCount {
	f.Helper()
	list, err := f.s.Seats(f.ctx, Org)
	f.ok(err)
	for _, s := range list {
		if s.Package == pkg {
			return s
		}
	}
	f.Fatalf("there is no package %s", pkg)
	return connector.SeatCount{}
}

func (f *fixture) packages(p ...connector.Package) {
	f.Helper()
	f.ok(f.s.SetPackages(f.ctx, Org, p))
}

func (f *fixture) items() []connector.OpenItem {
	f.Helper()
	items, next, err := f.s.OpenItems(f.ctx, connector.ItemQuery{Org: Org})
	f.ok(err)
	f.equal(next, "")
	return items
}

// collect drains an iterator.
func collect[T any](f *fixture, seq iter.Seq2[T, error]) (list []T) {
	f.Helper()
	for v, err := range seq {
		f.ok(err)
		list = append(list, v)
	}
	return list
}

// are checks the errors of the single changes.
func (f *fixture) are(got []error, want ...error) {
	f.Helper()
	if len(got) != len(want) {
		f.Fatalf("%d answers, want %d", len(got), len(want))
	}
	for i, w := range want {
		if !errors.Is(got[i], w) {
			f.Fatalf("change %d: got %v, want %v", i, got[i], w)
		}
	}
}

func setState(s connector.State) func(*connector.User) {
	return func(u *connector.User) { u.State = s }
}

// Deactivate is the decision to deactivate a user for its source, giving back its seat.
func Deactivate(u *connector.User, now time.Time) *connector.Change {
	c := Next(connector.Deactivated, u, now, func(u *connector.User) {
		u.Resume, u.State = u.State, connector.Inactive
		u.DeactivatedBy, u.DeactivatedSource, u.DeactivatedReason = connector.BySource, Source, "gone"
		u.DeactivatedAt, u.DeleteAt = now, now.Add(7*24*time.Hour)
	})
	c.FreeSeat = u.Package
	return c
}

// Reactivate undoes Deactivate, taking a seat.
func Reactivate(u *connector.User, now time.Time) *connector.Change {
	c := Next(connector.Reactivated, u, now, func(u *connector.User) {
		u.State, u.Resume, u.DeactivatedBy, u.DeactivatedSource, u.DeactivatedReason = u.Resume, "", "", "", ""
		u.DeactivatedAt, u.DeleteAt = time.Time{}, time.Time{}
	})
	c.TakeSeat = u.Package
	return c
}

// Fail is the decision that person n fails for reasons.
func Fail(n int, reasons ...connector.Reason) *connector.Change {
	c := &connector.Change{
		Action: connector.Failed, Org: Org, Source: Source, Anchor: AnchorOf(n), DN: "CN=" + Profile(n).Subject(), Subject: Profile(n).Subject(),
	}
	for _, r := range reasons {
		f := connector.Failure{Code: connector.CodeCreation, Reason: r, Org: Org, Source: Source, Subject: c.Subject}
		if r == connector.NoSeat {
			f.Package = "gold"
			c.Waiting = &connector.Record{
				Anchor: c.Anchor, DN: c.DN, Enabled: connector.EnabledYes, Key: keyOf(c.DN), PrimaryGroup: 513, Package: "gold",
				Attributes: []connector.Attribute{{Name: "mail", Values: [][]byte{[]byte("a"), {0, 0xff}}}},
			}
		}
		c.Failures = append(c.Failures, f)
	}
	return c
}
