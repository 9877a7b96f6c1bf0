package testserver

import (
	"os"
	"os/exec"
	"strings"
)

// MissingError says that a server cannot run on this machine and what would help.
type MissingError struct {
	Server string // "slapd"
	Reason string // "is not installed: apt-get install -y slapd"
}

func (e *MissingError) Error() string { return e.Server + " " + e.Reason }

// needs is what a server wants to find on the machine.
type needs struct {
	server   string
	packages string   // of Debian and Ubuntu
	programs []string // on the path or in /usr/sbin
	files    []string
	root     string // why it has to be root; empty: any user will do
}

// check returns a *MissingError when something is missing.
func (n needs) check() error {
	missing := func(reason string) error { return &MissingError{Server: n.server, Reason: reason} }
	if !supported {
		return missing("runs in tests on Linux only")
	}
	for _, p := range n.programs {
		if program(p) == "" {
			return missing("is not installed (no " + p + "): apt-get install -y --no-install-recommends " + n.packages)
		}
	}
	for _, f := range n.files {
		if _, err := os.Stat(f); err != nil {
			return missing("is not installed (no " + f + "): apt-get install -y --no-install-recommends " + n.packages)
		}
	}
	if n.root != "" && os.Geteuid() != 0 {
		return missing("needs root (" + n.root + "): sudo -E make test")
	}
	return nil
}

// program returns where a program is, or "". Servers live in folders that are not on everybody's path.
func program(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for dir := range strings.FieldsSeq("/usr/sbin /usr/local/sbin /usr/libexec /usr/lib/openldap") {
		if p, err := exec.LookPath(dir + "/" + name); err == nil {
			return p
		}
	}
	return ""
}
