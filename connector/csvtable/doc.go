// Package csvtable reads CSV files row by row, as spreadsheets and other systems write them: people of an existing site,
// lists of subscribers. It knows columns and rows, never what they mean, and bounds what a row takes of memory.
package csvtable
