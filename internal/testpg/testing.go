package testpg

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"usherd/internal/testproc"
)

// URL returns the URL of a new, empty database on the server that this test program shares. The database goes
// with the test, the server with the program.
func URL(tb testing.TB) string {
	tb.Helper()
	return Shared(tb).Database(tb)
}

// Clone returns the URL of a new database on the shared server that is a copy of another one there, given by
// name or URL. Nobody may be connected to that one at this moment.
func Clone(tb testing.TB, template string) string {
	tb.Helper()
	return Shared(tb).Clone(tb, template)
}

// Shared returns the server that this test program shares. It must not be stopped, frozen or set otherwise.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	s, err := shared()
	return orSkip(tb, s, err)
}

var shared = sync.OnceValues(func() (*Server, error) {
	dir, _, err := folder() // the program's end is the folder's
	if err != nil {
		return nil, err
	}
	s, err := StartIn(context.Background(), dir, Options{})
	if err == nil {
		s.isShared = true
	}
	return s, err
})

// Start starts a server for one test and ends it with the test.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	return forTest(tb, func(dir string) (*Server, error) { return StartIn(tb.Context(), dir, o) })
}

func forTest(tb testing.TB, start func(dir string) (*Server, error)) *Server {
	tb.Helper()
	dir, remove, err := folder()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(remove)
	s, err := start(dir)
	orSkip(tb, s, err)
	tb.Cleanup(func() {
		s.Close()
		if tb.Failed() {
			tb.Logf("the last words of PostgreSQL: %s", s.lastWords())
		}
	})
	return s
}

func orSkip(tb testing.TB, s *Server, err error) *Server {
	tb.Helper()
	if missing, ok := errors.AsType[*testproc.MissingError](err); ok {
		testproc.Skip(tb, missing)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// longest is the longest path of a folder for a server: a Unix socket's path has 107 bytes, and that of the
// standby's is one of them.
const longest = 60

// folder makes a folder for a server. It is removed by the function returned, or when this program has ended
// in whatever way: then a guard ends what still works in it, too.
func folder() (dir string, remove func(), err error) {
	base := os.TempDir()
	if len(base) > longest {
		base = "/tmp"
	}
	if dir, err = os.MkdirTemp(base, "usherd-pg-"); err != nil {
		return "", nil, err
	}
	guard := exec.CommandContext(context.Background(), "sh", "-c", guardScript, "sh", dir)
	end, err := guard.StdinPipe()
	if err == nil {
		err = guardStart(guard)
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	guards.Lock()
	guards.pipes = append(guards.pipes, end) // else a finalizer would close it
	guards.Unlock()
	return dir, func() {
		end.Close()
		_ = guard.Wait() // it has removed the folder
	}, nil
}

var guards struct {
	sync.Mutex
	pipes []io.Closer
}

// guardScript waits until its standard input ends, which is when we close it or have ended. Who works in the
// data folder is recognized by that: a process id could belong to somebody else by now.
const guardScript = `
read -r nothing
ours() {
  found=1
  for p in /proc/[0-9]*; do
    if [ "$p/cwd" -ef "$1/data" ]; then kill "-$2" "${p#/proc/}"; found=0; fi
  done 2> /dev/null
  return $found
}
if ours "$1" CONT; then
  ours "$1" QUIT
  i=0
  while ours "$1" 0 && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done
  ours "$1" KILL
fi
umount -l "$1/data" 2> /dev/null
rm -rf -- "$1"
`
