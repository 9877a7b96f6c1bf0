package main

import (
	"sync"

	"usherd/connector"
	"usherd/connector/provision"
)

// progresses is how far the runs of this process are, for whoever follows one of them. It is safe for concurrent use.
type progresses struct {
	mu sync.Mutex
	of map[connector.ID]provision.Progress
}

// follow has a run tell how far it is, from when its id is known until done; next is told the id too, and may be nil.
func (p *progresses) follow(next func(connector.ID)) (begun func(connector.ID), show func(provision.Progress), done func()) {
	var run connector.ID
	begun = func(id connector.ID) {
		p.mu.Lock()
		run = id
		p.mu.Unlock()
		if next != nil {
			next(id)
		}
	}
	show = func(x provision.Progress) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if run.IsZero() {
			return
		}
		if p.of == nil {
			p.of = map[connector.ID]provision.Progress{}
		}
		p.of[run] = x
	}
	return begun, show, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.of, run)
	}
}

// get is how far a run is; ok is false where it does not go on here, or has told nothing yet.
func (p *progresses) get(run connector.ID) (x provision.Progress, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok = p.of[run]
	return x, ok
}
