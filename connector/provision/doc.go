// Package provision is the only writer of users: every door hands it records, it decides each person
// by one function (decide), and it writes what was decided in one transaction. Submit does one person
// now; Plan computes what a whole source would change, and Apply writes a plan. It never talks to a
// directory or a database itself: both are ports of package connector.
package provision
