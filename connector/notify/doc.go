// Package notify empties the outbox: it puts mails in words of the person's language, sends them by SMTP, and writes down what
// became of each: sent, tried again later, or given up with the words of the server. It is for one at a time, who has the lease.
//
// A mail is sent at least once: who dies between the server's 250 and the mark in the store sends it again, with the same
// Message-ID, by which mailboxes know it. Links get their tokens here and nowhere else; neither a token nor a password is
// logged or kept. It writes no user.
package notify
