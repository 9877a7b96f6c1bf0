package wording_test

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"usherd/connector/wording"
)

// said are the packages, or single files of them, whose sentences reach administrators who do not read English.
var said = []string{
	"connector/provision", "connector/policy", "connector/lease", "connector/csvtable", "csvfile", "ldapsync",
	"connector/clients", "scim/dialect/quirk.go", "scim/dialect/recognise.go", "scim/patch/quirk.go", "sso", "sso/saml2",
	"connector/domains", "cmd/usherd/check_sign_on.go", "cmd/usherd/console_health.go", "cmd/usherd/idps.go",
	"connector/mapping/value.go", "connector/mapping/frame.go", "connector/mapping/list.go", "connector/mapping/time.go", "connector/mapping/text.go",
}

// silent are files of these packages whose sentences are no reader's, and why.
var silent = map[string]string{
	"ldapsync/validate.go":          "faults of the configuration, which are told with file and line to whoever edits it",
	"sso/metrics.go":                "descriptions of metrics",
	"sso/exchange.go":               "answers to applications, in the words of the protocol",
	"sso/page.go":                   "headers, and the log",
	"connector/provision/person.go": "the stations of one person have keys of their own (Step), and texts in connector/report",
}

// bits are literals that are no sentences, or parts of sentences that are put together where they are said: togetherCases has those. Each
// has to be in use.
var bits = map[string]string{
	"waiting list": "the name of an actor", "kept records": "the name of a server", "never tried": "an error that nobody gets",
	"provision: roll back " + hole: operation, "provision: keep what the source says": operation, "provision: keep the plan": operation, "approve run " + hole: operation,
	hole + " of source " + hole:                      "a fault of the program",
	"the names of the deleted were given up in vain": "a fault of the program",

	"not in the directory any more": together, "out of scope": together, "disabled or expired": together,
	"deleted at the end of their grace period": together, ", most or all of them below " + hole: together,
	": scope, filter or mapping of the source have changed since the last run": together,
	hole + " would lose access": together, hole + " had changed without the directory's feed of changes telling of it: this run has found them": together,
	"what changed settings do waits for approval: ": together, "everything waits for approval: ": together,
	"it was " + hole + " in part already by " + hole: together, "it was " + hole + " already by " + hole: together,
	"groups brought back": together, "groups updated": together, "groups deleted": together, "memberships added": together, "memberships removed": together,
	"person gets access": together, "people get access": together,
	" back although the source last said disabled, gone or out of scope: that lasts until the source says something new": together,
	"user whom the run created is": together, "users whom the run created are": together,
	" deleted: the next run creates anew whom the source still has, unless its scope, filter or mapping is changed before": together,
	"deleted user comes": together, "deleted users come": together, " back: the next run decides again": together,
	"person is": together, "people are": together, " not put back because of what was done since; the report says to whom": together,
	"removal is": together, "removals are": together, hole + ", with " + hole + " in the last hour,": together,
	hole + " more than " + hole + " and more than " + hole + " of " + hole: together,
	"group would be deleted": together, "groups would be deleted": together, "membership would be removed": together, "memberships would be removed": together,
	hole + ", more than " + hole + " and more than " + hole + " of " + hole + " " + hole: together,
	"would change": together, "would be empty": together, hole + " " + hole + " for " + hole + " of " + hole + ", more than " + hole: together,
	hole + hole + "and more": together,

	"an identity provider cannot be read: nobody signs in there": "for the log", "usherd check, then usherd reload": "for the log",
	"the metadata of an identity provider cannot be read; what was read last stays in force":               "for the log",
	hole + " people sampled below " + hole + ", " + hole + " out of scope, " + hole + " unreadable" + hole: together,
	"all have": together, "some have": together, "nobody has": together, "time limit": together, "size limit": together, "administrative limit": together,
	"the server's " + hole + " ended the answer after " + hole + " entries (code " + hole + "): " + hole: together,
	"Okta SCIM Client": "what is looked for", "an attempt to sign in could not be kept": "for the log", "a sign-in could not be carried out": "for the log",
	"unknown result": together, ": the server says " + hole: together,
	"the server ended the connection in the TLS handshake: ": together, "may have no certificate, or want another version of TLS": together,
	"the port may speak without TLS (ldaps:// is for port 636; for port 389 write ldap:// and set tls.start_tls: true); or the server ": together,
	hole + ", issued by " + hole + ", valid until " + hole:                                                                              together,
	"group base": "a step, which has a name of its own in the console", "start TLS": "what was waited for, within an operation",
	"client password/keytab incorrect": "what a library says, looked for", "remote error": "what a library says, looked for",
	"CN=Deleted Objects," + hole: "a DN",
	"write ldaps://host[:636], ldap://host[:389] or ldapi://" + hole + "run" + hole + "ldapi": "a form, of which the test takes %2F for a verb",
}

const (
	operation = "what was being done, for the log"
	together  = "a part"
)

// togetherCases are sentences that are put together of bits, each as it is said.
var togetherCases = []string{
	"1 removal is more than 0 and more than 5 % of 1 user",
	"82 removals are more than 10 and more than 0.5 % of 1,000 users: 80 not in the directory any more, 2 disabled or expired, most or all of them below OU=Sales, of Acme,DC=x",
	"12 removals, with 3 in the last hour, are more than 10 and more than 5 % of 1,234,567 users: scope, filter or mapping of the source have changed since the last run; 12 out of scope",
	"1 removal, with 30 in the last hour, is more than 10 and more than 5 % of 40 users: 1 deleted at the end of their grace period",
	"3 people would lose access: 3 disabled or expired",
	"1 person would lose access: scope, filter or mapping of the source have changed since the last run; 1 out of scope",
	"30 people are absent, too many to ask the directory for each: 30 not in the directory any more; Display Name would change for 34 of 40 users, more than 50 %",
	"Display Name would be empty for 1,034 of 1,200 users, more than 50 %; they stay as they are: correct the mapping, or see what the account may read with: usherd check --connect",
	"User Name would change for 12 of 14 users, more than 50 %: scope, filter or mapping of the source have changed since the last run",
	"1 group would be deleted, more than 0 and more than 5 % of 3 groups", "20 memberships would be removed, more than 10 and more than 5 % of 1,000 memberships",
	"a rollback is looked at before it is applied: 2 groups brought back, 3 groups updated, 4 groups deleted, 5 memberships added, 6 memberships removed",
	"1 person gets access back although the source last said disabled, gone or out of scope: that lasts until the source says something new",
	"2 people get access back although the source last said disabled, gone or out of scope: that lasts until the source says something new",
	"1 user whom the run created is deleted: the next run creates anew whom the source still has, unless its scope, filter or mapping is changed before",
	"5 users whom the run created are deleted: the next run creates anew whom the source still has, unless its scope, filter or mapping is changed before",
	"1 deleted user comes back: the next run decides again", "2 deleted users come back: the next run decides again",
	"1 person is not put back because of what was done since; the report says to whom", "9 people are not put back because of what was done since; the report says to whom",
	"1 person had changed without the directory's feed of changes telling of it: this run has found them",
	"2 people had changed without the directory's feed of changes telling of it: this run has found them",
	"what changed settings do waits for approval: a preview: nothing is changed until it is approved",
	"everything waits for approval: the first run of a source is looked at before it is applied (first_run: preview)",
	"it was approved already by cli:root", "it was rejected already by ann", "it was approved in part already by ann", "it was rejected in part already by ann",
	"also carried by CN=7; and more", "the state is not put back: it was changed by run 0a1b2c3d at 2026-01-02 15:04 UTC", "the package is not put back: it was changed since",

	"1,500 people sampled below OU=Sales, 2 out of scope, 0 unreadable; all have: cn, objectGUID; some have: mail 3 of 5, sn 1 of 5; nobody has: title",
	"base OU=Sales: the server's time limit ended the answer after 500 entries (code 3): raise it for the service account (OpenLDAP: limits ... time=unlimited; " +
		"389-ds: nsTimeLimit; Active Directory: MaxQueryDuration), or make the filter one that the server has an index for",
	"base OU=Sales: the server's size limit ended the answer after 500 entries (code 4): raise it for the service account (OpenLDAP: limits ... size=unlimited; " +
		"389-ds: nsSizeLimit, nsPagedSizeLimit), and keep page_size at or below the server's (Active Directory: MaxPageSize, 1000)",
	"the server's administrative limit ended the answer after 5 entries (code 11): raise it for the service account (389-ds: nsLookThroughLimit; " +
		"OpenLDAP: limits ... size.pr=unlimited size.prtotal=unlimited), or lower page_size",
	`ldapsync: bind ldaps://dc1: invalid credentials (code 49): wrong password, or no such user: the server says "80090308"`,
	"ldapsync: connect to any server: ldapsync: connect ldaps://dc1: dial tcp 10.0.0.1: connect: connection refused\nldapsync: tls ldaps://dc1: unknown result (code 4711)",
	"the server ended the connection in the TLS handshake: it may have no certificate, or want another version of TLS",
	"the server ended the connection in the TLS handshake: the port may speak without TLS (ldaps:// is for port 636; for port 389 write ldap:// " +
		"and set tls.start_tls: true); or the server may have no certificate, or want another version of TLS",
	"ldapsync: tls ldaps://dc1: x509: certificate signed by unknown authority; the server showed certificate 1: CN=7 (for dc1), issued by CN=7, valid until 2027-01-01; " +
		"certificate 2: CN=7, issued by CN=7, valid until 2027-01-01",
	"type: openldap does not fit: the server says that it is an Active Directory, for which one writes type: active_directory; else correct filter or bases, " +
		"or give the service account the right to read there",
	"updated: mail, title, verified to active", "created, active",
	"changes are only found by full reads: ldapsync: root DSE of ldaps://dc1: it names no dsServiceName: let the service account read the root DSE",
	"changes are found by full reads only: the server announces no way to tell of them that is known here",
	"Acme 1.0; holds OU=Sales; does not announce paged results", "disabled (employeeType)", "expired on 2026-01-02 UTC (accountExpires)", "locked (nsAccountLock)",
}

// silentPieces are what is said in the same words in all languages.
var silentPieces = regexp.MustCompile(`^(usherd |openssl |(GET|POST) /|urn:|saml2$|ldapsync$|nsAccountLock$|pwdAccountLockedTime$|userAccountControl 0x2$)`)

// speak reports whether there is something to translate in a piece: commands and names of settings are the same in all languages.
func speak(piece string) bool {
	return strings.ContainsFunc(piece, unicode.IsLetter) && !silentPieces.MatchString(piece)
}

func TestEverySentenceHasAForm(t *testing.T) {
	t.Parallel()
	s := load(t)
	used := map[string]bool{}
	for _, from := range said {
		dir, only := from, ""
		if strings.HasSuffix(from, ".go") {
			dir, only = path.Split(from)
		}
		for _, x := range collect(t, filepath.FromSlash("../../"+dir)) {
			name := filepath.Base(strings.Split(x.at, ":")[0])
			if only != "" && name != only {
				continue
			}
			file := path.Join(dir, name)
			if silent[file] != "" || bits[x.text] != "" {
				used[file], used[x.text] = true, true
				continue
			}
			for _, piece := range s.Rest(strings.ReplaceAll(x.text, hole, "7")) {
				if speak(piece) {
					t.Errorf("%s: there is no form for %q in %q", x.at, piece, strings.ReplaceAll(x.text, hole, "…"))
				}
			}
		}
	}
	for _, list := range []map[string]string{silent, bits} {
		for x := range list {
			if !used[x] {
				t.Errorf("%q is not said any more: take it off the list", x)
			}
		}
	}
}

// placeOf is a place as it is written.
var placeOf = regexp.MustCompile(`\{\{\.([A-Za-z]+)\}\}`)

// names are what stands in togetherCases beside sentences.
var names = regexp.MustCompile(`^(OU=Sales|of Acme,DC=x|ann|cli:root|CN=7|0a1b2c3d|2026-01-02 15:04|[\d.]+ %|Display Name|User Name|ldaps://dc1|dc1|dial tcp 10.0.0.1|ldapsync|tls ldaps://dc1|bind ldaps://dc1|"80090308"|2027-01-01|active_directory|openldap|cn|mail|sn|title|objectGUID|Acme 1.0|employeeType|nsAccountLock|2026-01-02 UTC)$`)

func TestWhatIsPutTogetherHasForms(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, x := range togetherCases {
		for _, piece := range s.Rest(x) {
			if speak(piece) && !names.MatchString(piece) {
				t.Errorf("there is no form for %q in %q", piece, x)
			}
		}
	}
}

func load(t *testing.T) *wording.Sentences {
	t.Helper()
	s, err := wording.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
