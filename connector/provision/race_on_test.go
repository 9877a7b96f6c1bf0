//go:build race

package provision_test

// racing says that the race detector is at work, with which all takes ten times as long.
const racing = true
