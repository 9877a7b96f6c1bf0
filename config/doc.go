// Package config reads the configuration file: strictly, with every fault told at once by file, line and
// column. It is the only place where secrets are fetched. It never changes the file and starts nothing.
package config
