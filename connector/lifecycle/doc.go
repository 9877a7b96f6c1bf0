// Package lifecycle is the one table of states: (state, signal) -> state. It is pure and never decides
// whether a signal is right, only where it leads.
package lifecycle
