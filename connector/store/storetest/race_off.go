//go:build !race

package storetest

// rounds is how often a test draws lots.
func rounds(n int) int { return n }
