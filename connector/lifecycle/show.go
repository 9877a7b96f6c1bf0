package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"usherd/connector"
)

// Markdown returns the table as a Markdown table, a line for each row.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| from | signal | when | to |\n| --- | --- | --- | --- |\n")
	for _, r := range Rows() {
		from := make([]string, len(r.From))
		for i, s := range r.From {
			from[i] = string(s)
			if s == "" {
				from[i] = "(new)"
			}
		}
		signals := make([]string, len(r.Signals))
		for i, s := range r.Signals {
			signals[i] = "`" + string(s) + "`"
		}
		to := "**" + string(r.To) + "**"
		switch {
		case r.Refused:
			to = "refused, state stays"
		case r.Stays:
			to = "state stays"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.Join(from, ", "), strings.Join(signals, ", "), r.When, to)
	}
	return b.String()
}

// edge is an arrow of the diagram.
type edge struct{ from, to connector.State }

// Mermaid returns the states and the ways between them as a Mermaid stateDiagram-v2. Signals that
// change nothing are left out; conditions stand in the table.
func Mermaid() string {
	var edges []edge
	labels := map[edge][]string{}
	for _, r := range Rows() {
		if r.To == "" {
			continue
		}
		for _, from := range r.From {
			e := edge{from, r.To}
			if !slices.Contains(edges, e) {
				edges = append(edges, e)
			}
			for _, s := range r.Signals {
				if !slices.Contains(labels[e], string(s)) {
					labels[e] = append(labels[e], string(s))
				}
			}
		}
	}
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	for _, e := range edges {
		from := string(e.from)
		if from == "" {
			from = "[*]"
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", from, e.to, strings.Join(labels[e], ", "))
	}
	for _, s := range connector.States() {
		if !s.Live() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	return b.String()
}
