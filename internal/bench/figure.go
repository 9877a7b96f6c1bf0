package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// figure is one thing measured in several rounds.
type figure struct {
	name, unit string
	goal       float64 // at most; 0 = none
	atLeast    bool    // the goal is at least
	peak       bool    // the largest round counts, not the median
	rounds     []float64
}

func (f *figure) sorted() []float64 { return slices.Sorted(slices.Values(f.rounds)) }

// value is what stands for all rounds: the median, which one disturbed round does not move.
func (f *figure) value() float64 {
	s := f.sorted()
	if f.peak {
		return s[len(s)-1]
	}
	if len(s)%2 == 0 {
		return (s[len(s)/2-1] + s[len(s)/2]) / 2
	}
	return s[len(s)/2]
}

// add notes one round of a figure, which is known by its name.
func (b *bench) add(f figure, value float64) {
	for i := range b.figures {
		if b.figures[i].name == f.name {
			b.figures[i].rounds = append(b.figures[i].rounds, value)
			return
		}
	}
	f.rounds = []float64{value}
	b.figures = append(b.figures, f)
}

// print writes the figures for programs to out and for people to table.
func (b *bench) print(out, table io.Writer) error {
	w := tabwriter.NewWriter(table, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "\t\tbest\tmedian\tworst\tgoal\t\t")
	for i := range b.figures {
		f := &b.figures[i]
		if _, err := fmt.Fprintf(out, "bench %s %.4g %s\n", f.name, f.value(), f.unit); err != nil {
			return err
		}
		s := f.sorted()
		goal, verdict := "", ""
		if f.goal > 0 {
			goal, verdict = fmt.Sprintf("%s %.4g", map[bool]string{false: "<=", true: ">="}[f.atLeast], f.goal), "reached"
			if f.atLeast && f.value() < f.goal || !f.atLeast && f.value() > f.goal {
				verdict = "MISSED"
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%.4g\t%.4g\t%.4g\t%s\t%s\t\n", f.name, f.unit, s[0], (&figure{rounds: s}).value(), s[len(s)-1], goal, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	of := slices.Concat(b.of, []string{fmt.Sprintf("%d rounds", b.o.rounds)})
	_, err := fmt.Fprintf(table, "\n%s on %s.\n%s\n", strings.Join(of, ", "), machine(), noise)
	return err
}

const noise = "Figures of one run only: the yardstick and usherd took turns, but other work on the machine moves both. " +
	"Ratios and CPU time say more than seconds."

// machine names what the figures were measured on.
func machine() string {
	memory, load := field("/proc/meminfo", "MemTotal:"), "unknown"
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(b), " ")
	}
	return fmt.Sprintf("%s/%s, %d cores (%s), memory %s, load %s, %s",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), field("/proc/cpuinfo", "model name"), memory, load, runtime.Version())
}

// field returns what follows a word at the beginning of a line of a file, "unknown" when there is none.
func field(path, word string) string {
	f, err := os.Open(path) //nolint:gosec // one of two constant names
	if err != nil {
		return "unknown"
	}
	defer f.Close() //nolint:errcheck // only read
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), word); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, "\t :"))
		}
	}
	return "unknown"
}
