package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	mediaType    = "application/scim+json"
	maxAnswer    = 16 << 20
	callTimeout  = 30 * time.Second
	maxRetries   = 5                // of a request that is told to wait
	maxRetryWait = 30 * time.Second // that a service may ask for
)

// client sends requests to one service. It is used by one goroutine.
type client struct {
	base     string // without a slash at its end
	token    string
	http     *http.Client
	requests int
}

func newClient(o Options) (*client, error) {
	u, err := url.Parse(strings.TrimRight(o.URL, "/"))
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "":
		return nil, errors.New("the address of the service has to look like https://scim.example.com/scim/v2")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the address of the service has neither a password nor a query: give the token by itself")
	}
	return &client{base: u.String(), token: o.Token, http: &http.Client{
		Transport: o.Transport, Timeout: callTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error { // the token is for this host only
			if from := via[0].URL; r.URL.Scheme != from.Scheme || r.URL.Host != from.Host || len(via) > 3 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}, nil
}

// request is one to send. Path is below the base, or an absolute address of the same service.
type request struct {
	method, path string
	body         any // nil = none, a string as it is, else as JSON
	header       map[string]string
	anonymous    bool // without the token
}

// answer is what came back. It is never nil; the zero one is that of a request that was not sent.
type answer struct {
	request string // as it is told: POST /Users
	status  int
	header  http.Header
	raw     []byte
	body    map[string]any // nil where the body is no JSON object
	err     error
}

// text is the answer in a line.
func (a *answer) text() string {
	switch {
	case a.err != nil:
		return a.request + ": " + a.err.Error()
	case a.status == 0:
		return "nothing"
	}
	out := a.request + ": " + strconv.Itoa(a.status)
	if t, ok := a.body["scimType"].(string); ok {
		out += " " + t
	}
	if d, ok := a.body["detail"].(string); ok {
		out += ": " + d
	} else if a.body == nil && len(a.raw) > 0 {
		out += " with a body that is no JSON object"
	}
	return clip(out)
}

// send makes one request. A service that asks to wait (429, 503 with Retry-After) is waited for.
func (c *client) send(ctx context.Context, r request) *answer {
	for try := 0; ; try++ {
		a := c.once(ctx, r)
		wait, ok := a.wait()
		if !ok || try == maxRetries {
			return a
		}
		select {
		case <-ctx.Done():
			return a
		case <-time.After(wait):
		}
	}
}

// wait is how long the service wants the client to wait before it tries again.
func (a *answer) wait() (time.Duration, bool) {
	if a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable {
		return 0, false
	}
	n, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0, false
	}
	return min(time.Duration(n)*time.Second, maxRetryWait), true
}

func (c *client) once(ctx context.Context, r request) *answer {
	a := &answer{request: r.method + " " + shortened(r.path)}
	req, err := c.build(ctx, r)
	if err != nil {
		a.err = err
		return a
	}
	c.requests++
	resp, err := c.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // it names the whole address, which is known
			err = u.Err
		}
		a.err = err
		return a
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	a.status, a.header = resp.StatusCode, resp.Header
	if a.raw, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		a.err = err
		return a
	}
	c.hide(a)
	d := json.NewDecoder(bytes.NewReader(a.raw))
	d.UseNumber()
	if err := d.Decode(&a.body); err != nil {
		a.body = nil
	}
	return a
}

func (c *client) build(ctx context.Context, r request) (*http.Request, error) {
	address := c.base + r.path
	if strings.Contains(r.path, "://") {
		if address = r.path; !strings.HasPrefix(address, c.base+"/") {
			return nil, fmt.Errorf("%s is outside of the service, and the token is not sent there", shortened(r.path))
		}
	}
	var body io.Reader
	switch b := r.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", mediaType)
	req.Header.Set("User-Agent", "usherd-scim-check")
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	if c.token != "" && !r.anonymous {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	return req, nil
}

// hide takes the token out of an answer, should a service repeat it.
func (c *client) hide(a *answer) {
	if c.token == "" {
		return
	}
	const hidden = "[hidden]"
	a.raw = bytes.ReplaceAll(a.raw, []byte(c.token), []byte(hidden))
	for _, values := range a.header {
		for i, v := range values {
			values[i] = strings.ReplaceAll(v, c.token, hidden)
		}
	}
}

// shortened is a path as it is told: readable, and not too long.
func shortened(path string) string {
	if text, err := url.QueryUnescape(path); err == nil {
		path = text
	}
	return clip(path)
}

// clip bounds what is shown of a text, and keeps it in one line.
func clip(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
