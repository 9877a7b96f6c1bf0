package console_test

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

// Each bar above the list leads to the runs that it counts, and so does the table of the same numbers.
func TestBarsLeadToTheRunsOfADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.not(w.as("owner").get("/runs"), "chart bars") // there is nothing to draw
	begin := w.now
	ended := func(days, n int, result connector.Result) {
		for range n {
			w.aRun(0, func(r *connector.Run) {
				r.Started = begin.AddDate(0, 0, -days)
				r.ID, r.Result, r.Finished = connector.NewID(r.Started), result, r.Started.Add(time.Minute)
			})
		}
	}
	ended(2, 3, connector.ResultOK)
	ended(2, 1, connector.ResultFailed)
	ended(29, 60, connector.ResultOK)
	ended(40, 1, connector.ResultOK) // longer ago than is drawn
	b := w.as("owner")
	a := b.get("/runs")
	w.want(a, http.StatusOK, "63 of 64 runs in 30 days ended well", `<span class="top">60</span>`, "usually 1 m 0 s")
	rows := regexp.MustCompile(`<tr><th scope="row"><a href="/admin(/runs\?[^"]+)">([0-9-]+)</a></th><td>(\d+)</td><td>0</td><td>0</td><td>(\d+)</td>`).FindAllStringSubmatch(a.text, -1)
	if len(rows) != 30 {
		t.Fatalf("%d days in the table", len(rows))
	}
	total := 0
	for _, m := range rows {
		ok, _ := strconv.Atoi(m[3])
		failed, _ := strconv.Atoi(m[4])
		if ok+failed == 0 {
			continue
		}
		total += ok + failed
		page := strings.ReplaceAll(m[1], "&amp;", "&")
		if got := w.walk(b, page, runRows); len(got) != ok+failed {
			t.Errorf("%s: the bar has %d runs, the list %d", m[2], ok+failed, len(got))
		}
		if !strings.Contains(a.text, `<a href="/admin`+m[1]+`" tabindex="-1">`) {
			t.Errorf("no bar leads to %s", page)
		}
	}
	if total != 64 {
		t.Errorf("the table has %d runs", total)
	}
	w.want(b.get("/runs?source=nobody"), http.StatusOK, "No run fits")
	w.not(b.get("/runs?source=nobody"), "chart bars")
}

// The filters of the list choose by what started a run, what it read, how it was decided and how much it changed.
func TestRunsAreFiltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("owner")
	live := w.aRun(1, func(r *connector.Run) { r.Actor, r.Mode = connector.ActorLive, connector.ModeChanges })
	by := w.aRun(3, func(r *connector.Run) { r.Actor = `console:<b>ann</b>`; r.Finished = r.Started.Add(10 * time.Second) })
	api := w.aRun(2, func(r *connector.Run) { r.Actor, r.Mode = "api:1234", connector.ModePreview })
	waiting := w.aRun(0, waits, held("carol"))
	rejected := w.aRun(0, func(r *connector.Run) {
		waits(r)
		r.Hold.Status, r.Hold.By = connector.HoldRejected, "ann"
	})
	w.aRun(1, nil)
	w.aRun(1, nil)
	for query, want := range map[string]*connector.Run{
		"trigger=live": live, "trigger=api": api, "trigger=manual": by, "mode=changes": live, "mode=preview": api, "decision=open": waiting, "decision=rejected": rejected, "changes=3": by,
	} {
		a := b.get("/runs?" + query)
		w.want(a, http.StatusOK, `<details class="more" open>`)
		if got := runRows.FindAllStringSubmatch(a.text, -1); len(got) != 1 || got[0][1] != want.ID.String() {
			t.Errorf("%s: %v", query, got)
		}
	}
	a := b.get("/runs")
	w.want(a, http.StatusOK, "console:&lt;b&gt;ann&lt;/b&gt;", "5.0 × the usual 2.0 s", `<details class="more">`, "rejected by ann", "waits for a decision")
	w.want(b.get("/runs?from=yesterday"), http.StatusConflict, "from is no day")
	w.want(b.get("/runs?to=%22%3E%3Cscript%3E"), http.StatusConflict, "to is no day")
	w.want(b.get("/runs?changes=many"), http.StatusConflict, "changes is no number")
	w.want(b.get("/runs?changes=4"), http.StatusOK, "No run fits")
}

func TestRunsAreExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.aRun(1, func(r *connector.Run) { r.Actor, r.Error = "=cmd|' /C calc'!A0", "<b>no answer</b>" })
	}
	w.aRun(1, func(r *connector.Run) { r.Source = "other" })
	w.aRun(0, nil) // is not shown either
	a := w.as("auditor").get("/runs/export.csv?source=office")
	w.want(a, http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(a.text)).ReadAll()
	if err != nil || len(rows) != 3 || rows[0][0] != "run" || rows[1][7] != "'=cmd|' /C calc'!A0" || rows[1][19] != "<b>no answer</b>" || rows[1][10] != "1" {
		t.Errorf("%v %q", err, rows)
	}
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditExported})
	if err != nil || len(entries) != 1 || entries[0].Target != "runs" {
		t.Errorf("%v %+v", err, entries)
	}
	w.want(w.as("owner").get("/runs"), http.StatusOK, `href="/admin/runs/export.csv"`)
}

// The row of a run that goes on is brought up to date by itself, and the rest of the page stays as somebody has it.
func TestTheRowOfARunThatGoesOnIsLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aRun(1, nil)
	r := w.aRun(0, func(r *connector.Run) { r.Result, r.Finished = connector.ResultRunning, time.Time{} })
	b := w.as("owner")
	row := `<tr id="run-` + r.ID.String() + `" hx-get="/admin/runs" hx-trigger="every 5s" hx-select="#run-` + r.ID.String() + `" hx-swap="outerHTML">`
	a := b.get("/runs")
	w.want(a, http.StatusOK, row, "43 %", `name="pause" value="on"`)
	if n := strings.Count(a.text, "hx-get"); n != 1 {
		t.Errorf("%d parts are live", n)
	}
	a = b.send(http.MethodGet, "/runs", nil, http.Header{"Hx-Request": {"true"}, "Hx-Target": {"run-" + r.ID.String()}})
	w.want(a, http.StatusOK, row)
	w.not(a, "<figure", "<html")
	if a.Header.Get("HX-Refresh") != "" {
		t.Error("the whole page is asked for")
	}
}

// What was paused stays paused on all pages, for who has paused it, until it goes on; the theme is another matter.
func TestPauseIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.aRun(0, func(r *connector.Run) { r.Result, r.Finished = connector.ResultRunning, time.Time{} })
	pages := []string{"/", "/runs", "/runs/" + r.ID.String()}
	b := w.as("auditor")
	prefer := func(name, value string) {
		t.Helper()
		m := keyForm.FindStringSubmatch(b.get("/runs").text)
		a := b.send(http.MethodPost, "/preferences", url.Values{"key": {m[1]}, name: {value}, "next": {"/admin/runs?source=office"}}, nil)
		if a.StatusCode != http.StatusSeeOther || a.to() != "/admin/runs?source=office" {
			t.Errorf("%d %s", a.StatusCode, a.to())
		}
	}
	prefer("theme", "dark")
	for _, paused := range []bool{false, true, false} {
		if paused {
			prefer("pause", "on")
		}
		for _, page := range pages {
			if a := b.get(page); paused {
				w.want(a, http.StatusOK, `name="pause" value="off"`, `data-theme="dark"`)
				w.not(a, "hx-get", "http-equiv", `name="pause" value="on"`)
			} else {
				w.want(a, http.StatusOK, `name="pause" value="on"`, "hx-get", `data-theme="dark"`)
			}
		}
		if paused {
			w.want(w.as("owner").get("/runs"), http.StatusOK, "hx-get")
			prefer("theme", "light")
			prefer("theme", "dark")
			w.not(b.get("/runs"), "hx-get")
			prefer("pause", "off")
		}
	}
	if r.Result, r.Finished = connector.ResultOK, w.now; w.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), r) }) != nil {
		t.Fatal("the run does not end")
	}
	for _, page := range pages {
		w.not(b.get(page), `name="pause"`)
	}
}
