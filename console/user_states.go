package console

import (
	"html/template"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/console/chart"
)

// stateArrow is an arrow of the diagram of states, or several with one number: what leads from any of some states to any of others.
type stateArrow struct {
	name     string            // of its text: states.cause.NAME
	from, to []connector.State // "" = does not exist yet
	signals  []lifecycle.Signal
	drawn    []chart.Arrow
}

// stateArrows are all ways from a state to another one, in the order of their numbers; a test holds them against the table of the lifecycle.
var stateArrows = func() []stateArrow {
	one := func(s connector.State) []connector.State { return []connector.State{s} }
	live := []connector.State{connector.NotVerified, connector.Verified, connector.Active, connector.ClaimPending}
	settled := live[:3]
	straight := func(x1, y1, x2, y2 float64) chart.Arrow {
		return chart.Arrow{From: chart.Point{X: x1, Y: y1}, To: chart.Point{X: x2, Y: y2}}
	}
	bent := func(a chart.Arrow, x, y float64) chart.Arrow {
		a.Bend = &chart.Point{X: x, Y: y}
		return a
	}
	undone := bent(straight(630, 207, 250, 207), 440, 275)
	undone.Both = true
	type s = lifecycle.Signal
	return []stateArrow{
		{"created", one(""), live, []s{lifecycle.Created}, []chart.Arrow{straight(62, 185, 128, 185)}},
		{"proven", one(connector.NotVerified), one(connector.Verified), []s{lifecycle.EmailProven, lifecycle.DomainVerified}, []chart.Arrow{straight(298, 185, 362, 185)}},
		{"directory", one(connector.NotVerified), one(connector.Active), []s{lifecycle.DirectorySeen}, []chart.Arrow{bent(straight(255, 163, 625, 163), 355, 112)}},
		{"first", one(connector.Verified), one(connector.Active), []s{lifecycle.DirectorySeen, lifecycle.SignIn}, []chart.Arrow{straight(518, 185, 582, 185)}},
		{"decided", one(connector.ClaimPending), settled, []s{lifecycle.ClaimDecided, lifecycle.ClaimExpired}, []chart.Arrow{
			straight(362, 75, 205, 163), straight(460, 95, 460, 163), straight(518, 75, 675, 163),
		}},
		{"undone", settled, settled, []s{lifecycle.RolledBack}, []chart.Arrow{undone}},
		{"deactivated", live, one(connector.Inactive), []s{lifecycle.Deactivate}, []chart.Arrow{straight(405, 270, 405, 333)}},
		{"reactivated", one(connector.Inactive), live, []s{lifecycle.Reactivate}, []chart.Arrow{straight(475, 333, 475, 270)}},
		{"claimed", live, one(connector.ConvertedAway), []s{lifecycle.ClaimedElsewhere}, []chart.Arrow{straight(752, 185, 828, 185)}},
		{"removed", one(connector.Inactive), one(connector.Deleted), []s{lifecycle.GraceOver, lifecycle.Delete}, []chart.Arrow{straight(518, 341, 662, 341)}},
		{"restored", one(connector.Deleted), one(connector.Inactive), []s{lifecycle.RolledBack}, []chart.Arrow{straight(662, 369, 518, 369)}},
	}
}()

// statePlaces are where states stand in the diagram.
var statePlaces = []struct {
	state connector.State
	at    chart.Point
}{
	{connector.ClaimPending, chart.Point{X: 440, Y: 73}},
	{connector.NotVerified, chart.Point{X: 220, Y: 185}},
	{connector.Verified, chart.Point{X: 440, Y: 185}},
	{connector.Active, chart.Point{X: 660, Y: 185}},
	{connector.Inactive, chart.Point{X: 440, Y: 355}},
	{connector.ConvertedAway, chart.Point{X: 906, Y: 185}},
	{connector.Deleted, chart.Point{X: 740, Y: 355}},
}

// stateWay is a row of the table that says what the diagram shows.
type stateWay struct {
	Number, From, To, Cause string
	Here                    bool // it leads on from the state of the person
}

// stateDiagram draws the states with the one that a person is in, and says of each arrow what causes it.
func (v *visit) stateDiagram(is connector.State) (template.HTML, []stateWay, error) {
	name := func(s connector.State) string {
		if s == "" {
			return v.t("states.new", nil)
		}
		return v.t("words.state."+string(s), nil)
	}
	d := &chart.Diagram{Summary: v.t("states.summary", map[string]string{"State": name(is)}), Width: 1000, Height: 390, Nodes: []chart.Node{
		{Class: "frame", Name: v.t("states.live", nil), At: chart.Point{X: 440, Y: 145}, Width: 620, Height: 245},
		{Class: "start", Name: name(""), At: chart.Point{X: 50, Y: 185}, Width: 20, Height: 20},
	}}
	for _, p := range statePlaces {
		n := chart.Node{Class: "node", Name: name(p.state), At: p.at, Width: 154, Height: 42}
		if p.state == is {
			n.Class, n.Name = "node current", "● "+n.Name
		}
		d.Nodes = append(d.Nodes, n)
	}
	names := func(list []connector.State) string {
		if len(list) > 3 {
			return v.t("states.live", nil)
		}
		texts := make([]string, len(list))
		for i, s := range list {
			texts[i] = name(s)
		}
		return strings.Join(texts, ", ")
	}
	var ways []stateWay
	for i, a := range stateArrows {
		w := stateWay{Number: strconv.Itoa(i + 1), From: names(a.from), To: names(a.to), Cause: v.t("states.cause."+a.name, nil), Here: slices.Contains(a.from, is)}
		for _, drawn := range a.drawn {
			drawn.Label, drawn.Title = w.Number, w.Cause
			if w.Here {
				drawn.Class = "out"
			}
			d.Arrows = append(d.Arrows, drawn)
		}
		ways = append(ways, w)
	}
	picture, err := d.HTML()
	return picture, ways, err
}
