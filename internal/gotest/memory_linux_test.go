package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A folder in memory goes at the end, and with the next run where the end was sudden; that of a run that goes on stays.
func TestFolderInMemory(t *testing.T) {
	t.Setenv("TMPDIR", "")
	ended := exec.CommandContext(t.Context(), "true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	left, going := folderOf(t, root, ended.Process.Pid), folderOf(t, root, os.Getppid())
	env, remove := inMemory(root, 1)
	if len(env) != 2 || !strings.HasPrefix(env[0], "TMPDIR="+root) || env[1] != "GOTMPDIR="+os.TempDir() {
		t.Fatalf("the environment has %q", env)
	}
	dir := strings.TrimPrefix(env[0], "TMPDIR=")
	for path, there := range map[string]bool{left: false, going: true, dir: true} {
		if _, err := os.Stat(path); (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
	}
	remove()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
	t.Setenv("TMPDIR", "/tmp")
	if env, _ := inMemory(root, 1); env != nil {
		t.Errorf("TMPDIR is set, and changed to %q", env)
	}
}

// folderOf makes a folder as a run with that process id has.
func folderOf(t *testing.T, root string, pid int) string {
	t.Helper()
	dir := filepath.Join(root, fmt.Sprintf("usherd-%d-1", pid))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
