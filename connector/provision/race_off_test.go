//go:build !race

package provision_test

const racing = false

// rounds is how often a test draws lots.
func rounds(n int) int { return n }
