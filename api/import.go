package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"usherd/connector"
)

// The limits of files that programs send.
const (
	maxFile       = 64 << 20
	fileTime      = 5 * time.Minute // for all of it to come
	filesAtATime  = 4               // that come, or are looked at, in one process
	fileMediaType = "text/csv"
)

// ImportRequest is a file to be imported.
type ImportRequest struct {
	Org, Source string
	Mode        connector.Mode // ModeFull, or ModePreview
	Path        string         // of the file, which belongs to whoever gets the request
	Name        string         // by which reports call it
	Actor       string
}

func (s *Server) imports() {
	route(s, operation{
		id: "importFile", method: http.MethodPost, path: "/sources/{source}/import", scope: connector.APIImport, tag: sourcesTag, status: http.StatusAccepted,
		summary: "Take over the users of an existing site from a CSV file", file: true, most: maxFile,
		refuses: []int{http.StatusUnsupportedMediaType},
		about: "By a source with an import or site_link block. 202 names the run, whose report tells what became of which line. With preview nothing is changed, and approving the run carries out exactly what was shown. " +
			"The first line names the columns: userName, givenName, familyName, email and other attributes or their labels, package, active, id. UTF-8; commas, semicolons or tabs; at most 64 MiB.",
	}, s.importFile)
}

type importInput struct {
	SourcePath
	Preview  bool   `query:"preview" doc:"Show what would become of whom, and change nothing."`
	SiteLink bool   `query:"site_link" doc:"True for a source with a site_link block, and for no other: everybody in the file is verified at once."`
	Name     string `query:"name" doc:"What reports call the file." maxLength:"100" pattern:"^[^/\\x00-\\x1f\\x7f]*$" default:"api.csv"`
}

func (s *Server) importFile(ctx context.Context, c *call, in *importInput) (*startOutput, error) {
	src := c.org.Settings.Source(in.Source)
	switch {
	case src == nil:
		return nil, noSource()
	case !src.Kind.Brought():
		return nil, newProblem(http.StatusConflict, "refused", "this source does not read files")
	case in.SiteLink != (src.Kind == connector.SiteLink):
		return nil, invalid("query.site_link", "it has to be true for a source with a site_link block, and for no other")
	}
	mode := connector.ModeFull
	if in.Preview {
		mode = connector.ModePreview
	}
	id, err := s.o.Runner.Import(ctx, ImportRequest{c.id(), in.Source, mode, c.file.take(), in.Name, c.by()})
	return started(c, id, false, err)
}

// file is what was sent, kept beside the memory.
type file struct {
	path   string
	digest [sha256.Size]byte
}

// take leaves the file to the caller.
func (f *file) take() string {
	path := f.path
	f.path = ""
	return path
}

// drop removes the file unless somebody has taken it.
func (f *file) drop() {
	if f.path != "" {
		_ = os.Remove(f.path)
	}
}

// receive keeps the file that a request brings. Few at a time are taken, so that many large ones fill no disk.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, most int64) (f *file, leave func(), p *Problem) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != fileMediaType {
		return nil, nil, newProblem(http.StatusUnsupportedMediaType, "media_type", "send the file as "+fileMediaType)
	}
	select {
	case s.files <- struct{}{}:
		leave = func() { <-s.files }
	default:
		w.Header().Set("Retry-After", "5")
		return nil, nil, newProblem(http.StatusServiceUnavailable, "busy", "too many files come at the moment: try again")
	}
	late := readWithin(w, fileTime)
	f, err := keep(http.MaxBytesReader(w, r.Body, most))
	late.Stop()
	if err == nil {
		return f, leave, nil
	}
	leave()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, newProblem(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the file has more than %d bytes", most))
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return nil, nil, s.accident(r.Context(), err)
	}
	return nil, nil, newProblem(http.StatusRequestTimeout, "too_slow", "the file did not come to its end")
}

// readWithin replaces the time that the server gives a request to come. The timer that it returns breaks off what comes later.
func readWithin(w http.ResponseWriter, d time.Duration) *time.Timer {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // where that cannot be done, the server's own time holds
	return time.AfterFunc(d, func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) })
}

// keep writes what it reads into a temporary file.
func keep(r io.Reader) (_ *file, err error) {
	tmp, err := os.CreateTemp("", "usherd-import-*.csv")
	if err != nil {
		return nil, err
	}
	f, h := &file{path: tmp.Name()}, sha256.New()
	_, err = io.Copy(io.MultiWriter(tmp, h), r)
	if err = errors.Join(err, tmp.Close()); err != nil {
		f.drop()
		return nil, err
	}
	h.Sum(f.digest[:0])
	return f, nil
}

// fileBody describes it, for one document, into which huma writes.
func fileBody() *huma.RequestBody {
	return &huma.RequestBody{
		Required: true, Description: "The file.",
		Content: map[string]*huma.MediaType{
			fileMediaType: {Schema: &huma.Schema{Type: huma.TypeString}, Example: "userName,givenName,familyName,email\nann,Ann,Lee,ann@acme.test\n"},
		},
	}
}
