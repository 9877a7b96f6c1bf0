package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/report"
)

// requestSink writes requests one by one.
type requestSink struct {
	row func(*connector.Request) error
	end func() error
}

func (a *app) requestSink(f *logFlags) requestSink {
	nothing := func() error { return nil }
	switch {
	case f.o.json() && f.follow:
		return requestSink{func(r *connector.Request) error { return writeLine(a.out, api.NewRequest(r)) }, nothing}
	case f.o.json():
		return a.requestJSONSink()
	case f.follow || f.bodies: // what comes is not known when the first line is written
		return requestSink{a.showRequest, nothing}
	}
	return a.requestTable()
}

func (a *app) requestJSONSink() requestSink {
	open := "{\"requests\":[\n"
	return requestSink{func(r *connector.Request) error {
		if _, err := fmt.Fprint(a.out, open); err != nil {
			return err
		}
		open = ","
		return writeLine(a.out, api.NewRequest(r))
	}, func() error {
		if open != "," {
			fmt.Fprint(a.out, open)
		}
		_, err := fmt.Fprintln(a.out, "]}")
		return err
	}}
}

// requestTable leaves out, where there is little room, what the other columns suggest.
func (a *app) requestTable() requestSink {
	columns := []report.Column{
		{Title: "Time"},
		{Title: "Client", Flex: true},
		{Title: "Status", Right: true},
		{Title: "Request", Flex: true},
		{Title: "Person", Flex: true},
		{Title: "Notes", Flex: true},
	}
	if !a.narrow() {
		columns = append(columns[:5:5], report.Column{Title: "Took", Right: true}, columns[5])
	}
	tab := report.NewTable(a.out, a.width(), columns...)
	rows := 0
	return requestSink{func(r *connector.Request) error {
		row := []string{a.second(r.At), r.Org + "/" + r.Source, strconv.Itoa(r.Status), asked(r), r.Person, notes(r)}
		if !a.narrow() {
			row = append(row[:5:5], took(r.Duration), row[5])
		}
		tab.Row(row...)
		rows++
		return nil
	}, func() error {
		if rows == 0 {
			_, err := fmt.Fprintln(a.err, "no such requests are logged")
			return err
		}
		return tab.Flush()
	}}
}

// showRequest writes one line, and the bodies below it.
func (a *app) showRequest(r *connector.Request) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s/%s  %3d  %8s  %s", a.second(r.At), r.Org, r.Source, r.Status, took(r.Duration), printable(asked(r)))
	for _, s := range []string{r.Person, notes(r)} {
		if s != "" {
			b.WriteString("  " + printable(s))
		}
	}
	b.WriteByte('\n')
	for _, part := range []struct {
		mark string
		body []byte
	}{{">", r.Asked}, {"<", r.Answered}} {
		if len(part.body) > 0 {
			fmt.Fprintf(&b, "  %s %s\n", part.mark, printable(string(part.body)))
		}
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// second is a time of the log; on a narrow terminal without its date where that is today.
func (a *app) second(t time.Time) string {
	t = t.UTC()
	if a.narrow() && a.now().UTC().Format(time.DateOnly) == t.Format(time.DateOnly) {
		return t.Format("15:04:05Z")
	}
	return t.Format("2006-01-02 15:04:05Z")
}

func took(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// asked is method, path and query as people read them, without what all paths of the organization begin with.
func asked(r *connector.Request) string {
	text := r.Method + " " + strings.TrimPrefix(r.Path, "/scim/"+r.Org+"/v2")
	if r.Query == "" {
		return text
	}
	if query, err := url.QueryUnescape(r.Query); err == nil {
		return text + "?" + query
	}
	return text + "?" + r.Query
}

// notes are scimType, reference and quirks.
func notes(r *connector.Request) string {
	words := []string{}
	for _, w := range []string{r.ScimType, r.Ref} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(append(words, r.Quirks...), " ")
}
