package console

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"usherd/connector"
)

// diagnosticsPage lists what a bundle would hold, before it is made.
type diagnosticsPage struct {
	Files []bundleFile
	Back  string
}

// bundleFile is one file of the bundle.
type bundleFile struct{ Name, What, Size string }

// bundled is a file with its text.
type bundled struct {
	name string
	text []byte
}

// bundle is what somebody who helps needs: no secret, and of people only whom the configuration names. What is of several organizations is left out for who
// has no role in all of them.
func (v *visit) bundle(p Program) ([]bundled, error) {
	ctx := v.r.Context()
	is, err := p.Standing(ctx, v.id())
	if err != nil {
		return nil, err
	}
	h := p.Health(ctx, v.id())
	runs, err := v.bundledRuns()
	if err != nil {
		return nil, err
	}
	size, err := v.s.o.Store.Size(ctx)
	if err != nil {
		return nil, err
	}
	if !v.seesAll() {
		is.Disk = Disk{Path: is.Disk.Path, Revision: is.Disk.Revision}
	}
	list := []bundled{{name: "configuration.txt", text: v.bundledConfiguration(p)}}
	for _, x := range []struct {
		name string
		of   any
	}{
		{"version.json", map[string]any{"version": v.s.o.Version, "go": h.Go, "revision": v.set.Revision, "made": v.now.UTC(), "organization": v.id(), "database_bytes": size}},
		{"health.json", h},
		{"standing.json", is},
		{"runs.json", runs},
	} {
		text, err := json.MarshalIndent(x.of, "", "  ")
		if err != nil {
			return nil, err
		}
		list = append(list, bundled{x.name, append(text, '\n')})
	}
	if v.seesAll() {
		var text bytes.Buffer
		if err := p.Metrics(&text); err != nil {
			return nil, err
		}
		list = append(list, bundled{"metrics.txt", text.Bytes()})
	}
	return list, nil
}

// bundledConfiguration are the keys that this person sees, one a line.
func (v *visit) bundledConfiguration(p Program) []byte {
	var text bytes.Buffer
	for _, x := range p.Configuration().Values {
		if !v.sees(x.Path) {
			continue
		}
		where := "default"
		if x.Line > 0 {
			where = fmt.Sprintf("line %d", x.Line)
		}
		fmt.Fprintf(&text, "%s: %s (%s)\n", x.Path, x.Text, where)
	}
	return text.Bytes()
}

// bundledRun is what is told of a run.
type bundledRun struct {
	Run, Source, Mode, Result string
	Started, Finished         time.Time
	Entries                   int
	Counts                    connector.Counts
	Revision                  string
	Failed                    bool
}

// mostRuns is how many runs a bundle tells of.
const mostRuns = 100

func (v *visit) bundledRuns() ([]bundledRun, error) {
	runs, err := v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Limit: mostRuns})
	list := make([]bundledRun, 0, len(runs))
	for _, r := range runs {
		list = append(list, bundledRun{r.ID.String(), r.Source, string(r.Mode), string(r.Result), r.Started, r.Finished, r.Entries, r.Counts, r.Revision, r.Error != ""})
	}
	return list, err
}

func (v *visit) askDiagnostics() {
	program, ok := v.program()
	if !ok {
		return
	}
	files, err := v.bundle(program)
	if err != nil {
		v.accident("diagnostics", err)
		return
	}
	p := diagnosticsPage{Back: v.link("/system")}
	for _, f := range files {
		name, _, _ := strings.Cut(f.name, ".")
		p.Files = append(p.Files, bundleFile{f.name, v.t("system.bundle."+name, nil), v.printer().Sprintf("%.1f kB", float64(len(f.text))/1000)})
	}
	v.show(http.StatusOK, "diagnostics", frame{Title: v.t("system.diagnostics", nil), Crumbs: []crumb{{v.t("nav.system", nil), v.link("/system")}}}, p)
}

func (v *visit) doDiagnostics() {
	program, ok := v.program()
	if !ok {
		return
	}
	files, err := v.bundle(program)
	if err != nil {
		v.accident("diagnostics", err)
		return
	}
	name := "usherd_" + v.id() + "_" + v.now.UTC().Format("20060102T150405Z") + ".zip"
	if err := v.exported("diagnostics", name); err != nil {
		v.accident("diagnostics", err)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if err := writeZip(v.w, files, v.now); err != nil {
		v.logError("diagnostics", err)
		panic(http.ErrAbortHandler) // so that nobody takes the part for the whole
	}
}

func writeZip(w io.Writer, files []bundled, now time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		part, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: now})
		if err != nil {
			return err
		}
		if _, err := part.Write(f.text); err != nil {
			return err
		}
	}
	return z.Close()
}
