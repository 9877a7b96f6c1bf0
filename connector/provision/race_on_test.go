//go:build race

package provision_test

// racing says that the race detector is at work, with which all takes ten times as long.
const racing = true

// rounds is how often a test draws lots: the tenth round finds what races there are. make test draws all of them on PostgreSQL.
func rounds(n int) int { return max(n/4, 1) }
