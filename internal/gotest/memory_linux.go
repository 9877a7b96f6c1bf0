package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	memoryFiles = "/dev/shm"
	noExec      = 0x8 // ST_NOEXEC of statfs: programs that tests build would not start
)

// inMemory makes a folder for the temporary files of tests on the file system at root, and returns the environment by
// which go test uses it; what go test builds stays on the disk. There is none where TMPDIR is set, programs
// may not be started there, or fewer than that many bytes are free. remove has to be called at the end; what a run that was killed has left goes with the next one.
func inMemory(root string, least uint64) (env []string, remove func()) {
	nothing := func() {}
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(root, &fs) != nil || fs.Flags&noExec != 0 || fs.Bavail*uint64(fs.Bsize) < least { //nolint:gosec // no size is negative
		return nil, nothing
	}
	sweep(root)
	dir, err := os.MkdirTemp(root, fmt.Sprintf("usherd-%d-", os.Getpid()))
	if err == nil {
		err = os.Chmod(dir, 0o711) //nolint:gosec // servers that root starts as another user get to their own folders below it
	}
	if err != nil {
		return nil, nothing
	}
	return []string{"TMPDIR=" + dir, "GOTMPDIR=" + os.TempDir()}, func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "gotest:", err)
		}
	}
}

// sweep removes the folders of runs that have ended without doing so.
func sweep(root string) {
	left, _ := filepath.Glob(filepath.Join(root, "usherd-*-*")) // the pattern is right
	for _, dir := range left {
		_, name, _ := strings.Cut(filepath.Base(dir), "-")
		name, _, _ = strings.Cut(name, "-")
		if pid, err := strconv.Atoi(name); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir) // somebody else's stays
		}
	}
}
