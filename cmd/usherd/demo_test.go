package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

var updateDemo = flag.Bool("update-demo", false, "write the golden file of the demo")

// demoApp is a program with its own streams, which nothing of the environment reaches.
func demoApp(in io.Reader, out, errs io.Writer) *app {
	return &app{in: in, out: out, err: errs, now: time.Now, env: func(string) (string, bool) { return "", false }}
}

// runDemo runs usherd demo to its end and checks that nothing listens any more.
func runDemo(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if got := demoApp(strings.NewReader(""), &out, &errs).run(t.Context(), append([]string{"demo"}, args...)); got != code {
		t.Fatalf("exit code %d, want %d\n%s\n%s", got, code, out.String(), errs.String())
	}
	nothingListens(t, out.String())
	return out.String()
}

var addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func nothingListens(t *testing.T, shown string) {
	t.Helper()
	found := map[string]bool{}
	for _, addr := range addresses.FindAllString(shown, -1) {
		if found[addr] {
			continue
		}
		found[addr] = true
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", addr)
		}
	}
	if len(found) < 3 {
		t.Errorf("addresses of directory, name server and daemon are not shown: %v", found)
	}
}

// ask runs a command on what a demo has left in dir.
func ask[T any](t *testing.T, dir string, args ...string) (v T) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"-c", filepath.Join(dir, "usherd.yaml"), "-o", "json"}, args...)
	if code := demoApp(strings.NewReader(""), &out, &errs).run(t.Context(), args); code != exitOK {
		t.Fatalf("usherd %s: exit code %d\n%s", strings.Join(args, " "), code, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), &v); err != nil {
		t.Fatalf("usherd %s: %v in\n%s", strings.Join(args, " "), err, out.String())
	}
	return v
}

type demoRuns struct {
	Runs []struct {
		Counts connector.Counts
		Result connector.Result
	}
}

type demoUsers struct{ Users []userJSON }

type demoSeats struct {
	Seats []struct {
		Package              string
		Seats, Used, Waiting int
	}
}

type demoFailures struct {
	Failures []struct{ Reason connector.Reason }
}

// crowdOf counts what the people of a demo lead to, from the people themselves.
func crowdOf(n int) (disabled, missing, shared, sales int) {
	mails := map[string]int{}
	crowd := (&demo{flags: demoFlags{people: n, seed: 1}}).crowd()
	for p := range ldaptest.People(crowd) {
		if complete(p) {
			mails[p.Mail]++
		}
	}
	for p := range ldaptest.People(crowd) {
		switch {
		case p.Disabled || p.Expired:
			disabled++
		case p.Surname == "" || p.Mail == "":
			missing++
		case mails[p.Mail] > 1:
			shared++
		case p.Department == "Sales":
			sales++
		}
	}
	return disabled, missing, shared, sales
}

func TestDemoShowsWhatAFirstSyncDoes(t *testing.T) {
	t.Parallel()
	const people = 200
	dir := filepath.Join(t.TempDir(), "kept")
	out := runDemo(t, exitFailed, "--once", "--people", "200", "--dir", dir)
	disabled, missing, shared, sales := crowdOf(people)
	seats := map[string][3]int{}
	for _, s := range ask[demoSeats](t, dir, "seats").Seats {
		seats[s.Package] = [3]int{s.Seats, s.Used, s.Waiting}
	}
	premium := seats["premium"][0]
	waiting := sales - premium
	created := people - disabled - missing - shared - waiting
	if disabled == 0 || missing == 0 || shared == 0 || waiting < 1 {
		t.Errorf("some kind of trouble has nobody: %d disabled, %d incomplete, %d with a shared address, %d without a seat", disabled, missing, shared, waiting)
	}
	run := ask[demoRuns](t, dir, "runs").Runs[0]
	want := connector.Counts{Created: created, Skipped: disabled, Failed: missing + shared + waiting}
	if diff := cmp.Diff(want, run.Counts); diff != "" || run.Result != connector.ResultOK {
		t.Errorf("the run is %s (-want +got):\n%s", run.Result, diff)
	}
	wantSeats := map[string][3]int{"standard": {people, created - premium, 0}, "premium": {premium, premium, waiting}}
	if diff := cmp.Diff(wantSeats, seats); diff != "" {
		t.Errorf("seats (-want +got):\n%s", diff)
	}
	reasons := map[connector.Reason]int{}
	for _, f := range ask[demoFailures](t, dir, "failures").Failures {
		reasons[f.Reason]++
	}
	wantReasons := map[connector.Reason]int{connector.RequiredMissing: missing, connector.EmailTaken: shared, connector.NoSeat: waiting}
	if diff := cmp.Diff(wantReasons, reasons); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	states := map[connector.State]int{}
	for _, u := range ask[demoUsers](t, dir, "users", "--limit", "0").Users {
		states[u.State]++
		if proven := strings.HasSuffix(u.Email, "@"+demoDomain); proven != (u.State == connector.Active) {
			t.Errorf("%s is %s", u.Email, u.State)
		}
	}
	if states[connector.Active] == 0 || states[connector.NotVerified] == 0 || states[connector.Active]+states[connector.NotVerified] != created {
		t.Errorf("states %v of %d users", states, created)
	}
	for _, want := range []string{"required_missing", "email_taken", "no_seat", "Users by state", filepath.Join(dir, "report-1.html")} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not shown in\n%s", want, out)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "report-1.html"))
	if err != nil || !bytes.Contains(page, []byte("required_missing")) {
		t.Errorf("the page: %d bytes, %v", len(page), err)
	}
}

// TestDemoOpening compares all before the first report: directory, configuration, domain.
func TestDemoOpening(t *testing.T) {
	t.Parallel()
	out := runDemo(t, exitFailed, "--once", "--people", "50", "-q")
	opening, _, _ := strings.Cut(out, "\nnordlys / head-office")
	opening = addresses.ReplaceAllString(opening, "127.0.0.1:PORT")
	opening = regexp.MustCompile(`(\S) +# `).ReplaceAllString(opening, "$1 # ") // lined up, as far as a port is long
	opening = regexp.MustCompile(`verification=[a-z0-9]{26}`).ReplaceAllString(opening, "verification=TOKEN")
	opening = regexp.MustCompile(`(?m)^.*usherd-demo-\d+.usherd.yaml`).ReplaceAllString(opening, "FOLDER/usherd.yaml")
	golden := filepath.Join("testdata", "demo.golden")
	if *updateDemo {
		if err := os.WriteFile(golden, []byte(opening), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), opening); diff != "" {
		t.Errorf("(-want +got) accept with -update-demo:\n%s", diff)
	}
	if strings.Contains(out, ".html") || strings.Contains(out, "report last") {
		t.Errorf("it names files that are gone:\n%s", out)
	}
}

func TestDemoHiresAndFires(t *testing.T) {
	t.Parallel()
	once := func() [2]connector.Counts {
		dir := filepath.Join(t.TempDir(), "kept")
		out := runDemo(t, exitFailed, "--once", "--people", "200", "--hire", "10", "--fire", "5", "--dir", dir)
		if !strings.Contains(out, "hired: ") || !strings.Contains(out, "fired: ") || !strings.Contains(out, "5  People come and go") {
			t.Errorf("not told who came and went:\n%s", out)
		}
		runs := ask[demoRuns](t, dir, "runs").Runs
		if len(runs) != 2 {
			t.Fatalf("%d runs", len(runs))
		}
		return [2]connector.Counts{runs[1].Counts, runs[0].Counts}
	}
	first := once()
	second := first[1]
	if second.Created == 0 || second.Created > 10 || second.Deactivated == 0 || second.Deactivated > 5 || second.Held != 0 {
		t.Errorf("the second run: %+v", second)
	}
	// Whoever came, left or stayed is counted once; those who left without a user are not.
	all := second.Created + second.Deactivated + second.Reactivated + second.Updated + second.Unchanged + second.Skipped + second.Failed
	if all < 205 || all > 210 {
		t.Errorf("%d people in %+v", all, second)
	}
	if diff := cmp.Diff(first, once()); diff != "" {
		t.Errorf("the same seed gives something else:\n%s", diff)
	}
}

// screen collects what is shown.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(b)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return n, err
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until something like text is shown behind the place from, and returns the place behind it.
func (s *screen) await(t *testing.T, from int, text string) int {
	t.Helper()
	want := regexp.MustCompile(text)
	timeout := time.After(30 * time.Second)
	for {
		if found := want.FindStringIndex(s.String()[from:]); found != nil {
			return from + found[1]
		}
		select {
		case <-s.more:
		case <-timeout:
			t.Fatalf("%q is not shown after\n%s", text, s.String()[from:])
		}
	}
}

// session is a demo with a prompt.
type session struct {
	t      *testing.T
	screen *screen
	in     *io.PipeWriter
	at     int
	cancel context.CancelFunc
	code   chan int
}

func startDemo(t *testing.T, now func() time.Time, args ...string) *session {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	s := &session{t: t, screen: &screen{more: make(chan struct{}, 1)}, in: w, cancel: cancel, code: make(chan int, 1)}
	a := demoApp(r, s.screen, io.Discard)
	a.now = now
	go func() { s.code <- a.run(ctx, append([]string{"demo", "--prompt", "--people", "200"}, args...)) }()
	t.Cleanup(func() {
		cancel()
		_ = w.Close()
	})
	s.await("usherd> ")
	return s
}

func (s *session) await(text string) {
	s.t.Helper()
	s.at = s.screen.await(s.t, s.at, text)
}

// do gives an order, waits for these texts in their order and for the next prompt.
func (s *session) do(order string, texts ...string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, order+"\n"); err != nil {
		s.t.Fatal(err)
	}
	for _, text := range texts {
		s.await(text)
	}
	s.await("usherd> ")
}

// ended checks that the demo ends well and leaves nothing.
func (s *session) ended() {
	s.t.Helper()
	if code := <-s.code; code != exitOK {
		s.t.Errorf("exit code %d\n%s", code, s.screen)
	}
	nothingListens(s.t, s.screen.String())
	folder := filepath.Dir(regexp.MustCompile(`\S*usherd-demo-\S+usherd\.yaml`).FindString(s.screen.String()))
	if _, err := os.Stat(folder); !os.IsNotExist(err) || folder == "." {
		s.t.Errorf("the folder %s: %v", folder, err)
	}
}

// soon is a clock on which the schedule's next moment is near.
func soon() func() time.Time {
	begin := time.Now()
	shift := begin.Truncate(5 * time.Minute).Add(5*time.Minute - 3*time.Second).Sub(begin)
	return func() time.Time { return time.Now().Add(shift) }
}

func TestDemoPromptPlaysTheAdministrator(t *testing.T) {
	t.Parallel()
	s := startDemo(t, soon())
	s.await("synced on schedule: ")
	s.await("usherd> ")
	s.do("h 4", "4 hired: ", " and [1-3] more\n", "created.* · ")
	s.do("s", "Users by state", "report-2.html", "Missed 0: ")
	s.do("e", "nobody was disabled")
	s.do("D 2", "2 disabled: ", "2 deactivated · ", "of others.*: 1 created\n") // a premium seat is free, which somebody had waited for
	s.do("e 9", "2 enabled again: ", `1 reactivated, 1 failed \(32 no_seat\) · `)
	s.do("m", "1 moved to another department: ", "1 updated · ")
	s.do("r 2", "2 renamed: ", "2 updated · ")
	s.do("fire40", "40 fired: ", " and 3[7-9] more\n", "[0-9]+ held for approval", "Held: .*removals", "Approve it with a")
	s.do("a", "Done, but", "deactivated", "inactive")
	s.do("a", "nothing is held")
	s.do("s", "Missed 0: ")
	s.do("u", "164 people in the directory", "active", "Package", "Premium")
	s.do("x 3", `no command "x"`)
	s.do("h -1", "no number")
	s.do("?", "approve what is held")
	s.do("")
	health := "http://" + regexp.MustCompile(`http://([\d.:]+)/readyz`).FindStringSubmatch(s.screen.String())[1]
	for path, want := range map[string]string{"/readyz": `"ready":true`, "/metrics": `usherd_source_following{org="nordlys",source="head-office"} 1`} {
		if body := fetch(t, health+path); !strings.Contains(body, want) {
			t.Errorf("%s does not have %s:\n%s", path, want, body)
		}
	}
	if _, err := io.WriteString(s.in, "q\n"); err != nil {
		t.Fatal(err)
	}
	s.ended()
}

// TestDemoTellsWhatBecameOfWhom compares what is said at the prompt with the store, and tries all that the last
// page says of another terminal.
func TestDemoTellsWhatBecameOfWhom(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kept")
	s := startDemo(t, time.Now, "--dir", dir)
	users := func() int { return len(ask[demoUsers](t, dir, "users", "--limit", "0").Users) }
	before := users()
	from := s.at
	s.do("h 60", "60 hired: ", " · ")
	told, sum := s.screen.String()[from:s.at], 0
	counts := map[string]int{}
	for _, m := range regexp.MustCompile(`[ (](\d+) (created|failed|skipped)`).FindAllStringSubmatch(told, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		counts[m[2]] += n
		sum += n
	}
	if sum != 60 || counts["created"] != users()-before || counts["failed"] == 0 || counts["skipped"] == 0 {
		t.Errorf("%d users were created, but told is\n%s", users()-before, told)
	}
	tries := regexp.MustCompile(`(?m)^  usherd (.+?) +# `).FindAllStringSubmatch(s.screen.String(), -1)
	if len(tries) < 10 {
		t.Fatalf("%d commands to try", len(tries))
	}
	for _, m := range tries {
		var out, errs bytes.Buffer
		args := append([]string{"-c", filepath.Join(dir, "usherd.yaml")}, strings.Fields(strings.Replace(m[1], "what-if", filepath.Join(dir, "what-if"), 1))...)
		code := demoApp(strings.NewReader(""), &out, &errs).run(t.Context(), args)
		if code == exitError || code == exitUsage || code == exitConfig || out.Len() == 0 {
			t.Errorf("usherd %s: exit code %d\n%s", m[1], code, errs.String())
		}
	}
	s.do("a", "Done", "deleted +"+strconv.Itoa(counts["created"])+"\n") // what rollback last has put up for approval
	s.cancel()
	if code := <-s.code; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestDemoEndsWithTheInputOrAnInterrupt(t *testing.T) {
	t.Parallel()
	s := startDemo(t, time.Now)
	_ = s.in.Close()
	s.ended()
	s = startDemo(t, time.Now)
	s.cancel()
	s.ended()
}

func TestDemoRefusesWrongUse(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "usherd.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--people", "3"}, "from 50"},
		{[]string{"--people", "60", "--fire", "31"}, "half"},
		{[]string{"--hire", "-1"}, "--hire -1"},
		{[]string{"--once", "--prompt"}, "one or the other"},
		{[]string{"--dir", full}, "files in it"},
		{[]string{"now"}, "no argument"},
	} {
		var out, errs bytes.Buffer
		code := demoApp(strings.NewReader(""), &out, &errs).run(t.Context(), append([]string{"demo"}, c.args...))
		if code != exitUsage || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%v: exit code %d, %q, want %q", c.args, code, errs.String(), c.says)
		}
	}
	if text, err := os.ReadFile(filepath.Join(full, "usherd.yaml")); err != nil || string(text) != "mine" {
		t.Errorf("a file of the user's was touched: %q, %v", text, err)
	}
}
