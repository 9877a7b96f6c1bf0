// Package smtpserver starts a real mail server for tests: aiosmtpd, from Debian's package. It listens on loopback, answers by the
// local part of the recipient as a test wants it, and keeps what it takes in a temporary folder. A machine that lacks it
// skips the test; with CI=true in the environment that is a failure. It is never part of the program.
package smtpserver
