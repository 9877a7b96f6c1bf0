package testpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"usherd/internal/testproc"
)

// role is who the tests connect as: it owns its databases and is nothing more.
const role = "usherd"

// data puts a new data folder into to: a copy of one that is made once for each version of PostgreSQL and
// kept in the user's cache directory, since initdb takes longer than most tests.
func data(ctx context.Context, bin string, u *testproc.User, to string) error {
	version, err := output(exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version"))
	if err != nil {
		return err
	}
	steps := initSteps(bin, "DATA", strings.TrimSpace(version))
	sum := sha256.Sum256(fmt.Append(nil, version, steps))
	cached, err := testproc.CacheFile("postgresql-" + hex.EncodeToString(sum[:])[:24])
	if err != nil {
		return err
	}
	unlock, err := testproc.LockFile(cached+".lock", true) // so that only one of several test programs makes it
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(cached); err == nil {
		return copyData(cached, to, u)
	}
	for _, argv := range initSteps(bin, to, version) {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stdin = strings.NewReader("CREATE ROLE " + role + " LOGIN\n") // which only the second step reads
		cmd.Env, cmd.Dir = environment(), filepath.Dir(to)
		testproc.RunAs(cmd, u)
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	fresh := cached + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := copyData(to, fresh, nil); err != nil {
		return err
	}
	return os.Rename(fresh, cached)
}

// initSteps are the commands that make a data folder. Its collation is not the one of C where the version
// can do that: an order that depends on the database's collation is a mistake that tests are to find.
func initSteps(bin, data, version string) [][]string {
	initdb := []string{filepath.Join(bin, "initdb"), "-D", data, "--no-sync", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"}
	if newerThan14(version) {
		initdb = append(initdb, "--locale-provider=icu", "--icu-locale=en-US")
	}
	return [][]string{initdb, {filepath.Join(bin, "postgres"), "--single", "-D", data, "postgres"}}
}

// newerThan14 reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
func newerThan14(version string) bool {
	_, v, _ := strings.Cut(version, ") ")
	var n int
	_, _ = fmt.Sscanf(v, "%d", &n) // what cannot be read is taken for an old one
	return n > 14
}

// copyData copies a data folder and gives the copy to a user.
func copyData(from, to string, u *testproc.User) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("testpg: copy of the data folder: %w", err)
	}
	return give(to, u)
}

// give makes a folder and what is in it a user's own.
func give(dir string, u *testproc.User) error {
	if u == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, u.UID, u.GID)
	})
}

// environment is ours without what PostgreSQL's programs and drivers would read from it.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PG") {
			env = append(env, e)
		}
	}
	return append(env, "LC_ALL=C")
}

// output runs a command to its end; its error holds the last lines of what it printed.
func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("testpg: %s: %w: %s", filepath.Base(cmd.Path), err, testproc.Tail(out))
	}
	return string(out), nil
}
