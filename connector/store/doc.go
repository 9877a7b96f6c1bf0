// Package store keeps users, links, events, seats and runs in SQLite or PostgreSQL. It decides nothing: it writes
// what a connector.Change says, whole or not at all, and answers what it holds. See DESIGN.md for
// the tables and the writer.
package store
