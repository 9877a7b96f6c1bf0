package scim

import (
	"errors"
	"net/http"
	"sync"

	"go.uber.org/zap"

	"usherd/scim/body"
)

// outlet is where an answer is written. What is short is kept until it is whole, and sent with its length. Of what is
// longer, the beginning is sent while the rest is read from the store, so that no list of groups has to be in memory
// with all its members.
type outlet struct {
	*body.Writer
	send func(part []byte) error
}

// maxKept is how many bytes of an answer are kept.
const maxKept = 64 << 10

// pass sends what is there if it has become long.
func (o *outlet) pass() error {
	if o.Len() < maxKept {
		return nil
	}
	part, err := o.Bytes()
	if err != nil {
		return err
	}
	o.Taken()
	return o.send(part)
}

// buffers are reused: an answer is out when it has been written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// errEnough ends the rendering of an answer of which nobody wants more.
var errEnough = errors.New("nobody reads on")

// answer sends an answer, renders it where it is not there as a whole, and notes what was sent.
func (x *exchange) answer(w http.ResponseWriter, a *answer) {
	switch {
	case x.notModified(a):
		a.status, a.body = http.StatusNotModified, nil
		x.write(w, a)
	case a.render != nil:
		a = x.rendered(w, a)
	default:
		x.write(w, a)
	}
	x.finish(a)
}

// rendered renders an answer and sends it. When the store fails before anything was sent, the client is told; after
// that the connection ends in the middle of the answer, which no client takes for the whole.
func (x *exchange) rendered(w http.ResponseWriter, a *answer) *answer {
	buffer, _ := buffers.Get().(*[]byte)
	o := &outlet{Writer: body.NewWriter((*buffer)[:0])}
	o.send = func(part []byte) error {
		if !x.begun {
			x.head(w, a, -1)
		}
		if x.r.Method == http.MethodHead {
			return errEnough
		}
		if _, err := w.Write(part); err != nil {
			return errEnough
		}
		return nil
	}
	err := a.render(o)
	last, bad := o.Bytes()
	if err == nil {
		err = bad
	}
	switch {
	case err == nil && x.begun:
		_ = o.send(last)
	case err == nil:
		a.body = last
		x.write(w, a)
		a.body = nil
	case !x.begun:
		a = x.refused(err)
		x.write(w, a)
	case !errors.Is(err, errEnough):
		if x.r.Context().Err() == nil { // somebody waits for the rest
			x.s.o.Log.Error("a scim answer ended in the middle", zap.String("path", x.r.URL.Path), zap.String("source", x.source), zap.Error(err))
		}
		x.finish(a)
		panic(http.ErrAbortHandler)
	}
	if cap(last) <= 4*maxKept {
		*buffer = last[:0]
		buffers.Put(buffer)
	}
	return a
}
