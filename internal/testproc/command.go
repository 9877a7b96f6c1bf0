package testproc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Command is a server to start.
type Command struct {
	Argv      []string
	Env       []string // in addition to ours
	Dir       string   // it works in; empty: ours
	Log       string   // file for what it prints; is appended to
	User      *User    // nil: who runs the tests
	Interrupt bool     // it is asked to end by SIGINT, not by SIGTERM
}

// User is who a server runs as.
type User struct {
	Name     string
	UID, GID int
}

// Another returns the first user of the names who exists on this machine, for servers that refuse to run as
// root. It is nil when the tests do not run as root: then they are another one already.
func Another(names ...string) (*User, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nobody else is needed
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("testproc: user %s: %w", name, err)
		}
		return &User{Name: name, UID: uid, GID: gid}, nil
	}
	return nil, fmt.Errorf("testproc: none of the users %s exists here", strings.Join(names, ", "))
}

// FreePorts returns n ports on 127.0.0.1 that nobody listens on at this moment.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("testproc: free port: %w", err)
		}
		defer l.Close() // all stay open until the end, so that no port comes twice
		a, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("testproc: free port: %v is no TCP address", l.Addr())
		}
		ports = append(ports, a.Port)
	}
	return ports, nil
}

// CacheFile returns the path of a file in the user's cache directory, whose folder is made when missing.
func CacheFile(name string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil { // no HOME, as in some CI jobs
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "usherd-test")
	return filepath.Join(dir, name), os.MkdirAll(dir, 0o700)
}

// Tail returns the last lines of a program's output, for an error.
func Tail(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}

// LastWords returns the end of a server's log.
func LastWords(log string) string {
	b, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return Tail(b)
}
