//go:build !race

package store_test

// manyUsers is how many users a door has in tests of size.
const manyUsers = 200_000
