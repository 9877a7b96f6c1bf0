package connector

import "time"

// Selection is many people, or subscribers, with whom an administrator wants to do one thing: it is shown before anything is done, and is
// kept for a while, so that each replica knows it.
type Selection struct {
	ID    ID
	Org   string
	Actor string // who has chosen, as in the history: nobody else can carry it out
	Deed  string // what is to be done, in words of the console
	IDs   []ID   // of those who were chosen, in the order in which they were
	Until time.Time

	Begun  time.Time // when it was carried out, or gone on with last; zero = not yet
	Reason string    // why, in words of the administrator
	Choice string    // what was chosen for all of them; "" = there was no choice
	// Done is what came of the first so many of IDs: all of them when it is over.
	Done []SelectionOutcome
}

// Over reports whether nobody of the selection is left to do.
func (s *Selection) Over() bool { return !s.Begun.IsZero() && len(s.Done) == len(s.IDs) }

// SelectionOutcome is what came of one of a selection.
type SelectionOutcome struct {
	ID      ID       `json:"id"`
	Changed bool     `json:"changed,omitempty"`
	Left    bool     `json:"left,omitempty"`    // out: it cannot be done to somebody who is like that, or is gone
	Failure *Failure `json:"failure,omitempty"` // why it was refused
	Fault   string   `json:"fault,omitempty"`   // what went wrong with us, as words
}
