package chart

import "strings"

// Form is the shape of a mark in a strip, so that what it means can be seen without its colour.
type Form int

// The forms of a strip.
const (
	Full   Form = iota // as high as the strip: as it should be
	Split              // with a gap in its middle: in part
	Raised             // the upper half: it waits
	Low                // a third at the bottom, wide: it failed
	Frame              // an outline: it was stopped
)

// Beat is one mark of a strip.
type Beat struct {
	Class string
	Form  Form
	Title string // what it says when it is pointed at
	URL   string
}

// Strip is a row of marks in the order of time, as the last 60 runs; where there are fewer than places, they stand at the
// right end, and dots mark the places before them.
func Strip(places int, beats []Beat) *Figure {
	f := &Figure{Kind: "strip"}
	beats = beats[max(0, len(beats)-places):]
	step := float64(width) / float64(max(places, 1))
	if len(beats) > 0 && len(beats) < places {
		var free strings.Builder
		for i := range places - len(beats) {
			free.WriteString(rect(float64(i)*step+step*.15, height*.92, step*.7, height*.08))
		}
		f.Marks = append(f.Marks, Mark{Class: "free", Path: free.String()})
	}
	for i, b := range beats {
		x := float64(places-len(beats)+i) * step
		f.Marks = append(f.Marks, Mark{Class: b.Class, Title: b.Title, URL: b.URL, Path: b.Form.path(x, step)})
	}
	return f
}

// path draws a form in a place of the strip.
func (m Form) path(x, step float64) string {
	l, w := x+step*.15, step*.7
	switch m {
	case Full:
		return rect(l, 0, w, height)
	case Split:
		return rect(l, 0, w, height*.4) + rect(l, height*.6, w, height*.4)
	case Raised:
		return rect(l, 0, w, height*.5)
	case Low:
		return rect(x, height*.67, step, height*.33)
	case Frame:
		edge := w * .25 // the inner rectangle turns the other way, so that it is a hole
		return rect(l, 0, w, height) + "M" + number(l+edge) + " 8v84h" + number(w-2*edge) + "v-84z"
	}
	return ""
}
