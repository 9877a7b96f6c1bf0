package requestlog

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
)

// Entry is the row of a request that is being answered: whoever finds something out about it says so here. It belongs
// to the goroutine that answers. All methods may be called on nil, which is what a request has that is not logged.
type Entry struct {
	row    connector.Request
	keep   bool
	bodies bool
	in     capture
	out    capture
	parts  []connector.Request
}

type entryKey struct{}

// From returns the entry of the request that ctx belongs to, nil where there is none.
func From(ctx context.Context) *Entry {
	e, _ := ctx.Value(entryKey{}).(*Entry)
	return e
}

// Client names the client, once it is known: before that nothing is kept. keep and bodies are its settings. It must be
// called before the body is read.
func (e *Entry) Client(org, source string, keep, bodies bool) {
	if e != nil {
		e.row.Org, e.row.Source, e.keep, e.bodies = org, source, keep, keep && bodies
	}
}

// Remote is the address of the client, where it is another than that of the connection: behind a proxy.
func (e *Entry) Remote(address string) {
	if e != nil {
		e.row.Remote = address
	}
}

// About names the person: the user name or e-mail and the id, either of which may be none.
func (e *Entry) About(person string, user connector.ID) {
	if e == nil {
		return
	}
	if person != "" {
		e.row.Person = cut(person, pathMost)
	}
	if !user.IsZero() {
		e.row.User = user
	}
}

// Dialect is the profile in force and the leniencies that the request needed, each of which counts once.
func (e *Entry) Dialect(profile string, quirks ...string) {
	if e == nil {
		return
	}
	e.row.Profile = profile
	for _, q := range quirks {
		if !slices.Contains(e.row.Quirks, q) {
			e.row.Quirks = append(e.row.Quirks, q)
		}
	}
}

// Failed says of an answer that is an error its scimType and the reference that it names.
func (e *Entry) Failed(scimType, ref string) {
	if e != nil {
		e.row.ScimType, e.row.Ref = scimType, ref
	}
}

// Part is one operation of a request that has several: of a bulk request (RFC 7644 section 3.7).
type Part struct {
	Number   int // among all, from 1
	Method   string
	Path     string
	Began    time.Time
	Duration time.Duration
	Status   int
	ScimType string
	Ref      string
	Person   string
	User     connector.ID
}

// Part gives a part of the request a row of its own, as if it had come alone, but for bodies and quirks, which are in the
// row of all; the query tells its number.
func (e *Entry) Part(p Part) {
	if e == nil {
		return
	}
	e.parts = append(e.parts, connector.Request{
		At: p.Began, Method: cut(p.Method, 32), Path: Path(p.Path), Query: "bulk=" + strconv.Itoa(p.Number), Status: p.Status, ScimType: p.ScimType,
		Person: cut(p.Person, pathMost), User: p.User, Duration: max(p.Duration, 0), Ref: p.Ref,
	})
}

// Handler logs the requests that next answers. The row is added when next returns, or panics.
func (r *Recorder) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		e := &Entry{}
		began := r.o.Now()
		e.row = connector.Request{At: began, Method: cut(q.Method, 32), Path: Path(q.URL.Path), Query: Query(q.URL.RawQuery), Remote: q.RemoteAddr}
		if host, _, err := net.SplitHostPort(q.RemoteAddr); err == nil {
			e.row.Remote = host
		}
		q = q.WithContext(context.WithValue(q.Context(), entryKey{}, e))
		if q.Body != nil {
			q.Body = &asked{ReadCloser: q.Body, e: e}
		}
		a := &answered{ResponseWriter: w, e: e}
		unanswered := http.StatusInternalServerError // if it panics
		defer func() {
			if a.status == 0 {
				a.status = unanswered
			}
			r.Add(e.finish(a.status, r.o.Now().Sub(began)), e.keep)
			for _, part := range e.parts {
				part.Org, part.Source, part.Profile, part.Remote = e.row.Org, e.row.Source, e.row.Profile, e.row.Remote
				r.Add(part, e.keep)
			}
		}()
		next.ServeHTTP(a, q)
		unanswered = http.StatusOK
	})
}

// finish makes the row.
func (e *Entry) finish(status int, took time.Duration) connector.Request {
	e.row.Status, e.row.Duration = status, max(took, 0)
	e.row.BytesIn, e.row.BytesOut = e.in.size, e.out.size
	if e.bodies {
		e.row.Asked, e.row.Answered = Body(e.in.seen, e.in.size), Body(e.out.seen, e.out.size)
	}
	return e.row
}

// capture counts bytes and keeps the first of them.
type capture struct {
	size int64
	seen []byte
}

func (c *capture) add(p []byte, keep bool) {
	c.size += int64(len(p))
	if room := CaptureMost - len(c.seen); keep && room > 0 {
		c.seen = append(c.seen, p[:min(len(p), room)]...)
	}
}

// asked is the body of a request.
type asked struct {
	io.ReadCloser
	e *Entry
}

func (a *asked) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.e.in.add(p[:n], a.e.bodies)
	return n, err
}

// answered is the writer of an answer.
type answered struct {
	http.ResponseWriter
	e      *Entry
	status int
}

// WriteHeader remembers the final status.
func (a *answered) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.e.out.add(p[:n], a.e.bodies)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
