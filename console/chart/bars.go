package chart

import "math"

// Bar is what happened in one span of time, as a day: its parts stand on each other.
type Bar struct {
	Name   string // of the span
	Title  string // what it says when it is pointed at
	URL    string // the list behind it; "" = none
	Values []float64
}

// Bars are stacked bars, one for each span. Values are in the order of parts, and those that have none are left out; the highest bar reaches the upper edge, which
// stands for the value that is returned: the caller puts it into words as Top.
func Bars(parts []Key, bars []Bar) (f *Figure, highest float64) {
	f = &Figure{Kind: "bars", Legend: parts}
	for i := range bars {
		bars[i].Values = bars[i].Values[:min(len(bars[i].Values), len(parts))]
		highest = max(highest, sum(bars[i].Values))
	}
	if highest == 0 {
		return f, 0
	}
	f.From, f.To = bars[0].Name, bars[len(bars)-1].Name
	step := float64(width) / float64(len(bars))
	gap := math.Min(step*.2, 4)
	for i, b := range bars {
		y := float64(height)
		for n, v := range b.Values {
			h := sane(v) / highest * height
			if h == 0 {
				continue
			}
			y -= h
			f.Marks = append(f.Marks, Mark{Class: parts[n].Class, Title: b.Title, URL: b.URL, Path: rect(float64(i)*step+gap/2, y, step-gap, h)})
		}
	}
	return f, highest
}

func sum(values []float64) (n float64) {
	for _, v := range values {
		n += sane(v)
	}
	return n
}

// Gauge shows how much of something is used; more than all of it fills it, and is of class "over".
func Gauge(used, all float64) *Figure {
	f := &Figure{Kind: "gauge", Marks: []Mark{{Class: "all", Path: rect(0, 0, width, height)}}}
	class, share := "used", 1.0
	if used, all = sane(used), sane(all); used <= all {
		share = used / max(all, 1)
	} else {
		class = "over"
	}
	if share > 0 {
		f.Marks = append(f.Marks, Mark{Class: class, Path: rect(0, 0, share*width, height)})
	}
	return f
}
