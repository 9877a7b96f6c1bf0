package connector

import "time"

// Selection is many people with whom an administrator wants to do one thing: it is shown before anything is done, and is kept for
// a while, so that each replica knows it.
type Selection struct {
	ID     ID
	Org    string
	Actor  string // who has chosen, as in the history: nobody else can carry it out
	Deed   string // what is to be done, in words of the console
	Users  []ID   // in the order in which they were chosen
	Until  time.Time
	Begun  time.Time          // when it was carried out; zero = not yet
	Result []SelectionOutcome // of each that it was done to, or refused; nil while it is not known
}

// SelectionOutcome is what came of one of a selection.
type SelectionOutcome struct {
	User    ID       `json:"user"`
	Changed bool     `json:"changed,omitempty"`
	Failure *Failure `json:"failure,omitempty"` // why it was refused
	Fault   string   `json:"fault,omitempty"`   // what went wrong with us, as words
}
