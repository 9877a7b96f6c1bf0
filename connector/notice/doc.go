// Package notice tells administrators of what happens, without being asked: by mails, which it puts into the outbox, and by
// webhooks, which it sends itself. It is for one at a time, who has the lease.
//
// What a run did is read off the runs that are marked as untold, which the store does in the transaction that ends a run; what
// lasts (a source in quarantine, few free seats) is compared with what was told before. A notice, what is remembered of it, and
// its deliveries are one transaction, so that each is told once, whoever leads. A delivery arrives at least once, always under
// the same id. The same failure of the same source is told once until it changes.
//
// Notices hold numbers, codes and configured names, and nothing of people. It writes no user.
package notice
