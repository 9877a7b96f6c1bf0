package console

import (
	"math"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/report"
	"usherd/connector/runs"
	"usherd/console/chart"
)

// barDays is how many days the bars above the list go back.
const barDays = 30

// drawRuns draws what is above the list: how many runs ended how on each day, and how long the last ones took.
func (v *visit) drawRuns(p *runsPage, c *runs.Choice) error {
	first := v.now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-barDays)
	days, err := v.s.o.Store.RunDays(v.r.Context(), v.id(), c.Source, first)
	if err != nil {
		return err
	}
	if len(days) > 0 {
		if p.Days, err = v.dayChart(first, days, c.Source).HTML(); err != nil {
			return err
		}
	}
	list, err := v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Source: c.Source, Limit: 2 * stripLength})
	if err != nil {
		return err
	}
	if f := v.durationChart(list, c.Mode); f != nil {
		p.Durations, err = f.HTML()
	}
	return err
}

// dayChart has a bar for each day, today's at the right end; each leads to the runs of that day.
func (v *visit) dayChart(first time.Time, days []connector.RunDay, source string) *chart.Figure {
	results := runResults()
	parts, table := make([]chart.Key, len(results)), chart.Table{Title: v.t("runs.chart.numbers", nil), Columns: []string{v.t("runs.chart.day", nil)}}
	for i, r := range results {
		parts[i] = chart.Key{Class: string(r), Name: v.t("words.result."+string(r), nil)}
		table.Columns = append(table.Columns, parts[i].Name)
	}
	bars := make([]chart.Bar, barDays)
	for i := range bars {
		day := first.AddDate(0, 0, i).Format(time.DateOnly)
		bars[i] = chart.Bar{Name: day, URL: v.link("/runs", "from", day, "to", day, "source", source, "quiet", "1"), Values: make([]float64, len(results))}
	}
	all, fine := 0, 0
	for _, d := range days {
		at, result := int(d.Day.Sub(first)/(24*time.Hour)), slices.Index(results, d.Result)
		if at < 0 || at >= len(bars) || result < 0 {
			continue
		}
		bars[at].Values[result] += float64(d.Runs)
		if all += d.Runs; d.Result == connector.ResultOK {
			fine += d.Runs
		}
	}
	for i := range bars {
		cells, sum := []string{bars[i].Name}, 0
		for _, n := range bars[i].Values {
			cells, sum = append(cells, v.number(int(n))), sum+int(n)
		}
		bars[i].Title = bars[i].Name + ": " + v.s.pages.Count(v.lang, "runs.chart.runs", sum)
		table.Rows = append(table.Rows, chart.Row{URL: bars[i].URL, Cells: cells})
	}
	slices.Reverse(table.Rows)
	f, highest := chart.Bars(parts, bars)
	f.Table, f.Top = table, v.number(int(highest))
	f.Summary = v.t("runs.chart.days", map[string]string{"Runs": v.number(all), "OK": v.number(fine), "Days": v.number(barDays)})
	return f
}

// durationChart has the last runs of a mode, full ones where none is asked for, against their median; nil where there are fewer than two.
func (v *visit) durationChart(list []*connector.Run, mode connector.Mode) *chart.Figure {
	if mode == "" {
		mode = connector.ModeFull
	}
	list = slices.DeleteFunc(list, func(r *connector.Run) bool { return r.Mode != mode || r.Finished.IsZero() })
	list = list[:min(len(list), stripLength)]
	if len(list) < 2 {
		return nil
	}
	median, f := runs.Median(list, mode), frame{v: v}
	l := &chart.Lines{Middle: median.Seconds(), Last: true}
	table := chart.Table{Title: v.t("runs.chart.numbers", nil)}
	for _, key := range []string{"runs.started", "runs.source", "runs.result", "runs.fact.took"} {
		table.Columns = append(table.Columns, v.t(key, nil))
	}
	for _, r := range list {
		took := r.Finished.Sub(r.Started)
		l.Values = append(l.Values, took.Seconds())
		table.Rows = append(table.Rows, chart.Row{
			URL: v.runAddress(r), Cells: []string{f.At(r.Started).Title, r.Source, f.ResultPill(r.Result).Text, f.Took(took)},
		})
	}
	slices.Reverse(l.Values)
	line, highest := chart.Line(l)
	line.Table, line.Top = table, f.Took(time.Duration(math.Ceil(highest*1000))*time.Millisecond)
	line.From, line.To = list[len(list)-1].Started.UTC().Format(time.DateOnly), list[0].Started.UTC().Format(time.DateOnly)
	words := map[string]string{"Mode": report.Word(v.lang, "mode", string(mode)), "Runs": v.number(len(list)), "Median": f.Took(median), "Most": line.Top}
	line.Summary = v.t("runs.chart.took", words)
	line.Legend = []chart.Key{{Class: "value", Name: v.t("runs.fact.took", nil)}, {Class: "middle", Name: v.t("runs.chart.median", nil)}}
	if median == 0 { // too few have ended well
		line.Summary, line.Legend = v.t("runs.chart.tookfew", words), line.Legend[:1]
	}
	return line
}
