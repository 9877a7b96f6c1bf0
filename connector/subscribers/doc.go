// Package subscribers reads and writes lists of subscribers of templates: the CSV by which an upstream system announces
// them, the CSV and JSON in which commands and API show them, and whether a template has what people need to activate. It
// decides nothing about them.
package subscribers
