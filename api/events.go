package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

// The limits of streams of events.
const (
	streamsOfOrg = 16
	streamsOfAll = 128
	streamLook   = 500 * time.Millisecond // between two looks at a run
	streamSign   = 15 * time.Second       // between two signs of life
	streamWrite  = 10 * time.Second       // for a client to take what is sent
	streamTime   = 15 * time.Minute       // for one stream, after which the token is asked for again
)

func (s *Server) events() {
	route(s, operation{
		id: "followRun", method: http.MethodGet, path: "/runs/{run}/events", scope: connector.APIRead, tag: runsTag, events: true,
		summary: "Follow a run while it goes on",
		about: "Server-sent events: progress, with phase (read, verify, apply, keep), done and total (0 = not known), where the run goes on in the process that answers; run, with its report without people, at the beginning; " +
			"end, with the same, when it has ended, which ends the stream. It ends after 15 minutes too: ask again. 16 streams of an organization at a time.",
	}, s.followRun)
}

// eventResponses describe a stream. Each is for one document, into which huma writes.
func eventResponses() map[string]*huma.Response {
	return map[string]*huma.Response{
		"200": {Description: "The events.", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}},
	}
}

// streams counts those that are open.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// open takes a place; ok is false where there is none.
func (x *streams) open(org string) (shut func(), ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all >= streamsOfAll || x.of[org] >= streamsOfOrg {
		return nil, false
	}
	if x.of == nil {
		x.of = map[string]int{}
	}
	x.all++
	x.of[org]++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.all--
		if x.of[org]--; x.of[org] == 0 {
			delete(x.of, org)
		}
	}, true
}

func (s *Server) followRun(ctx context.Context, c *call, in *RunPath) (*huma.StreamResponse, error) {
	run, err := s.run(ctx, c, in)
	if err != nil {
		return nil, err
	}
	shut, ok := s.streams.open(c.id())
	if !ok {
		return nil, newProblem(http.StatusTooManyRequests, "too_many_streams", "too many streams are open: close others, or ask for the report now and then")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) { //nolint:contextcheck // it has that of the request
		defer shut()
		c.leave() // a stream keeps nobody else from being answered
		_, w := humago.Unwrap(hc)
		s.follow(hc.Context(), &stream{w: w, rc: http.NewResponseController(w)}, c, run)
	}}, nil
}

// stream is one that is open.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// begin takes the times of the server off a connection: a stream has its own.
func (x *stream) begin() {
	_ = x.rc.SetReadDeadline(time.Time{}) // where that cannot be done, the stream is as short as the server wants
	_ = x.rc.SetWriteDeadline(time.Time{})
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.w.Header().Set("X-Accel-Buffering", "no") // of nginx, which keeps answers back otherwise
	x.w.WriteHeader(http.StatusOK)
}

// send sends one event, or a sign of life where it has no name.
func (x *stream) send(name string, data any) error {
	text := []byte(": here\n\n")
	if name != "" {
		doc, err := json.Marshal(data)
		if err != nil {
			return err
		}
		text = fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, doc)
	}
	late := time.AfterFunc(streamWrite, func() { _ = x.rc.SetWriteDeadline(time.Unix(1, 0)) })
	defer late.Stop()
	if _, err := x.w.Write(text); err != nil {
		return err
	}
	return x.rc.Flush()
}

// progressEvent is how far a run is.
type progressEvent struct {
	Phase string `json:"phase"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// follow tells how a run goes on until it has ended, the client has gone, or the time of a stream is over. A run that
// cannot be looked at any more ends it without a word: the client asks again.
func (s *Server) follow(ctx context.Context, x *stream, c *call, run *connector.Run) {
	x.begin()
	look, sign, over := time.NewTicker(streamLook), time.NewTicker(streamSign), time.NewTimer(streamTime)
	defer look.Stop()
	defer sign.Stop()
	defer over.Stop()
	name := "run"
	var last provision.Progress
	for {
		if run.Result != connector.ResultRunning {
			name = "end"
		}
		if name != "" {
			doc, err := s.head(c, run)
			if err != nil || x.send(name, doc) != nil || name == "end" {
				return
			}
			name = ""
		}
		if now, ok := s.o.Runner.Progress(run.ID); ok && now != last {
			last = now
			if x.send("progress", progressEvent(now)) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.o.Stop:
			return
		case <-over.C:
			return
		case <-sign.C:
			if x.send("", nil) != nil {
				return
			}
		case <-look.C:
		}
		var err error
		if run, err = s.o.Store.Run(ctx, run.ID); err != nil {
			return
		}
	}
}

// head is the report of a run without its people.
func (s *Server) head(c *call, run *connector.Run) (json.RawMessage, error) {
	var b bytes.Buffer
	err := report.JSON(&b, report.Report{Run: run, Now: s.now(), Lang: c.lang, Catalogue: s.catalogue})
	return b.Bytes(), err
}
