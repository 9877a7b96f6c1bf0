package testpg

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"usherd/internal/testproc"
)

// smallDisk mounts a file system of a size in bytes on dir.
func smallDisk(dir string, size int64) (unmount func() error, err error) {
	if os.Geteuid() != 0 {
		return nil, &testproc.MissingError{Server: "PostgreSQL on a small disk", Reason: "needs root, to mount one: sudo -E make test"}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		return nil, &testproc.MissingError{Server: "PostgreSQL on a small disk", Reason: "needs to mount one (CAP_SYS_ADMIN): " + err.Error()}
	}
	return func() error { return unix.Unmount(dir, unix.MNT_DETACH) }, nil
}

// guardStart starts a process that an interrupt at the terminal does not reach.
func guardStart(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// forgetMemory removes the segment of System V memory by which a server that was killed would have known its
// children; its id is the last word of the seventh line of the file.
func forgetMemory(pidFile string) {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return // it ended in good order
	}
	var key, id int
	lines := strings.Split(string(b), "\n")
	if len(lines) < 7 {
		return
	}
	if n, _ := fmt.Sscan(lines[6], &key, &id); n == 2 {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // the next start of the machine would do it
	}
}
