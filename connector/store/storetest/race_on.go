//go:build race

package storetest

// rounds is how often a test draws lots: with the race detector, which makes everything several times slower and finds no
// more in the hundredth round than in the tenth, a quarter of what it does else. make test runs those tests without it as well.
func rounds(n int) int { return max(n/4, 1) }
