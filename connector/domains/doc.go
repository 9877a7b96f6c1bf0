// Package domains proves that an organization owns a mail domain, by a TXT record in DNS. It never
// decides about people, and keeps nothing: domains come in and go out changed.
package domains
