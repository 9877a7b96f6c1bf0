package scim

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"usherd/connector"
	"usherd/scim/auth"
	"usherd/scim/body"
	"usherd/scim/dialect"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

// receive reads the body, of limit bytes at most, before the request has its turn: a client may send as slowly as the
// server's timeouts let it, at the price of its own places.
func (x *exchange) receive(w http.ResponseWriter, limit int64) error {
	if err := x.mediaType(); err != nil {
		return err
	}
	x.body = &metered{Reader: http.MaxBytesReader(w, x.r.Body, limit), budget: x.s.bodies, client: auth.Source{Org: x.org.Settings.ID, ID: x.source}, free: bodyFree}
	var err error
	x.sent, err = io.ReadAll(x.body)
	_, ours := told(err)
	switch {
	case err == nil || ours:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "", "the body did not arrive in time: send it again")
	}
	return refuse(http.StatusBadRequest, invalidSyntax, "the body did not arrive whole")
}

// read takes the body of a request as one JSON object.
func (x *exchange) read() (map[string]any, error) {
	m, err := body.Parse(x.sent)
	if bad, ok := errors.AsType[*body.Error](err); ok {
		return nil, refuse(http.StatusBadRequest, invalidSyntax, bad.Detail)
	}
	return m, err
}

// mediaType refuses bodies that are not JSON (scim.md 2.13). None named is taken for it.
func (x *exchange) mediaType() error {
	ct := x.r.Header.Get("Content-Type")
	if ct == "" {
		return nil
	}
	t, params, err := mime.ParseMediaType(ct)
	cs, hasCharset := params["charset"]
	if err == nil && (t == mediaType || t == "application/json") && (!hasCharset || strings.EqualFold(cs, "utf-8")) {
		return nil
	}
	return refuse(http.StatusUnsupportedMediaType, "", "send "+mediaType+" or application/json in UTF-8")
}

// normalised reads the body and makes of it what the client's dialect means. What cannot be answered is refused
// here, before anything is written.
func (x *exchange) normalised(t *schema.Type) (map[string]any, error) {
	if _, err := x.projection(t, x.r.URL.Query()); err != nil {
		return nil, err
	}
	raw, err := x.read()
	if err != nil {
		return nil, err
	}
	x.recognise(raw)
	out, quirks, err := dialect.Normalise(x.profile, t, x.r.Method, raw)
	x.count(quirks)
	return out, err
}

func (x *exchange) count(quirks []patch.Quirk) {
	for _, q := range quirks {
		for range q.Count {
			x.notes.quirks = append(x.notes.quirks, q.ID)
		}
	}
}

// cause is what events say of who made them.
func (x *exchange) cause() connector.Cause {
	return connector.Cause{Kind: connector.CauseRequest, Actor: "scim:" + x.source}
}
