// Package sources is what the doors of administrators and programs show of the sources of an organization, beside how each is
// (connector.SourceStanding): what the configuration says, how an identity provider is known, and the desk at which a directory is
// asked while somebody waits for the answer.
package sources
