package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"usherd/connector"
)

// comparedRows are the people of a comparison.
var comparedRows = regexp.MustCompile(`<tr><th scope="row">(?:<a href="[^"]+">)?<bdi>([^<]+)</bdi>`)

// Two ticked runs are compared: counts side by side, whose outcome differs by pages, and what differs in the configuration.
func TestRunsAreCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var many []*connector.Change
	for n := range 120 {
		many = append(many, failed(fmt.Sprintf("p%03d", n), connector.NoSeat))
	}
	a := w.aRun(0, nil, append(many, failed("same", connector.NoSeat), failed("<b>eve</b>", connector.NoSeat), held("carol"))...)
	b := w.aRun(2, nil, failed("same", connector.NoSeat), failed("<b>eve</b>", connector.RequiredMissing), failed("carol", connector.NoSeat))
	c := w.as("owner")
	w.want(c.get("/runs"), http.StatusOK, `<input type="checkbox" name="run" value="`+a.ID.String()+`"`, `<form method="get" action="/admin/runs/compare">`, "Compare the two that are ticked")
	compared := "/runs/compare?a=" + a.ID.String() + "&b=" + b.ID.String()
	ticked := c.get("/runs/compare?run=" + b.ID.String() + "&run=" + a.ID.String())
	if ticked.to() != "/admin"+compared {
		t.Error(ticked.to())
	}
	page := c.get(compared)
	w.want(page, http.StatusOK, "Both runs are of the same source", `<th scope="row">Created</th><td>0</td><td>2</td><td class="num">&#43;2</td>`,
		`<th scope="row">Failed</th><td>122</td><td>3</td><td class="num">−119</td>`, "does not say under which configuration")
	if got := w.walk(c, compared, comparedRows); len(got) != 120+2+2 || got["same"] || !got["carol"] || !got["&lt;b&gt;eve&lt;/b&gt;"] {
		t.Errorf("%d people differ: %v", len(got), got)
	}
	w.want(page, http.StatusOK, `<small>no_seat</small></td><td><span class="pill off">nothing kept</span></td>`)
	small := w.aRun(0, nil, held("carol"))
	c = w.as("owner")
	w.want(c.get("/runs/compare?a="+b.ID.String()+"&b="+small.ID.String()), http.StatusOK, `<span class="pill warn">Deactivated</span> <span class="pill wait">Held</span>`)
	w.not(w.as("auditor").get(compared), "p001", "eve")
	w.want(c.get("/runs/compare?a="+small.ID.String()+"&b="+small.ID.String()), http.StatusOK, "Nobody’s outcome differs")
}

func TestOnlyTwoRunsOfTheOrganizationAreCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.aRun(1, func(r *connector.Run) { r.Revision = "one" })
	b := w.aRun(1, func(r *connector.Run) { r.Source, r.Mode, r.Revision = "lab", connector.ModeChanges, "two" })
	foreign := w.aRun(1, func(r *connector.Run) { r.Org = "other" })
	c := w.as("owner")
	for query, status := range map[string]int{
		"": http.StatusUnprocessableEntity, "?run=" + a.ID.String(): http.StatusUnprocessableEntity, "?a=" + a.ID.String(): http.StatusUnprocessableEntity,
		"?run=1&run=2&run=3":                                         http.StatusUnprocessableEntity,
		"?a=" + a.ID.String() + "&b=nonsense":                        http.StatusNotFound,
		"?b=" + a.ID.String() + "&a=" + connector.ID{9}.String():     http.StatusNotFound,
		"?a=" + a.ID.String() + "&b=" + foreign.ID.String():          http.StatusNotFound,
		"?a=" + a.ID.String() + "&b=" + b.ID.String() + "&after=eA":  http.StatusConflict,
		"?a=" + a.ID.String() + "&b=" + a.ID.String() + "&after=%22": http.StatusOK,
	} {
		if got := c.get("/runs/compare" + query); got.StatusCode != status {
			t.Errorf("%s: %d, want %d", query, got.StatusCode, status)
		}
	}
	w.want(c.get("/runs/compare?a="+a.ID.String()+"&b="+b.ID.String()), http.StatusOK, "of different sources", "have not read the same", "The configuration was another one")
}

// What differs between the configurations of two runs is told as the page of revisions tells it.
func TestConfigurationsOfTwoRunsAreCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &program{}
	w.program = p
	w.serve(address)
	for id, text := range map[string]string{"one": configText, "two": strings.Replace(configText, "percent: 5", "percent: 7", 1)} {
		if err := w.db.PutRevision(t.Context(), connector.Revision{ID: id, At: w.now, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(revision string) string {
		return w.aRun(0, func(r *connector.Run) { r.Revision = revision }).ID.String()
	}
	one, again, two, lost := run("one"), run("one"), run("two"), run("lost")
	c := w.as("owner")
	w.want(c.get("/runs/compare?a="+one+"&b="+again), http.StatusOK, "The configuration was the same")
	w.want(c.get("/runs/compare?a="+one+"&b="+two), http.StatusOK, "1 value of the configuration differs", "guard.percent", "<del><bdi>5</bdi></del>", "<ins><bdi>7</bdi></ins>")
	w.want(c.get("/runs/compare?a="+one+"&b="+lost), http.StatusOK, "lost")
}
