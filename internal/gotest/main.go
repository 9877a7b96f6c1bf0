// Command gotest runs `go test -json` with its arguments and prints what a reader wants: a line for each
// package, everything that a failed test said, and at the end, so that nobody overlooks them, the tests
// that were skipped and why. With CI=true a skipped test is a failure: a machine that is there to test
// has no excuse. It never changes which tests run.
//
// Temporary files of tests are in memory where the machine has a file system for that: making a database or a store takes
// ten times as long on a disk. With TMPDIR set they are where it says.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
)

// memoryLeast is how many bytes have to be free in memory: servers of several packages are there at a time.
const memoryLeast = 6 << 30

func main() {
	os.Exit(run(os.Args[1:], os.Stdout))
}

func run(args []string, w io.Writer) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...) //nolint:gosec,noctx // the caller's own arguments; it lives as long as we do
	cmd.Stderr = os.Stderr
	folder, remove := inMemory(memoryFiles, memoryLeast)
	defer remove()
	cmd.Env = append(append(os.Environ(), folder...), endAtOnce()...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		return 1
	}
	// An interrupt reaches go test too: stay until it has ended, and tell what it found.
	signal.Ignore(os.Interrupt)
	s := summary{w: bufio.NewWriter(w), said: map[testID][]string{}}
	readErr := s.read(out)
	err = cmd.Wait()
	ok := s.finish(os.Getenv("CI") == "true")
	if readErr != nil {
		fmt.Fprintln(os.Stderr, "gotest:", readErr)
	}
	if err != nil || readErr != nil || !ok {
		return 1
	}
	return 0
}

// endAtOnce is the environment in which programs with the race detector end when they end: by itself it waits a second for
// races that other goroutines are about to report, at the end of each test program and of each process that one starts. What
// the tests did has been looked at by then: they ask for its races whenever one of them ends. Settings of the caller stay.
func endAtOnce() []string {
	given := os.Getenv("GORACE")
	if strings.Contains(given, "atexit_sleep_ms") {
		return nil
	}
	return []string{strings.TrimSpace("GORACE=atexit_sleep_ms=10 " + given)}
}

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type testID struct{ pkg, test string }

// summary collects what tests say until it is known whether anybody wants to read it.
type summary struct {
	w                       *bufio.Writer
	said                    map[testID][]string
	passed, failed, skipped []string
	packages                int
}

func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil { // something that is no event, such as a broken build's words
				fmt.Fprintf(s.w, "%s", line)
			} else {
				s.event(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) event(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.w, e.Output)
	case "output":
		s.said[id] = append(s.said[id], e.Output)
	case "pass":
		if e.Test == "" {
			s.packageEnds("ok  ", e)
		} else {
			s.passed = append(s.passed, e.Test)
			s.after(id)
		}
		delete(s.said, id)
	case "skip":
		if e.Test != "" {
			s.skipped = append(s.skipped, e.Package+"."+e.Test+": "+s.reason(id))
		}
		delete(s.said, id)
	case "fail":
		if e.Test == "" {
			s.packageEnds("FAIL", e)
			return
		}
		s.failed = append(s.failed, e.Package+"."+e.Test)
		fmt.Fprint(s.w, strings.Join(s.said[id], ""))
		delete(s.said, id)
	}
}

// after leaves to the package what a test seems to have said behind its own result: when the program crashes, its last
// words stand behind whichever test has ended last.
func (s *summary) after(id testID) {
	said := s.said[id]
	for i, line := range said {
		if strings.HasPrefix(strings.TrimSpace(line), "--- PASS: ") {
			all := testID{pkg: id.pkg}
			s.said[all] = append(s.said[all], said[i+1:]...)
		}
	}
}

// packageEnds prints the package's line, and what it said outside any test when it failed: a panic, a race,
// a test that never ended.
func (s *summary) packageEnds(result string, e event) {
	s.packages++
	if result == "FAIL" {
		for id, said := range s.said {
			if id.pkg == e.Package {
				fmt.Fprint(s.w, strings.Join(said, ""))
				delete(s.said, id)
			}
		}
		if !slices.ContainsFunc(s.failed, func(f string) bool { return strings.HasPrefix(f, e.Package+".") }) {
			s.failed = append(s.failed, e.Package)
		}
	}
	fmt.Fprintf(s.w, "%s  %-50s %6.1fs\n", result, e.Package, e.Elapsed)
	s.flush()
}

// flush shows what was written so far. Output that nobody can take any more is no reason to stop the tests.
func (s *summary) flush() { _ = s.w.Flush() }

// reason returns what a skipped test said, without go test's own lines.
func (s *summary) reason(id testID) string {
	var words []string
	for _, line := range s.said[id] {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}

// finish prints the last lines and reports whether all is well.
func (s *summary) finish(ci bool) bool {
	for _, t := range s.skipped {
		fmt.Fprintf(s.w, "SKIPPED  %s\n", t)
	}
	for _, t := range s.failed {
		fmt.Fprintf(s.w, "FAILED   %s\n", t)
	}
	defer s.flush()
	fmt.Fprintf(s.w, "packages: %d, tests passed: %d, failed: %d, SKIPPED: %d\n", s.packages, len(s.passed), len(s.failed), len(s.skipped))
	if ci && len(s.skipped) > 0 {
		fmt.Fprintln(s.w, "CI=true: a skipped test is a failure")
		return false
	}
	return len(s.failed) == 0
}
