package csvfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func of(text string, edit func(*Options)) *Source {
	o := Options{
		Name: "p.csv", Attributes: []string{"userName", "givenName", "email", "otherEmails", "package"}, Now: func() time.Time { return time.Unix(1, 0) },
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
	if edit != nil {
		edit(&o)
	}
	return New(o)
}

// told is what a source says, a line for each person.
func told(t *testing.T, s *Source) ([]string, connector.ReadResult, error) {
	t.Helper()
	var out []string
	res, err := s.Read(t.Context(), func(r *connector.Record) error {
		words := []string{r.DN, r.Anchor.Raw}
		for _, a := range r.Attributes {
			words = append(words, fmt.Sprintf("%s=%s", a.Name, a.Values))
		}
		line := strings.Join(words, " ")
		switch r.Enabled {
		case connector.EnabledYes:
			line += " enabled"
		case connector.EnabledNo:
			line += " disabled"
		case connector.EnabledUnknown:
		}
		if r.Fault != "" {
			line += " fault: " + r.Fault
		}
		out = append(out, line)
		return nil
	})
	return out, res, err
}

func TestRecords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		edit func(*Options)
		want []string
	}{
		"names and labels, in the order of the mapping": {
			"Email,USERNAME,First Name\na@x,Ann,A\n", nil, []string{"p.csv line 2 ann userName=[Ann] givenName=[A] email=[a@x]"},
		},
		"a column that stands there twice, and empty ones": {
			"userName,Other Emails,otherEmails,,email\nann,b@x,c@x,zz,\nbob,,d@x,,b@x\n", nil,
			[]string{"p.csv line 2 ann userName=[ann] email=[] otherEmails=[b@x c@x]", "p.csv line 3 bob userName=[bob] email=[b@x] otherEmails=[d@x]"},
		},
		"whether people are active": {
			"id,active\n1,true\n2,No\n3,\n4, 1 \n5,perhaps\n", nil,
			[]string{"p.csv line 2 1 enabled", "p.csv line 3 2 disabled", "p.csv line 4 3", "p.csv line 5 4 enabled", "p.csv line 6 5 fault: active is neither true nor false"},
		},
		"a key of one's own": {
			"Staff No,userName\n7,ann\n,bob\n", func(o *Options) { o.ID = "staff no" },
			[]string{"p.csv line 2 7 userName=[ann]", "p.csv line 3 line 3 userName=[bob] fault: it has no Staff No"},
		},
		"doubles": {
			"userName,email\nann,a@x\nbob,b@x\nANN,c@x\nann,d@x\n", nil,
			[]string{
				"p.csv line 2 ann userName=[ann] email=[a@x] fault: line 4 has the same user name: leave one of them out",
				"p.csv line 3 bob userName=[bob] email=[b@x]",
				"p.csv line 4 ann userName=[ANN] email=[c@x] fault: line 2 has the same user name: leave one of them out",
				"p.csv line 5 ann userName=[ann] email=[d@x] fault: line 2 has the same user name: leave one of them out",
			},
		},
		"keys differ by case, names do not": {
			"id,userName\na,ann\nA,bob\n", nil, []string{"p.csv line 2 a userName=[ann]", "p.csv line 3 A userName=[bob]"},
		},
		"a row that cannot be read": {
			"userName,email\nann\n", nil, []string{"p.csv line 2 line 2 userName=[] email=[] fault: it has 1 fields, and the header has 2: write a value with a separator in it in quotes"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, res, err := told(t, of(tt.text, tt.edit))
			if err != nil || !res.Complete || res.Entries != len(tt.want) || res.Server != "p.csv" || len(res.Warnings) > 0 {
				t.Fatalf("%+v, %v", res, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, id, want string }{
		"nobody":      {"userName,email\n", "", "there is nobody in the file"},
		"no key":      {"email\na@x\n", "", "there is no column id and none userName"},
		"another key": {"userName\nann\n", "key", "there is no column key"},
		"broken late": {"userName\nann\n" + strings.Repeat("x\n", 5000) + "\"", "", "is not closed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, res, err := told(t, of(tt.text, func(o *Options) { o.ID = tt.id }))
			if err == nil || !strings.Contains(err.Error(), tt.want) || connector.HintOf(err) == "" || res.Complete || len(got) > 0 {
				t.Errorf("%v (%s), %d people were told", err, connector.HintOf(err), len(got))
			}
		})
	}
}

func TestColumnsThatNobodyReadsAreNamed(t *testing.T) {
	t.Parallel()
	_, res, err := told(t, of("userName,E-mail,Shoe Size\nann,a,1\n", nil))
	if err != nil || len(res.Warnings) != 1 || !strings.HasPrefix(res.Warnings[0], "columns that nobody reads: E-mail, Shoe Size;") {
		t.Errorf("%q, %v", res.Warnings, err)
	}
}

func TestAbsenceSaysNothing(t *testing.T) {
	t.Parallel()
	s := of("userName,email\nann,a@x\nbob,b@x\n", nil)
	rec, is, err := s.Lookup(t.Context(), connector.Anchor{Kind: connector.TextAnchor, Raw: "gone"})
	if rec != nil || is != connector.PresenceUnknown || err != nil {
		t.Errorf("%v, %v, %v", rec, is, err)
	}
	found, err := s.Find(t.Context(), "B@X")
	if err != nil || len(found) != 1 || found[0].Anchor.Raw != "bob" {
		t.Errorf("%v, %v", found, err)
	}
	for _, end := range []error{io.ErrUnexpectedEOF, context.Canceled} {
		if _, err := s.Read(t.Context(), func(*connector.Record) error { return end }); !errors.Is(err, end) {
			t.Errorf("%v came back as %v", end, err)
		}
	}
}

// lines is a file that is made while it is read.
type lines struct {
	next, n int
	rest    string
	last    func()
}

func (l *lines) Read(p []byte) (int, error) {
	if l.rest == "" {
		if l.next > l.n {
			return 0, io.EOF
		}
		if l.rest = fmt.Sprintf("u%d,Ann,u%d@x.test,,\n", l.next, l.next); l.next == 0 {
			l.rest = "userName,givenName,email,otherEmails,package\n"
		}
		if l.next++; l.next == l.n {
			l.last()
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *lines) Close() error { return nil }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemoryDoesNotGrowWithTheFile measures the heap in the middle of a long read: not parallel, for others would count.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	const n = 200_000
	before, most, read := heap(), uint64(0), 0
	var first uint64 // at the end of the read that looks for doubles
	s := of("", func(o *Options) {
		o.Open = func(context.Context) (io.ReadCloser, error) {
			return &lines{n: n, last: func() { first = max(first, heap()) }}, nil
		}
	})
	_, err := s.Read(t.Context(), func(*connector.Record) error {
		if read++; read == n/2 || read == n {
			most = max(most, heap())
		}
		return nil
	})
	if err != nil || read != n {
		t.Fatal(read, err)
	}
	t.Logf("%d rows: %d bytes of heap, %d while doubles are looked for", n, int64(most)-int64(before), int64(first)-int64(before))
	if first > before+n*40 {
		t.Errorf("%d bytes of heap more than before while doubles are looked for", first-before)
	}
	if most > before+1<<20 {
		t.Errorf("%d bytes of heap more than before", most-before)
	}
}
