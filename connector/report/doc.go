// Package report shows a run or a plan: as text for a terminal, as one JSON document, as CSV for a
// spreadsheet and as one self-contained HTML page, in the four languages of package failure.
//
// It streams: people are never collected, whatever the size of the run. It decides nothing, reads no
// store and no clock.
package report
