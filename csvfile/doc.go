// Package csvfile reads people from a CSV file, as a connector.Source: a file that an administrator hands in to take over
// the users of an existing site (SourceKind Import or SiteLink). It tells of those who stand in it; that somebody does
// not stand in it says nothing.
package csvfile
