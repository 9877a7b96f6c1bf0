//go:build race

package store_test

// manyUsers is how many users a door has in tests of size: fewer with the race detector, which makes everything several
// times slower. make test runs them without it as well.
const manyUsers = 10_000
