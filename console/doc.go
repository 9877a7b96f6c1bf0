// Package console is the door of administrators: pages on which they read what usherd has done, see why, decide, and act. Each
// page is complete without JavaScript.
//
// It edits no configuration, and decides nothing about people itself: what is done goes through the same functions as at the
// command line and by the API. Each route names what one must be allowed to; who may is one table, of roles. What is done stands
// in the audit log.
package console
