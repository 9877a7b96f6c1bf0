package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

// serving is the daemon as a process of its own, watched as systemd would.
type serving struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    *logLines
	url    string
	notify *net.UnixConn
	took   time.Duration // from start to READY=1
}

// daemon starts the daemon and waits until it says that it is ready.
func (r *rig) daemon(t *testing.T) *serving {
	t.Helper()
	return r.daemonOf(t, r.process)
}

// daemonOf is daemon with process or quick.
func (r *rig) daemonOf(t *testing.T, process func(args ...string) (*exec.Cmd, *bytes.Buffer)) *serving {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals and no systemd")
	}
	dir, err := os.MkdirTemp("", "usherd-notify-") // the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d := &serving{t: t, log: newLogLines(), notify: conn}
	d.cmd, _ = process("serve")
	d.cmd.Env = append(d.cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=150000")
	d.cmd.Stdout, d.cmd.Stderr = nil, d.log
	start := time.Now()
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() }) // one that has ended is no fault
	d.told("READY=1")
	d.took = time.Since(start)
	d.url = "http://" + d.log.await(t, "ready")["listen"].(string)
	return d
}

// told waits until the service manager is told this, and returns the whole message.
func (d *serving) told(want string) string {
	d.t.Helper()
	if err := d.notify.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		d.t.Fatal(err)
	}
	var heard []string
	for {
		b := make([]byte, 4096)
		n, err := d.notify.Read(b)
		if err != nil {
			d.t.Fatalf("%q was not said, only %q: %v", want, heard, err)
		}
		if text := string(b[:n]); strings.HasPrefix(text, want) {
			return text
		}
		heard = append(heard, string(b[:n]))
	}
}

func (d *serving) signal(s os.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

// end stops the daemon and demands that it ends well.
func (d *serving) end() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	d.told("STOPPING=1")
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("the daemon ended with %v", err)
	}
}

func (d *serving) get(path string, status int) string {
	d.t.Helper()
	answer, err := http.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		d.t.Errorf("GET %s: %d, %v: %s", path, answer.StatusCode, err, body)
	}
	return string(body)
}

func (d *serving) ready() readiness {
	d.t.Helper()
	var r readiness
	if err := json.Unmarshal([]byte(d.get("/readyz", http.StatusOK)), &r); err != nil {
		d.t.Fatal(err)
	}
	return r
}

// has demands a line in the metrics.
func (d *serving) has(line string) {
	d.t.Helper()
	if text := d.get("/metrics", http.StatusOK); !strings.Contains("\n"+text, "\n"+line+"\n") {
		d.t.Errorf("the metrics have no line %q:\n%s", line, regexp.MustCompile(`(?m)^(#|go_|process_).*\n`).ReplaceAllString(text, ""))
	}
}

func TestDaemonTellsHowItIs(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 30)
	config := strings.Replace(oneSource(block), "    first_run: apply\n", "    first_run: apply\n    schedule: {cron: \"0 3 1 1 *\"}\n", 1)
	r := newRig(t, config)
	r.sync(exitOK)
	d := r.daemon(t)
	t.Logf("ready %s after the start", d.took.Round(time.Millisecond))
	d.told("WATCHDOG=1")
	if got := d.get("/livez", http.StatusOK); got != "ok\n" {
		t.Errorf("/livez says %q", got)
	}
	d.get("/users", http.StatusNotFound) // nothing of people is served
	is := d.ready()
	if !is.Ready || len(is.Sources) != 1 || is.Sources[0].Source != "acme/hq" || is.Sources[0].Result != "ok" || is.Sources[0].Next == nil {
		t.Errorf("/readyz says %+v", is)
	}
	d.has(`usherd_users{org="acme",state="active"} 0`)
	d.has(`usherd_users{org="acme",state="not_verified"} 30`)
	d.has(`usherd_seats{kind="used",org="acme",package="standard"} 30`)

	r.configure(strings.Replace(strings.Replace(config, "seats: unlimited", "seats: 50", 1), "0 3 1 1 *", "0 4 2 2 *", 1))
	d.signal(syscall.SIGHUP)
	if text := d.told("RELOADING=1"); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=\d+$`).MatchString(text) {
		t.Errorf("systemd is told %q", text)
	}
	d.told("READY=1")
	d.log.await(t, "reloaded")
	if next := d.ready().Sources[0].Next; next == nil || next.Local().Day() != 2 {
		t.Errorf("the next run after the reload is at %v", next)
	}
	d.has(`usherd_config_reloads_total{result="ok"} 1`)
	d.has(`usherd_seats{kind="total",org="acme",package="standard"} 50`)

	r.configure(strings.Replace(config, "type: active_directory", "typo: active_directory", 1))
	d.signal(syscall.SIGHUP)
	line := d.log.await(t, "the new configuration is refused, the old one stays in force")
	if faults, _ := line["faults"].([]any); len(faults) == 0 || !strings.Contains(faults[0].(string), `usherd.yaml:13:7: organizations[0].sources[0].directory.typo`) {
		t.Errorf("the log says %v", line)
	}
	d.told("READY=1")
	d.has(`usherd_config_reloads_total{result="refused"} 1`)
	if next := d.ready().Sources[0].Next; next == nil || next.Local().Day() != 2 {
		t.Errorf("the next run after the bad file is at %v", next)
	}
	d.end()
	r.configure(config)
	r.verify()
}

// held starts a process whose run the directory lets begin and not go on, and waits until it reads.
func held(t *testing.T, d *ldaptest.Server, start func()) {
	t.Helper()
	d.SetFaults(ldaptest.Fault{Kind: ldaptest.Slow, Gate: make(chan struct{})})
	before := d.Counts().Binds
	start()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for d.Counts().Binds == before {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("nobody has bound")
		}
	}
}

// patient is a block whose reader waits longer than any test.
func patient(block string) string {
	return strings.Replace(block, "read_timeout: 1s", "read_timeout: 10m", 1)
}

func TestStoppedDaemonEndsItsRun(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 30)
	r := newRig(t, strings.Replace(oneSource(patient(block)), "    first_run: apply\n", "    first_run: apply\n    schedule: {cron: \"*/5 * * * *\"}\n", 1))
	r.clock = func() time.Time { return time.Now().Add(-time.Hour) } // so that the daemon has missed a moment
	r.sync(exitOK)
	before := r.users()
	var d *serving
	held(t, directory, func() { d = r.daemon(t) })
	if is := d.ready(); !is.Sources[0].Running {
		t.Errorf("/readyz says %+v", is)
	}
	d.end()
	r.clock = time.Now
	var cancelled int
	for _, run := range decode[struct{ Runs []runDocument }](r, exitOK, "runs", "-o", "json").Runs {
		if run.Result == connector.ResultCancelled && run.Hint != "" {
			cancelled++
		}
	}
	if cancelled != 1 {
		t.Errorf("%d runs are cancelled with a word on what to do", cancelled)
	}
	r.same(before)
	directory.ClearFaults()
	if run := r.sync(exitOK); run.Counts.Unchanged != 30 {
		t.Errorf("the next run: %+v", run.Counts)
	}
	r.verify()
}

func TestInterruptedSyncIsCancelled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals")
	}
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 30)
	r := newRig(t, oneSource(patient(block)))
	cmd, out := r.process("sync")
	held(t, directory, func() {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	})
	_, errs, code := r.run("sync")
	if code != exitError || !strings.Contains(errs, "another run of this source is going on") || !strings.Contains(errs, "what to do: ") {
		t.Errorf("a second run: exit code %d, %s", code, errs)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitError || !strings.Contains(out.String(), "stopped; what was written is consistent") {
		t.Errorf("%v: %s", err, out)
	}
	if run := decode[runDocument](r, exitOK, "report", "last", "-o", "json"); run.Result != connector.ResultCancelled {
		t.Errorf("the run ended as %+v", run)
	}
	directory.ClearFaults()
	if run := r.sync(exitOK); run.Counts.Created != 30 {
		t.Errorf("the next run: %+v", run.Counts)
	}
	r.verify()
}
