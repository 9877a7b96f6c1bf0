package chart

import (
	"bytes"
	_ "embed"
	"html/template"
	"math"
	"strconv"
)

// width and height are the picture's own units; style sheets stretch it.
const (
	width  = 1000
	height = 100
)

// Figure is a chart that is ready to be shown.
type Figure struct {
	Kind    string // class of the figure: bars, strip, line or gauge
	Summary string // what it shows, in one sentence
	Top     string // what the upper edge stands for; "" = nothing is said
	From    string // what the left and the right edge stand for
	To      string
	Legend  []Key
	Marks   []Mark
	Table   Table
}

// Key explains a class of marks.
type Key struct{ Class, Name string }

// Mark is one shape of the picture.
type Mark struct {
	Class string
	Title string // what it says when it is pointed at
	URL   string // the list behind it; "" = none
	Path  string // SVG path data
}

// Table has the numbers of a chart.
type Table struct {
	Title   string // what unfolds it, as "Numbers"
	Columns []string
	Rows    []Row
}

// Row is one line of a Table.
type Row struct {
	URL   string // the list behind it; "" = none
	Cells []string
}

//go:embed figure.html
var markup string

// CSS is what a style sheet says of charts; it needs the colours --ok, --bad, --warn, --wait, --quiet, --act, --edge and --back.
//
//go:embed chart.css
var CSS string

var figure = template.Must(template.New("figure").Parse(markup))

// HTML is the chart as a figure element.
func (f *Figure) HTML() (template.HTML, error) {
	var b bytes.Buffer
	if err := figure.Execute(&b, f); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // written by html/template
}

// number writes a coordinate as shortly as it can be.
func number(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

// rect is the path of a rectangle.
func rect(x, y, w, h float64) string {
	return "M" + number(x) + " " + number(y) + "h" + number(w) + "v" + number(h) + "h" + number(-w) + "z"
}

// sane is a value that can be drawn: what is no number, or below nothing, is nothing.
func sane(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return max(v, 0)
}
