// Package ldapsync is the door for Active Directory and LDAP: it reads people as connector.Records,
// streamed, and says honestly whether the answer was complete. It only ever reads: it imports no Add,
// Modify or Delete, and it knows nothing of users, rules or the store.
package ldapsync
