package main

import (
	"os"
	"runtime"
	"runtime/debug"
	heap "runtime/metrics"
)

// heapFloor is how large the heap of a daemon may become before memory is looked through for what is not used any more. Go does
// that whenever the heap has doubled: a daemon has a few MB in use, requests bring 100 MB/s, and it would be busy with nothing else.
const heapFloor = 64 << 20

// keepHeapFloor lets the heap become heapFloor, or twice what is in use where that is more, as without it. Who has set GOGC has
// decided otherwise; GOMEMLIMIT holds with it as well.
func keepHeapFloor() {
	if os.Getenv("GOGC") == "" {
		(&collected{100, []heap.Sample{{Name: "/gc/heap/live:bytes"}}}).next()
	}
}

// collected is garbage of which the runtime tells with each collection.
type collected struct {
	percent int
	live    []heap.Sample
}

// next follows the size of what is in use.
func (c *collected) next() {
	heap.Read(c.live)
	// Setting it stops all for a moment, so small differences are left.
	if p := percentFor(c.live[0].Value.Uint64()); p < c.percent || p > c.percent+c.percent/4 {
		debug.SetGCPercent(p)
		c.percent = p
	}
	runtime.SetFinalizer(c, (*collected).next)
}

// percentFor is by how much the heap may grow with so many bytes in use: 100 or more, in steps.
func percentFor(live uint64) int {
	const most = 1000
	if live == 0 || live > heapFloor/2 {
		return 100
	}
	return int(min(heapFloor*100/live-100, most))
}
