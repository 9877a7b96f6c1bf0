package console_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"usherd/connector"
)

var update = flag.Bool("update", false, "write golden files anew")

var statesFigure = regexp.MustCompile(`(?s)<figure class="diagram">.*?</figure>`)

// The page of a person marks the state, says what leads on from it, and has a table of all ways.
func TestStatesOnThePageOfAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("auditor")
	for state, wants := range map[connector.State][]string{
		connector.Verified: {"● Verified", "<strong>4</strong> → Active: The first sign-in", "<strong>7</strong> → Inactive", "<strong>6</strong>"},
		connector.Inactive: {"● Inactive", "<strong>8</strong> → In the organization", "<strong>10</strong> → Deleted"},
	} {
		a := b.get(path(w.create(string(state), state), ""))
		w.want(a, http.StatusOK, append(wants, `<caption class="sr">What leads from state to state</caption>`)...)
		if n := strings.Count(a.text, `class="node current"`); n != 1 {
			t.Errorf("%s: %d states are marked", state, n)
		}
		if n := strings.Count(a.text, `class="arrow out"`); n == 0 || n != strings.Count(a.text, "<li><strong>") {
			t.Errorf("%s: the arrows that lead on are not those that are told", state)
		}
	}
	picture := statesFigure.FindString(b.get(path(w.user("inactive"), "")).text)
	file := filepath.Join("testdata", "states.html")
	if *update {
		if err := os.WriteFile(file, []byte(picture), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if picture != string(want) {
		t.Errorf("%s: run the tests with -update and look at the difference\n%s", file, picture)
	}
	w.want(b.get(path(w.user("inactive"), "?lang=pl")), http.StatusOK, "● Nieaktywny", ">gdzie indziej</text>")
}
