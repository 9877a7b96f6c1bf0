// Package runs chooses runs from the list of all, compares two of them, and tells how long runs of a kind take, as console and API show it. It
// writes nothing, and its functions are safe for concurrent use.
package runs
