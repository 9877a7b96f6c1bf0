package testproc

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// KillIn ends all processes whose working folder is dir, with SIGKILL, and waits until they are gone: those that
// a server has started and let go of, which its Process does not know.
func KillIn(dir string) {
	for range 1000 { // five seconds; each look also finds whom the others have started meanwhile
		left := workingIn(dir)
		if len(left) == 0 {
			return
		}
		signal(left, syscall.SIGKILL)
		time.Sleep(5 * time.Millisecond)
	}
}

// PauseIn halts all processes whose working folder is dir, or lets them go on.
func PauseIn(dir string, halt bool) {
	if halt {
		signal(workingIn(dir), syscall.SIGSTOP)
		return
	}
	signal(workingIn(dir), syscall.SIGCONT)
}

func workingIn(dir string) (found []member) {
	want, err := os.Stat(dir)
	if err != nil {
		return nil
	}
	all, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is good
	for _, cwd := range all {
		// One that has just ended has none.
		if got, err := os.Stat(cwd); err != nil || !os.SameFile(got, want) {
			continue
		}
		id := filepath.Base(filepath.Dir(cwd))
		pid, _ := strconv.Atoi(id) // the pattern lets nothing else pass
		if state, start, ok := stat(id); ok && state != "Z" {
			found = append(found, member{pid, start})
		}
	}
	return found
}
