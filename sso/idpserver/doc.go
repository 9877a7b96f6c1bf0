// Package idpserver starts a real identity provider for tests: SimpleSAMLphp, from Debian's package, on PHP's own server.
// It listens on loopback and lives in a temporary folder. A machine that lacks it skips the test; with CI=true in the
// environment that is a failure. It is never part of the program.
package idpserver
