package console

import (
	"slices"
	"testing"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// The diagram draws each way that the table of the lifecycle has from a state to another one, with each signal that leads there, and no other.
func TestTheDiagramIsTheTable(t *testing.T) {
	t.Parallel()
	type way struct {
		from, to connector.State
		signal   lifecycle.Signal
	}
	drawn, want := map[way]bool{}, map[way]bool{}
	for _, a := range stateArrows {
		for _, from := range a.from {
			for _, to := range a.to {
				for _, s := range a.signals {
					if from != to {
						drawn[way{from, to, s}] = true
					}
				}
			}
		}
		if len(a.drawn) == 0 {
			t.Errorf("%s is not drawn", a.name)
		}
	}
	for _, r := range lifecycle.Rows() {
		for _, from := range r.From {
			for _, s := range r.Signals {
				if !r.Refused && !r.Stays && from != r.To {
					want[way{from, r.To, s}] = true
				}
			}
		}
	}
	for w := range drawn {
		if !want[w] {
			t.Errorf("%q to %s by %s is drawn, and not in the table", w.from, w.to, w.signal)
		}
	}
	for w := range want {
		if !drawn[w] {
			t.Errorf("%q to %s by %s is not drawn", w.from, w.to, w.signal)
		}
	}
	var placed []connector.State
	for _, p := range statePlaces {
		placed = append(placed, p.state)
	}
	for _, s := range connector.States() {
		if !slices.Contains(placed, s) {
			t.Errorf("%s has no place", s)
		}
	}
}
