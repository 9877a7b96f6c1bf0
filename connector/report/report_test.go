package report_test

import (
	"strings"
	"testing"

	"usherd/connector/failure"
	"usherd/connector/report"
)

func TestTextReportIsAsAgreed(t *testing.T) {
	t.Parallel()
	for _, lang := range failure.Languages() {
		var b strings.Builder
		if err := report.Text(&b, sample(lang), report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		golden(t, "report."+lang+".txt", b.String())
	}
	var b strings.Builder
	if err := report.Text(&b, sample("en"), report.TextOptions{Full: true, Color: true, Width: 120}); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.full.txt", b.String())
}

func TestHTMLReportIsAsAgreed(t *testing.T) {
	t.Parallel()
	for _, lang := range failure.Languages() {
		var b strings.Builder
		if err := report.HTML(&b, sample(lang)); err != nil {
			t.Fatal(err)
		}
		golden(t, "report."+lang+".html", b.String())
	}
}
