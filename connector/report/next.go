package report

import (
	"maps"
	"slices"
	"strconv"

	"usherd/connector"
)

func (t *textReport) next() {
	steps := t.steps(t.r, t.sum)
	if len(steps) == 0 {
		return
	}
	t.section("next")
	for _, s := range steps {
		t.para("  - ", s)
	}
}

// steps are what can be done after the run, as sentences with commands.
func (w words) steps(r Report, sum *summary) []string {
	var steps []string
	run, id := r.Run, r.Run.ID.Short()
	switch {
	case r.preview() && r.unchanged(): // there is nothing to carry out
	case r.preview() && r.waits():
		steps = append(steps, w.with("next.apply", w.carryOut(run)))
	case r.preview() && r.result() == connector.ResultOK:
		steps = append(steps, w.with("next.apply", w.read(run)+" --org "+run.Org+" --source "+run.Source))
	case r.waits():
		steps = append(steps, w.decide(run.Hold, id)...)
	}
	if run.Due > 0 {
		steps = append(steps, w.count("next.due", run.Due))
	}
	undoes := run.Mode == connector.ModeRollback
	if undoes && run.Counts.Changed() > run.Counts.Deleted { // who was deleted is created anew, of which a warning tells
		steps = append(steps, w.say("next.rolled_back"))
	}
	if undoes && run.Counts.Failed+run.Skips[connector.SkipMoved] > 0 {
		steps = append(steps, w.with("next.again", run.Undoes.Short()))
	}
	if h := run.GroupHold; h != nil {
		steps = append(steps, w.with("next.groups", "--org "+run.Org+" --source "+run.Source+" --accept-groups "+h.Digest))
	}
	if len(sum.groups) > 0 {
		codes := map[int]bool{}
		for _, g := range sum.groups {
			codes[int(g.code)] = true
		}
		for _, code := range slices.Sorted(maps.Keys(codes)) {
			steps = append(steps, w.with("next.errors", strconv.Itoa(code)))
		}
		if !undoes {
			steps = append(steps, w.say(w.failed(run)))
		}
	}
	return steps
}

// ofFile reports whether what the run has read is a file that somebody has brought.
func (w words) ofFile(run *connector.Run) bool {
	return w.catalogue.Kind(run.Org, run.Source).Brought()
}

// carryOut is the command that does exactly what a preview has shown.
func (w words) carryOut(run *connector.Run) string {
	if w.ofFile(run) { // usherd sync reads directories
		return "usherd approve " + run.ID.Short()
	}
	return "usherd sync --plan " + run.ID.Short()
}

// read is the command that reads the source and does what is to be done then.
func (w words) read(run *connector.Run) string {
	if w.ofFile(run) {
		return "usherd import FILE"
	}
	return "usherd sync"
}

// failed is the text that says when those who failed are tried again.
func (w words) failed(run *connector.Run) string {
	if w.ofFile(run) {
		return "next.failures_file"
	}
	return "next.failures"
}
