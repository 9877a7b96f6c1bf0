package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const events = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0.1}
{"Action":"output","Package":"p","Test":"TestAway","Output":"=== RUN   TestAway\n"}
{"Action":"output","Package":"p","Test":"TestAway","Output":"    a_test.go:3: no server\n"}
{"Action":"output","Package":"p","Test":"TestAway","Output":"--- SKIP: TestAway (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestAway","Elapsed":0}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p","Elapsed":0.1}
`

const failing = `{"Action":"output","Package":"q","Test":"TestBad","Output":"    b_test.go:5: got 1, want 2\n"}
{"Action":"fail","Package":"q","Test":"TestBad","Elapsed":0}
{"Action":"fail","Package":"q","Elapsed":2}
{"ImportPath":"r","Action":"build-output","Output":"r.go:1:1: syntax error\n"}
{"ImportPath":"r","Action":"build-fail"}
{"Action":"output","Package":"s","Test":"TestNeverEnds","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"s","Elapsed":9}
not an event
`

func read(t *testing.T, in string, ci bool) (string, bool) {
	t.Helper()
	var b bytes.Buffer
	s := summary{w: bufio.NewWriter(&b), said: map[testID][]string{}}
	if err := s.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	ok := s.finish(ci)
	return b.String(), ok
}

func TestSkippedTestsAreToldAtTheEnd(t *testing.T) {
	t.Parallel()
	want := "ok    p                                                     0.1s\n" +
		"SKIPPED  p.TestAway: a_test.go:3: no server\n" +
		"packages: 1, tests passed: 1, failed: 0, SKIPPED: 1\n"
	got, ok := read(t, events, false)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("ok %v; -want +got:\n%s", ok, diff)
	}
	if got, ok := read(t, events, true); ok || !strings.Contains(got, "CI=true") {
		t.Errorf("with CI=true: ok %v, %s", ok, got)
	}
}

func TestFailuresAreShownWhole(t *testing.T) {
	t.Parallel()
	got, ok := read(t, events+failing, false)
	if ok {
		t.Error("failures are no failure")
	}
	for _, want := range []string{
		"b_test.go:5: got 1, want 2\n", "FAIL  q", "r.go:1:1: syntax error\n", "panic: test timed out\n", "not an event\n",
		"FAILED   q.TestBad\n", "FAILED   s\n", "packages: 3, tests passed: 1, failed: 2, SKIPPED: 1\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "chatter") {
		t.Errorf("a test that passed is heard:\n%s", got)
	}
}

// The last words of a program that crashes stand behind the test that has ended last, which is well.
func TestWordsOfACrashAreShown(t *testing.T) {
	t.Parallel()
	const crash = `{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (0.00s)\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"SIGSEGV: segmentation violation\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0}
{"Action":"fail","Package":"p","Elapsed":1}
`
	if got, ok := read(t, crash, false); ok || !strings.Contains(got, "SIGSEGV: segmentation violation") {
		t.Errorf("ok %v, and it says\n%s", ok, got)
	}
}

func TestProgramsEndAtOnce(t *testing.T) {
	for given, want := range map[string]string{
		"": "GORACE=atexit_sleep_ms=10", "halt_on_error=1": "GORACE=atexit_sleep_ms=10 halt_on_error=1", "atexit_sleep_ms=5": "",
	} {
		t.Setenv("GORACE", given)
		if got := strings.Join(endAtOnce(), "|"); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
