package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usherd/console/chart"
)

var update = flag.Bool("update", false, "write the golden files")

func parts() []chart.Key { return []chart.Key{{"created", "Created"}, {"failed", "Failed"}} }

// Each kind of chart as it was looked at in a browser.
func TestFigures(t *testing.T) {
	t.Parallel()
	bars, highest := chart.Bars(parts(), []chart.Bar{
		{Name: "1 Nov", Title: "1 Nov: 30 created", URL: "/runs?day=2026-11-01", Values: []float64{30, 0}},
		{Name: "2 Nov", Title: "2 Nov: nothing", Values: []float64{0, 0}},
		{Name: "3 Nov", Title: "3 Nov: 10 created, 50 failed", URL: "/runs?day=2026-11-03", Values: []float64{10, 50}},
	})
	if highest != 60 {
		t.Errorf("the highest bar is %v", highest)
	}
	bars.Summary, bars.Top = "40 people were created & 50 failed on 3 days", "60"
	bars.Table = chart.Table{Title: "Numbers", Columns: []string{"Day", "Created", "Failed"}, Rows: []chart.Row{
		{URL: "/runs?day=2026-11-01", Cells: []string{"1 Nov", "30", "0"}}, {Cells: []string{"2 Nov", "0", "0"}}, {Cells: []string{"3 Nov", "10", "50"}},
	}}
	strip := chart.Strip(6, []chart.Beat{
		{Class: "ok", Title: "03:00 ok", URL: "/runs/1"},
		{Class: "partial", Form: chart.Split},
		{Class: "held", Form: chart.Raised},
		{Class: "failed", Form: chart.Low, Title: `<script>alert("x")</script>`},
		{Class: "cancelled", Form: chart.Frame},
	})
	strip.Summary = "4 of 5 runs were not as they should be"
	line, highest := chart.Line(&chart.Lines{Values: []float64{120, 150, 180}, Forecast: []float64{190, 200}, Limit: 200, Middle: 150, Last: true})
	if highest != 200 {
		t.Errorf("the line reaches %v", highest)
	}
	line.Summary = "Full in about 2 days"
	gauge := chart.Gauge(150, 200)
	gauge.Summary = "50 of 200 seats are free"
	over := chart.Gauge(3, 2)
	over.Summary = "one more than there are"
	none, _ := chart.Bars(parts(), []chart.Bar{{Name: "1 Nov", Values: []float64{0, 0}}})
	none.Summary = "Nothing happened"
	for name, f := range map[string]*chart.Figure{"bars": bars, "strip": strip, "line": line, "gauge": gauge, "over": over, "none": none} {
		golden(t, name, html(t, f))
	}
}

// A diagram with a box in two lines, a frame, a start, and arrows that are straight, bent and of two heads.
func TestDiagram(t *testing.T) {
	t.Parallel()
	d := &chart.Diagram{
		Summary: `The person is <b>"Inactive"</b>`, Width: 500, Height: 200,
		Nodes: []chart.Node{
			{Class: "frame", Name: "All", At: chart.Point{X: 250, Y: 100}, Width: 400, Height: 180},
			{Class: "start", Name: "New", At: chart.Point{X: 20, Y: 100}, Width: 20, Height: 20},
			{Class: "node", Name: "Not verified", At: chart.Point{X: 150, Y: 100}, Width: 154, Height: 42},
			{Class: "node current", Name: "Levado por outra organização", At: chart.Point{X: 350, Y: 100}, Width: 154, Height: 42},
		},
		Arrows: []chart.Arrow{
			{Label: "1", Title: "<script>", From: chart.Point{X: 30, Y: 100}, To: chart.Point{X: 70, Y: 100}},
			{Class: "out", Label: "2", From: chart.Point{X: 150, Y: 120}, To: chart.Point{X: 350, Y: 120}, Bend: &chart.Point{X: 250, Y: 180}, Both: true},
			{Label: "3", From: chart.Point{X: 5, Y: 5}, To: chart.Point{X: 5, Y: 5}},
		},
	}
	text, err := d.HTML()
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, string(text))
	golden(t, "diagram", string(text))
}

func html(t *testing.T, f *chart.Figure) string {
	t.Helper()
	text, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: run the tests with -update and look at the difference\n%s", path, got)
	}
}

// Whatever the numbers are, a picture is well formed and stays inside its edges.
func TestAnyNumbersCanBeDrawn(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	strange := []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e300, 5e-324, 1}
	values := func() []float64 {
		list := make([]float64, r.IntN(5))
		for i := range list {
			if list[i] = r.Float64() * 1e6; r.IntN(2) == 0 {
				list[i] = strange[r.IntN(len(strange))]
			}
		}
		return list
	}
	for range 2000 {
		bars := make([]chart.Bar, r.IntN(4))
		for i := range bars {
			bars[i] = chart.Bar{Name: "]]>", Values: values()}
		}
		b, _ := chart.Bars(parts(), bars)
		l, _ := chart.Line(&chart.Lines{Values: values(), Forecast: values(), Limit: strange[r.IntN(len(strange))], Last: r.IntN(2) == 0})
		g := chart.Gauge(strange[r.IntN(len(strange))], strange[r.IntN(len(strange))])
		s := chart.Strip(r.IntN(4), make([]chart.Beat, r.IntN(6)))
		for _, f := range []*chart.Figure{b, l, g, s} {
			wellFormed(t, html(t, f))
		}
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "path" {
			for _, a := range e.Attr {
				if a.Name.Local == "d" && strings.ContainsAny(a.Value, "NIe") {
					t.Fatalf("%q is no path", a.Value)
				}
			}
		}
	}
}
