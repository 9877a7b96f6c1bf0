// Package testserver starts real directory servers for tests and benchmarks: OpenLDAP's slapd, Samba as
// an Active Directory domain controller, and 389-ds. A server lives in a directory of its own, listens on
// loopback addresses only, needs neither systemd nor any file under /etc to be changed, and ends with the
// test, or with the process that started it. Servers that are not installed skip the test, loudly; with
// CI=true in the environment they fail it.
//
// It runs on Linux. It never touches a server that it did not start, and no production code imports it.
package testserver

import "usherd/internal/testproc"

// MissingError says that a server cannot run on this machine and what would help.
type MissingError = testproc.MissingError
