package chart

import (
	"bytes"
	_ "embed"
	"html/template"
	"math"
	"strings"
)

// Point is a place in a diagram, in its own units.
type Point struct{ X, Y float64 }

// Node is a box of a diagram with a name in its middle, or a frame around others.
type Node struct {
	Class  string // node, frame, start; "current" beside it marks one
	Name   string
	At     Point // its middle
	Width  float64
	Height float64
}

// Arrow leads from one place to another. Its label stands on it, and what it means is told by the table below the picture.
type Arrow struct {
	Class    string
	Label    string
	Title    string // what it says when it is pointed at
	From, To Point
	Bend     *Point // where it is drawn to on its way; nil = it is straight
	Both     bool   // it has a head at each end
}

// Diagram is a picture of boxes and arrows, hidden from screen readers: Summary, and a table that the caller shows beside it, say the same.
type Diagram struct {
	Summary       string
	Width, Height float64
	Nodes         []Node
	Arrows        []Arrow
}

//go:embed diagram.html
var diagramMarkup string

var diagram = template.Must(template.New("diagram").Parse(diagramMarkup))

// HTML is the diagram as a figure element.
func (d *Diagram) HTML() (template.HTML, error) {
	var b bytes.Buffer
	if err := diagram.Execute(&b, d); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // written by html/template
}

// lineWidth is how many characters of a name fit side by side.
const lineWidth = 18

// Caption is a part of a name with its place.
type Caption struct {
	X, Y string
	Text string
}

// Lines are the name in one line, or in two where it is long and has a blank; at the upper edge of a frame.
func (n Node) Lines() []Caption {
	parts := []string{n.Name}
	if cut := middleBlank(n.Name); len([]rune(n.Name)) > lineWidth && cut > 0 {
		parts = []string{n.Name[:cut], n.Name[cut+1:]}
	}
	y := n.At.Y + 5 - float64(len(parts)-1)*8.5
	switch {
	case strings.HasPrefix(n.Class, "frame"):
		parts, y = []string{n.Name}, n.At.Y-n.Height/2+19
	case strings.HasPrefix(n.Class, "start"):
		y = n.At.Y + n.Height/2 + 18
	}
	lines := make([]Caption, len(parts))
	for i, text := range parts {
		lines[i] = Caption{number(n.At.X), number(y + float64(i)*17), text}
	}
	return lines
}

// middleBlank is the place of the blank nearest to the middle of a text, 0 = it has none.
func middleBlank(text string) (at int) {
	for i := range len(text) {
		if text[i] == ' ' && (at == 0 || math.Abs(float64(2*i-len(text))) < math.Abs(float64(2*at-len(text)))) {
			at = i
		}
	}
	return at
}

// Left is the left edge, as the picture has it.
func (n Node) Left() string { return number(n.At.X - n.Width/2) }

// Top is the upper edge.
func (n Node) Top() string { return number(n.At.Y - n.Height/2) }

// W is the width.
func (n Node) W() string { return number(n.Width) }

// H is the height.
func (n Node) H() string { return number(n.Height) }

// Radius is that of the corners: a start is a disc.
func (n Node) Radius() string {
	if strings.HasPrefix(n.Class, "start") {
		return number(n.Width / 2)
	}
	return "8"
}

// Path is the line of the arrow.
func (a Arrow) Path() string {
	from, to := number(a.From.X)+" "+number(a.From.Y), number(a.To.X)+" "+number(a.To.Y)
	if a.Bend == nil {
		return "M" + from + "L" + to
	}
	return "M" + from + "Q" + number(a.Bend.X) + " " + number(a.Bend.Y) + " " + to
}

// Heads are its heads.
func (a Arrow) Heads() string {
	before, after := a.From, a.To
	if a.Bend != nil {
		before, after = *a.Bend, *a.Bend
	}
	path := head(before, a.To)
	if a.Both {
		path += head(after, a.From)
	}
	return path
}

// head is a triangle whose point is at the end of a way.
func head(from, to Point) string {
	length, half := 9.0, 4.5
	d := math.Max(math.Hypot(to.X-from.X, to.Y-from.Y), 1)
	x, y := (to.X-from.X)/d, (to.Y-from.Y)/d
	back := Point{to.X - x*length, to.Y - y*length}
	return "M" + number(to.X) + " " + number(to.Y) + "L" + number(back.X-y*half) + " " + number(back.Y+x*half) +
		"L" + number(back.X+y*half) + " " + number(back.Y-x*half) + "z"
}

// Middle is where the label stands.
func (a Arrow) Middle() Point {
	m := Point{(a.From.X + a.To.X) / 2, (a.From.Y + a.To.Y) / 2}
	if a.Bend != nil {
		m = Point{(m.X + a.Bend.X) / 2, (m.Y + a.Bend.Y) / 2}
	}
	return m
}

// LabelX is the middle of the label.
func (a Arrow) LabelX() string { return number(a.Middle().X) }

// LabelY is the middle of the label.
func (a Arrow) LabelY() string { return number(a.Middle().Y) }

// LabelBase is the base line of the label.
func (a Arrow) LabelBase() string { return number(a.Middle().Y + 4.5) }
