//go:build !race

package main

// raceEnabled says that the test binary was built with the race detector, which makes everything
// several times slower.
const raceEnabled = false
