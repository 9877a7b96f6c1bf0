package system

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"usherd/connector"
)

// Store is what a bundle reads.
type Store interface {
	Runs(ctx context.Context, f connector.RunFilter) ([]*connector.Run, error)
	Size(ctx context.Context) (int, error)
}

// BundleOptions say whom a bundle is for.
type BundleOptions struct {
	Sight
	Program Program
	Store   Store
	Version string // of the program
	Now     time.Time
}

// File is one file of a bundle.
type File struct {
	Name string
	Text []byte
}

// Bundle is what somebody who helps needs: no secret, and of people only whom the configuration names. What is of several
// organizations is left out for who does not see all.
func Bundle(ctx context.Context, o BundleOptions) ([]File, error) {
	is, err := o.Program.Standing(ctx, o.Org)
	if err != nil {
		return nil, err
	}
	runs, err := o.runs(ctx)
	if err != nil {
		return nil, err
	}
	size, err := o.Store.Size(ctx)
	if err != nil {
		return nil, err
	}
	h, c := o.Program.Health(ctx, o.Org), o.Program.Configuration()
	is.Disk = o.Disk(is.Disk)
	list := []File{{Name: "configuration.txt", Text: valueLines(o.Values(c.Values))}}
	for _, x := range []struct {
		name string
		of   any
	}{
		{"version.json", map[string]any{"version": o.Version, "go": h.Go, "revision": c.Revision, "made": o.Now.UTC(), "organization": o.Org, "database_bytes": size}},
		{"health.json", h},
		{"standing.json", is},
		{"runs.json", runs},
	} {
		text, err := json.MarshalIndent(x.of, "", "  ")
		if err != nil {
			return nil, err
		}
		list = append(list, File{x.name, append(text, '\n')})
	}
	if o.All {
		var text bytes.Buffer
		if err := o.Program.Metrics(&text); err != nil {
			return nil, err
		}
		list = append(list, File{"metrics.txt", text.Bytes()})
	}
	return list, nil
}

// BundleName is how the file is called.
func BundleName(org string, now time.Time) string {
	return "usherd_" + org + "_" + now.UTC().Format("20060102T150405Z") + ".zip"
}

// valueLines are keys of the configuration, one a line.
func valueLines(list []Value) []byte {
	var text bytes.Buffer
	for _, x := range list {
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

func (o *BundleOptions) runs(ctx context.Context) ([]bundledRun, error) {
	runs, err := o.Store.Runs(ctx, connector.RunFilter{Org: o.Org, Limit: mostRuns})
	list := make([]bundledRun, 0, len(runs))
	for _, r := range runs {
		list = append(list, bundledRun{r.ID.String(), r.Source, string(r.Mode), string(r.Result), r.Started, r.Finished, r.Entries, r.Counts, r.Revision, r.Error != ""})
	}
	return list, err
}

// WriteZip writes the files of a bundle as one.
func WriteZip(w io.Writer, files []File, now time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		part, err := z.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: now})
		if err != nil {
			return err
		}
		if _, err := part.Write(f.Text); err != nil {
			return err
		}
	}
	return z.Close()
}
