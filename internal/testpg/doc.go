// Package testpg starts real PostgreSQL servers for tests and benchmarks, from the distribution's package. A
// server lives in a folder of its own, listens on a Unix socket in it and, where asked for, on loopback, and
// ends with the test or with the program that started it, also when that is killed. The machine's own
// clusters are not touched. Where PostgreSQL is missing the test is skipped, loudly; with CI=true in the
// environment it fails.
//
// Most tests want URL: an empty database of their own on the one server that their test program shares, or
// Clone, a copy of a database that has been filled before. Start gives a server of one's own, to be killed,
// frozen, filled up or replaced by its standby. Pooler puts a PgBouncer before a server.
//
// PostgreSQL refuses to run as root: then it runs as the user postgres, or nobody. It runs on Linux. No
// production code imports this package.
package testpg
