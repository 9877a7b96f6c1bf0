// Package wording says in the reader's language what usherd has said in English: why a run failed and what helps, warnings, why
// something waits for approval, what a test of a connection has found.
//
// Such sentences are errors and notes on their way: they come out of chains of errors, half of which are a server's words or those of a
// library, stand in logs, in JSON and in the store, and are compared by whoever reads those. So they stay English there, the same in
// each language and version. Here each of them is a form with places for its values ("no entry matches the filter {{.Filter}}") under a
// key. A sentence is taken apart by its form, and what is found in the places is put into the text of the other language; a
// value that is a sentence itself, as the cause of an error is, goes the same way. What has no form (a name, a server's answer, a sentence
// of another version) stays as it is.
//
// The forms are the English texts of texts/AREA/en.json. A test collects what the packages say from their source, and fails for a
// sentence without a form.
package wording
