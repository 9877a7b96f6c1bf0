package main

import "testing"

// With a floor, the heap is never larger than it, or than twice what is in use.
func TestHeapGrowsToTheFloorOrDoubles(t *testing.T) {
	t.Parallel()
	for live := uint64(1); live < 1<<34; live = live*5/4 + 1 {
		p := percentFor(live)
		if size := live + live*uint64(p)/100; p < 100 || size > max(heapFloor, 2*live) || live > heapFloor/11 && size < heapFloor*99/100 {
			t.Errorf("%d bytes in use: %d percent, a heap of %d", live, p, size)
		}
	}
}
