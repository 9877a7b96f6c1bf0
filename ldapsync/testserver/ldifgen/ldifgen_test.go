package ldifgen_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/ldapsync/testserver/ldifgen"
)

var update = flag.Bool("update", false, "write the golden files anew")

func write(t *testing.T, o ldifgen.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := ldifgen.Write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// entries returns the entries by DN line.
func entries(ldif string) map[string]string {
	m := map[string]string{}
	for e := range strings.SplitSeq(strings.TrimSpace(ldif), "\n\n") {
		dn, rest, _ := strings.Cut(e, "\n")
		m[dn] = rest
	}
	return m
}

func TestOutputStaysTheSame(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ldifgen.Options{
		"plain.ldif":    {Seed: 1, Users: 3, Groups: 2, Members: 2},
		"mess.ldif":     ldifgen.Mess(ldifgen.Options{Seed: 1, Users: 12, UTF8: 50, NoMail: 20, NoSurname: 20, Duplicate: 20, Disabled: 30}),
		"ad.ldif":       {Seed: 1, AD: true, Users: 4, Groups: 1, Members: 2, Disabled: 50, Expired: 50, Password: "x"},
		"nest.ldif":     {Seed: 1, NoRoot: true, Users: 2, Members: 1, Nest: 3, Cycle: true, Big: []int{2}},
		"disabled.ldif": {Seed: 1, NoRoot: true, Users: 2, Disabled: 100, DisabledAttr: "nsAccountLock=TRUE", Password: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, path := write(t, o), filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPersonDoesNotDependOnTheNumberOfPeople(t *testing.T) {
	t.Parallel()
	few, many := entries(write(t, ldifgen.Options{Users: 20})), entries(write(t, ldifgen.Options{Users: 200}))
	for dn, e := range few {
		if diff := cmp.Diff(e, many[dn]); diff != "" {
			t.Errorf("%s: -of 20 +of 200:\n%s", dn, diff)
		}
	}
	if len(many) != 203 {
		t.Errorf("%d entries, want the suffix, two units and 200 people", len(many))
	}
}

func TestOptionChangesOnlyWhatItIsAbout(t *testing.T) {
	t.Parallel()
	plain, bare := entries(write(t, ldifgen.Options{Users: 200})), entries(write(t, ldifgen.Options{Users: 200, NoMail: 30}))
	changed := 0
	for dn, e := range plain {
		var without []string
		for line := range strings.SplitSeq(e, "\n") {
			if !strings.HasPrefix(line, "mail: ") {
				without = append(without, line)
			}
		}
		if bare[dn] == e {
			continue
		}
		changed++
		if diff := cmp.Diff(strings.Join(without, "\n"), bare[dn]); diff != "" {
			t.Errorf("%s: more than the mail is gone:\n%s", dn, diff)
		}
	}
	if changed < 40 || changed > 80 {
		t.Errorf("%d of 200 people lost their mail, want about 60", changed)
	}
}

func TestSeedGivesOtherPeople(t *testing.T) {
	t.Parallel()
	if write(t, ldifgen.Options{Users: 5, Seed: 1}) == write(t, ldifgen.Options{Users: 5, Seed: 2}) {
		t.Error("two seeds give the same people")
	}
}

func TestActiveDirectoryCannotHaveACycleFromTheStart(t *testing.T) {
	t.Parallel()
	if err := ldifgen.Write(io.Discard, ldifgen.Options{AD: true, Nest: 2, Cycle: true}); err == nil {
		t.Error("no error")
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestErrorOfTheWriterIsReturned(t *testing.T) {
	t.Parallel()
	if err := ldifgen.To(ldifgen.Options{Users: 10})(full{}); !errors.Is(err, errFull) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		if err := ldifgen.Write(io.Discard, ldifgen.Options{Users: 10_000, Groups: 100}); err != nil {
			b.Fatal(err)
		}
	}
}
