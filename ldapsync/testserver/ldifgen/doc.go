// Package ldifgen writes the people and groups of an invented company as LDIF, for OpenLDAP, 389-ds and
// Active Directory, to fill servers in tests and benchmarks. The same Options always give the same bytes:
// a person depends on Seed and number alone, and an option changes nothing but what it is about. It
// never reads anything, and it never keeps more than one group's members in memory.
package ldifgen
