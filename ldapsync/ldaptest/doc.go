// Package ldaptest is an LDAP directory that lives in the process: it behaves like Active Directory,
// OpenLDAP or 389-ds as far as a reader can tell, it can be changed while it runs, and it can be told to
// misbehave. Tests read from it, and so does `usherd demo`. It keeps everything in memory, listens on the
// loopback address unless told otherwise, refuses all writes that come over LDAP, and is no directory for
// production.
//
// Start gives a running Server. Entries come in by Add, or from the demo's Company. All methods of Server
// may be called concurrently with each other and with running searches.
package ldaptest
