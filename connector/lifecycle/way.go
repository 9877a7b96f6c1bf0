package lifecycle

import (
	"slices"

	"usherd/connector"
)

// Need is a fact about a user that somebody can make true without a signal.
type Need string

// The needs.
const (
	NeedApproval Need = "approval"        // the pending approval is given
	NeedDomain   Need = "domain_verified" // the domain of the e-mail address is proven
)

// Step is one thing that happens on a way: a signal, or a fact that becomes true.
type Step struct {
	Signal   Signal // "" = Need
	Need     Need   // "" = Signal
	From, To connector.State
}

// Way returns the fewest steps from a state to the goal, by the table alone: signals are those that may be
// used, goal says of a state and its facts whether it is reached. None are needed where it is; false says
// that no way leads there. Of two ways of one length it is the one whose first needs come first and whose
// signals stand first among those given.
func Way(from connector.State, f Facts, signals []Signal, goal func(connector.State, Facts) bool) ([]Step, bool) {
	start := place{from, f}
	queue := []visit{{place: start, from: -1}}
	seen := map[place]bool{start: true}
	for i := 0; i < len(queue); i++ {
		at := queue[i].place
		if goal(at.state, at.facts) {
			return steps(queue, i), true
		}
		for _, v := range next(at, signals) {
			if !seen[v.place] {
				seen[v.place] = true
				v.from = i
				queue = append(queue, v)
			}
		}
	}
	return nil, false
}

// place is where a user stands with all that the table asks about.
type place struct {
	state connector.State
	facts Facts
}

type visit struct {
	place
	step Step
	from int // in the queue
}

// next are the places that one step leads to.
func next(at place, signals []Signal) []visit {
	var out []visit
	fact := func(n Need, f Facts) {
		out = append(out, visit{place: place{at.state, f}, step: Step{Need: n, From: at.state, To: at.state}})
	}
	if f := at.facts; f.PendingApproval {
		f.PendingApproval = false
		fact(NeedApproval, f)
	}
	if f := at.facts; !f.DomainVerified {
		f.DomainVerified = true
		fact(NeedDomain, f)
	}
	for _, s := range signals {
		to, ok := Next(at.state, s, at.facts)
		if !ok || to == at.state {
			continue
		}
		f := at.facts
		f.Resume = ""
		if to == connector.Inactive {
			f.Resume = at.state
		}
		out = append(out, visit{place: place{to, f}, step: Step{Signal: s, From: at.state, To: to}})
	}
	return out
}

func steps(queue []visit, i int) []Step {
	var out []Step
	for ; queue[i].from >= 0; i = queue[i].from {
		out = append(out, queue[i].step)
	}
	slices.Reverse(out)
	return out
}
