// Package storetest is the conformance suite of stores: every store of usherd must pass Run. It also
// makes the people that tests and benchmarks fill stores with. It is for tests only.
package storetest
