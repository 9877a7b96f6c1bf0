//go:build !linux

package testpg

import (
	"errors"
	"os/exec"

	"usherd/internal/testproc"
)

func smallDisk(string, int64) (func() error, error) {
	return nil, &testproc.MissingError{Server: "PostgreSQL", Reason: "runs in tests on Linux only"}
}

func guardStart(*exec.Cmd) error { return errors.New("testpg: test servers run on Linux only") }

func forgetMemory(string) {}
