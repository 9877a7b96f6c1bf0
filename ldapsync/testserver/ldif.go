package testserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"usherd/internal/testproc"
)

// Text returns a source of entries for the LDIF field of options from text.
func Text(ldif string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, ldif)
		return err
	}
}

// File returns a source of entries for the LDIF field of options from a file.
func File(path string) func(io.Writer) error {
	return func(w io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}
}

// emptyDirectory writes the suffix, of the class given, ou=People and ou=Groups.
func emptyDirectory(class string) func(io.Writer) error {
	return Text(strings.ReplaceAll("dn: BASE\nobjectClass: "+class+"\ndc: example\n\n"+
		"dn: ou=People,BASE\nobjectClass: organizationalUnit\nou: People\n\n"+
		"dn: ou=Groups,BASE\nobjectClass: organizationalUnit\nou: Groups\n\n", "BASE", slapdBase))
}

// pipe runs a command that reads entries from its standard input.
func pipe(cmd *exec.Cmd, fill func(io.Writer) error) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	w, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	fillErr := errors.Join(fill(w), w.Close())
	if err := cmd.Wait(); err != nil { // which is why writing failed too
		return fmt.Errorf("testserver: %s: %w: %s", filepath.Base(cmd.Path), err, testproc.Tail(out.Bytes()))
	}
	if fillErr != nil {
		return fmt.Errorf("testserver: entries for %s: %w", filepath.Base(cmd.Path), fillErr)
	}
	return nil
}

// output runs a command to its end; its error holds the last lines of what it printed.
func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("testserver: %s: %w: %s", filepath.Base(cmd.Path), err, testproc.Tail(out))
	}
	return string(out), nil
}
