package testpg

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"usherd/internal/testproc"
)

const packages = "postgresql"

// programs is the folder of PostgreSQL's programs: that of the newest version in Debian's place, or where the
// path leads to.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(major(a), major(b)) })
	if p, err := exec.LookPath("postgres"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			found = slices.Insert(found, 0, p) // only when Debian's place is empty
		}
	}
	if len(found) == 0 {
		found = []string{"/usr/lib/postgresql/bin/postgres"} // which the error names
	}
	dir := filepath.Dir(found[len(found)-1])
	n := testproc.Needs{Server: "PostgreSQL", Packages: packages}
	for p := range strings.FieldsSeq("postgres initdb psql pg_basebackup") {
		n.Files = append(n.Files, filepath.Join(dir, p))
	}
	return dir, n.Check()
}

// major is the version in /usr/lib/postgresql/15/bin/postgres.
func major(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for a folder that is no version
	return n
}
