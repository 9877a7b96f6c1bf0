package chart

import (
	"slices"
	"strings"
)

// Lines is a line over time, from the left edge to where the forecast begins.
type Lines struct {
	Values   []float64 // at equal distances
	Forecast []float64 // what follows them, drawn dashed; none = nothing is foreseen
	Limit    float64   // drawn across the picture, as the number of seats; 0 = none
	Middle   float64   // drawn across, as the median; 0 = none
	Last     bool      // the last value is marked
}

// Line draws values over time; the upper edge stands for the highest of all, which is returned: the caller puts it into words
// as Top.
func Line(l *Lines) (f *Figure, highest float64) {
	f = &Figure{Kind: "line"}
	values := make([]float64, 0, len(l.Values)+len(l.Forecast))
	for _, v := range slices.Concat(l.Values, l.Forecast) {
		values = append(values, sane(v))
	}
	if len(values) == 0 {
		return f, 0
	}
	if highest = max(slices.Max(values), sane(l.Limit), sane(l.Middle)); highest == 0 {
		highest = 1
	}
	step := float64(width) / float64(max(len(values)-1, 1))
	y := func(v float64) float64 { return height - v/highest*height }
	for _, across := range []struct {
		class string
		v     float64
	}{{"limit", sane(l.Limit)}, {"middle", sane(l.Middle)}} {
		if across.v > 0 {
			f.Marks = append(f.Marks, Mark{Class: across.class, Path: "M0 " + number(y(across.v)) + "h1000"})
		}
	}
	known := len(l.Values)
	if known > 0 {
		f.Marks = append(f.Marks, Mark{Class: "value", Path: through(values[:known], 0, step, y)})
	}
	if len(l.Forecast) > 0 {
		from := max(known-1, 0) // it goes on where the values end
		f.Marks = append(f.Marks, Mark{Class: "forecast", Path: through(values[from:], float64(from)*step, step, y)})
	}
	if l.Last && known > 0 {
		x := float64(known-1) * step
		f.Marks = append(f.Marks, Mark{Class: "last", Path: "M" + number(x) + " " + number(y(values[known-1])) + "h0"})
	}
	return f, highest
}

// through is a path through points; a single one is a stroke as wide as a point.
func through(values []float64, x, step float64, y func(float64) float64) string {
	var b strings.Builder
	for i, v := range values {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(number(x+float64(i)*step) + " " + number(y(v)))
	}
	if len(values) == 1 {
		b.WriteString("h0")
	}
	return b.String()
}
