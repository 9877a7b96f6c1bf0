package connector

import "time"

// SourceStanding is how a source is. What is not known is null or left out.
type SourceStanding struct {
	Org         string     `json:"org"`
	Source      string     `json:"source"`
	Type        string     `json:"type" doc:"Of a directory, or scim, sso, template, import, site_link."`
	Status      string     `json:"status" doc:"never_run, ok, failing, quarantined, waits_for_approval; of what is not read: pushes, signs in, activates, imports."`
	Follows     string     `json:"follows" doc:"live, or such as every 2m; empty: only by full runs."`
	Mechanism   string     `json:"mechanism" doc:"By which the last changes were told."`
	People      int        `json:"entries" doc:"In the last complete read."`
	LastFull    *time.Time `json:"last_full" doc:"End of the last complete full run."`
	LastChanges *time.Time `json:"last_changes" doc:"End of the last run of changes that had any."`
	Missed      *int       `json:"missed" doc:"People whom the last full run found changed and the changes had not told of."`
	Failures    int        `json:"failures" doc:"In a row, of runs that nobody asked for."`
	Since       *time.Time `json:"failing_since"`
	NextTry     *time.Time `json:"next_try" doc:"When it is tried again by itself."`
	Error       string     `json:"error,omitempty" doc:"Of the last one."`
	Hint        string     `json:"hint,omitempty" doc:"What to do about it."`
	Held        string     `json:"held_run,omitempty" doc:"Of which something, or with status waits_for_approval everything, waits."`
	HeldWhy     string     `json:"held_reason,omitempty"`
}

// CheckStep is one thing done on the way to a source, told as it ends. The names are "resolve", "connect", "tls",
// "kerberos" and "bind"; what stands above the connection adds its own.
type CheckStep struct {
	Name   string
	Server string // as in the configuration, or as DNS gave it
	Detail string // what was found, for people: addresses, the certificate chain, who is bound
	Took   time.Duration
	Err    error // nil when it went well
}
