package connector

import (
	"slices"
	"time"
)

// User is an account. A User that has been stored is not changed any more: make a copy, change it
// and hand both to a Change.
type User struct {
	ID      ID
	Org     string
	Profile Profile
	State   State
	Package string // "" = none

	// PackageFixed: an administrator gave the package; sources leave it alone.
	PackageFixed    bool
	PendingApproval bool

	// Was is the state that a user who was claimed from another organization had there; "" = it was not, or
	// what becomes of its old data is decided.
	Was State

	// Set while the user is inactive.
	Resume            State // the state it had
	DeactivatedBy     Authority
	DeactivatedSource string // the source, when DeactivatedBy is BySource
	DeactivatedReason string // "disabled", "gone", "out_of_scope", or an administrator's words
	DeactivatedAt     time.Time
	DeleteAt          time.Time // end of the grace period; zero = never by itself

	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // grows by one with each change; 1 when created
}

// HoldsSeat reports whether the user occupies a seat of its package.
func (u *User) HoldsSeat(inactiveHolds bool) bool {
	return u.Package != "" && u.State.Live() && (u.State != Inactive || inactiveHolds)
}

// Standing is the state by which it is decided whether the user may sign in and use services: while a claim is open,
// the one from before the claim.
func (u *User) Standing() State {
	if u.State == ClaimPending && u.Was != "" {
		return u.Was
	}
	return u.State
}

// UserName returns the user name as it came.
func (u *User) UserName() string { return u.Profile.Get(UserName) }

// UserKey is one value that finds users: Kind is an attribute name (Email stands for all
// addresses), Value is folded.
type UserKey struct {
	Kind  string
	Value string
}

// Keys returns the values by which the user must be unique in its organization: user name and
// all addresses, folded, each once.
func (u *User) Keys() []UserKey {
	keys := make([]UserKey, 0, 3)
	if n := u.Profile.Get(UserName); n != "" {
		keys = append(keys, UserKey{UserName, Fold(n)})
	}
	for _, e := range u.Profile.Emails() {
		k := UserKey{Email, Fold(e)}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}
