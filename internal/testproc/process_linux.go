package testproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Supported says whether processes can be started here.
const Supported = true

// Process is a server that runs in the foreground in a process group of its own.
type Process struct {
	PID  int
	done chan struct{} // closed when the first process has ended
	err  error         // how it ended; valid after done
	end  syscall.Signal
}

// Start runs a command. The process outlives ctx, but not the program that started it.
func Start(ctx context.Context, c Command) (*Process, error) {
	out, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Dir = c.Dir
	cmd.Stdout, cmd.Stderr = out, out
	p := &Process{done: make(chan struct{}), end: syscall.SIGTERM}
	if c.Interrupt {
		p.end = syscall.SIGINT
	}
	// Pdeathsig ends the server when a test run is killed or panics and no cleanup runs any more.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: p.end}
	RunAs(cmd, c.User)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.PID = cmd.Process.Pid
	go func() {
		defer close(p.done)
		if p.err = cmd.Wait(); p.err == nil {
			p.err = errors.New("exit status 0")
		}
	}()
	return p, nil
}

// RunAs makes a command run as another user; nil is the user who runs the tests.
func RunAs(cmd *exec.Cmd, u *User) {
	if u == nil {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID)}
}

// Done is closed when the server has ended; Err then says how.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the server ended. It must not be called before Done is closed.
func (p *Process) Err() error { return p.err }

// Stop asks the server to end, waits, and then makes sure that nothing of it is left.
func (p *Process) Stop(patience time.Duration) {
	all := p.tree()
	signal(all, syscall.SIGCONT) // a frozen one would not hear it
	signal(all[:min(1, len(all))], p.end)
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
	}
	p.finish(all)
}

// Kill ends everything at once.
func (p *Process) Kill() { p.finish(p.tree()) }

func (p *Process) finish(all []member) {
	signal(all, syscall.SIGKILL)
	<-p.done
	for _, m := range all {
		for range 1000 { // five seconds; a killed process holds its sockets until the kernel has taken it apart
			if !m.lives() {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// Pause halts the server or lets it go on.
func (p *Process) Pause(halt bool) error {
	select {
	case <-p.done:
		return fmt.Errorf("testproc: the server has ended: %w", p.err)
	default:
	}
	all := p.tree()
	if !halt {
		signal(all, syscall.SIGCONT)
		return nil
	}
	signal(all, syscall.SIGSTOP)
	for range 5000 { // five seconds; until then a thread that runs may still answer
		if !slices.ContainsFunc(all, member.runs) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("testproc: the server does not stop")
}

// runs reports whether any thread of the process is not halted (T) and has not ended (Z, X).
func (m member) runs() bool {
	tasks, _ := os.ReadDir("/proc/" + strconv.Itoa(m.pid) + "/task") // none when it has just ended
	for _, t := range tasks {
		state, _, ok := stat(strconv.Itoa(m.pid) + "/task/" + t.Name())
		if ok && state != "T" && state != "Z" && state != "X" {
			return true
		}
	}
	return false
}

// member is one process; its start time tells it from a later one with the same id.
type member struct {
	pid   int
	start string
}

// tree returns the server's living processes, parents first. Samba gives its children process groups of
// their own, so signalling a group would not do. Once the first process has been reaped its id may
// belong to somebody else: then there is nothing.
func (p *Process) tree() []member {
	select {
	case <-p.done:
		return nil
	default:
	}
	var all []member
	ids := []int{p.PID}
	for len(ids) > 0 {
		pid := ids[0]
		ids = append(ids[1:], children(pid)...)
		if _, start, ok := stat(strconv.Itoa(pid)); ok {
			all = append(all, member{pid, start})
		}
	}
	return all
}

func children(pid int) (ids []int) {
	task := "/proc/" + strconv.Itoa(pid) + "/task/"
	threads, _ := os.ReadDir(task) // none when it has just ended
	for _, t := range threads {
		b, _ := os.ReadFile(task + t.Name() + "/children")
		for f := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				ids = append(ids, n)
			}
		}
	}
	return ids
}

// stat returns the state and start time of a process, or of a thread as PID/task/TID; false when there is
// none.
func stat(id string) (state, start string, ok bool) {
	b, err := os.ReadFile("/proc/" + id + "/stat")
	if err != nil {
		return "", "", false
	}
	s := string(b)
	// The name, in parentheses, may hold anything; the state is the first field after it, the start the 20th.
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 20 {
		return "", "", false
	}
	return f[0], f[19], true
}

// lives reports whether the process still holds anything. A zombie (Z) does not, and process 1 of a
// container may never collect it.
func (m member) lives() bool {
	state, start, ok := stat(strconv.Itoa(m.pid))
	return ok && start == m.start && state != "Z"
}

func signal(members []member, sig syscall.Signal) {
	for _, m := range members {
		if m.lives() {
			_ = syscall.Kill(m.pid, sig) // one that ends at this moment is no fault
		}
	}
}

// LockFile takes the lock of a file, which is made when missing, and returns what gives it back. It ends
// with the process at the latest. It waits for the lock, or returns an error.
func LockFile(path string, wait bool) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
