// Package runs chooses runs from the list of all, as console and API do, and tells how long runs of a kind take. It writes nothing, and its
// functions are safe for concurrent use.
package runs
