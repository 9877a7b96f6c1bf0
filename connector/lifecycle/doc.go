// Package lifecycle is the one table of states: (state, signal) -> state. It is pure and never decides
// whether a signal is right, only where it leads.
//
// Everything runs on the rows of table.go: Next, First, the tables in ARCHITECTURE.md and the state
// diagram. What the rows say in short:
//
//   - A new user is never inactive. Where a source announces somebody as disabled from the start, the
//     user is created first and deactivated in the same transaction, or (a directory) not at all.
//   - A reactivated user gets the state that was remembered, but for what the standing of its domain
//     has brought in the meantime: not_verified becomes what a new user of its source would get now
//     (active from a directory, else verified) when the domain is verified, and a directory's verified
//     user becomes active then. A remembered active or verified state is kept even if the domain has
//     lost its proof: the identity was proven once, and users who stayed were not set back either.
//   - A claim that is open survives deactivation: claim_pending is remembered like any other state.
//   - What a run did to a state can be undone: a user whom it moved on without deactivating it goes back,
//     and one that it deleted is inactive again, from where it may be reactivated like any other.
//   - Signing in never reactivates anybody, and is refused while an approval is pending.
package lifecycle
