// Package lease lets one process at a time do something, by rows with an end in the store. Who holds a lease and cannot
// renew it stops before it can have run out, and what it still tries to write is refused by its fence. It never
// decides what is done under a lease.
package lease
