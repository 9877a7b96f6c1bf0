package api

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.uber.org/zap"

	"usherd/connector"
)

// AnswerStore keeps what requests were answered. store.DB is one.
type AnswerStore interface {
	BeginAnswer(ctx context.Context, a connector.KeptAnswer, abandoned, forgotten time.Time) (former connector.KeptAnswer, begun bool, err error)
	EndAnswer(ctx context.Context, a connector.KeptAnswer) error
	UndoAnswer(ctx context.Context, a connector.KeptAnswer) error
}

const (
	onceHeader = "Idempotency-Key"
	onceMax    = 255
	// KeepAnswers is how long a key is good.
	KeepAnswers = 24 * time.Hour
	// workTime bounds the work for a request with a key, which goes on when its client has gone.
	workTime = 110 * time.Second
	// abandoned is after how long nobody can be at work on a request any more.
	abandoned = 2 * workTime
)

// onceParam describes the header, for one document, into which huma writes.
func onceParam() *huma.Param {
	return &huma.Param{
		Name: onceHeader, In: "header", Description: "A name of your choice for this request, such as a fresh UUID. See above.",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: new(onceMax), Pattern: "^[!-~]+$"},
	}
}

// once answers a request that has a key: it is carried out the first time and gets the same answer every other time, for a
// day, at whichever replica.
func (s *Server) once(ctx huma.Context, c *call, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	key := r.Header.Get(onceHeader)
	if !validKey(key) || len(r.Header.Values(onceHeader)) > 1 {
		invalid("header."+onceHeader, fmt.Sprintf("one key of 1 to %d visible ASCII characters", onceMax)).write(w)
		return
	}
	body, digest, p := bodyOf(ctx, c, r)
	if p != nil {
		p.write(w)
		return
	}
	// The work outlives its client, who may ask again for what has become of it.
	background, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
	defer cancel()
	work := &work{
		s: s, seal: newSeal(r.Header.Get("Authorization"), key), KeptAnswer: connector.KeptAnswer{
			Org: c.id(), Token: c.caller.Token, Key: sha256.Sum256([]byte(key)), Request: requestDigest(r, digest), Begun: s.now().Truncate(time.Microsecond),
		},
	}
	former, begun, err := s.o.Store.BeginAnswer(background, work.KeptAnswer, work.Begun.Add(-abandoned), work.Begun.Add(-KeepAnswers))
	switch {
	case err != nil:
		s.problem(background, err).write(w)
	case !begun:
		work.repeat(background, w, former)
	default:
		r = r.WithContext(background)
		r.Body = io.NopCloser(bytes.NewReader(body))
		work.first(background, w, func(w http.ResponseWriter) {
			next(huma.WithContext(humago.NewContext(ctx.Operation(), r, w), c.in(background)))
		})
	}
}

func validKey(key string) bool {
	for i := range len(key) {
		if key[i] < '!' || key[i] > '~' {
			return false
		}
	}
	return key != "" && len(key) <= onceMax
}

// bodyOf reads what a request says, unless it is a file that is kept already.
func bodyOf(ctx huma.Context, c *call, r *http.Request) (body []byte, digest [sha256.Size]byte, p *Problem) {
	if c.file != nil {
		return nil, c.file.digest, nil
	}
	most := ctx.Operation().MaxBodyBytes
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		p = newProblem(http.StatusRequestTimeout, "too_slow", "the body did not come to its end")
	case int64(len(body)) > most:
		p = newProblem(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body has more than %d bytes", most))
	}
	return body, sha256.Sum256(body), p
}

// requestDigest is that of everything which says what a request asks for.
func requestDigest(r *http.Request, body [sha256.Size]byte) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %x", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("If-Match"), body))
}

// work is a request with a key.
type work struct {
	connector.KeptAnswer
	s    *Server
	seal seal
}

// keptReply is an answer as it is kept.
type keptReply struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// keptHeaders are those that belong to an answer and not to the request that got it.
var keptHeaders = []string{"Content-Type", "Location", "ETag"}

// first has the request carried out, keeps the answer and gives it. One of 500 and above says that nothing is known of the
// work, and is not kept.
func (k *work) first(ctx context.Context, w http.ResponseWriter, do func(http.ResponseWriter)) {
	page := &page{header: http.Header{}}
	ended := false
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	defer func() {
		if ended {
			return
		}
		if err := k.s.o.Store.UndoAnswer(last, k.KeptAnswer); err != nil {
			k.s.o.Log.Error("a request that failed cannot be tried again for a while", zap.Error(err))
		}
	}()
	do(page)
	if page.status == 0 {
		page.status = http.StatusOK
	}
	if page.status < http.StatusInternalServerError {
		reply := keptReply{Status: page.status, Header: http.Header{}, Body: page.body.Bytes()}
		for _, name := range keptHeaders {
			if values := page.header.Values(name); len(values) > 0 {
				reply.Header[name] = values
			}
		}
		k.Sealed = k.seal.close(reply, k.Request)
		if err := k.s.o.Store.EndAnswer(last, k.KeptAnswer); err != nil { // it is done all the same, and who asks now is told so
			k.s.o.Log.Error("an answer cannot be kept", zap.Error(err))
		}
		ended = true
	}
	page.write(w)
}

// repeat answers a request whose key was there before.
func (k *work) repeat(ctx context.Context, w http.ResponseWriter, former connector.KeptAnswer) {
	switch {
	case former.Request != k.Request:
		newProblem(http.StatusUnprocessableEntity, "key_used", "another request had this "+onceHeader+": give each its own").write(w)
	case former.Sealed == nil:
		w.Header().Set("Retry-After", "1")
		newProblem(http.StatusConflict, "in_progress", "the request with this "+onceHeader+" is being carried out: ask again").write(w)
	default:
		reply, err := k.seal.open(former.Sealed, former.Request)
		if err != nil {
			k.s.problem(ctx, err).write(w)
			return
		}
		page := &page{header: reply.Header, status: reply.Status}
		page.body.Write(reply.Body)
		w.Header().Set("Idempotency-Replayed", "true")
		page.write(w)
	}
}

// page is an answer before it is given.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (p *page) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *page) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
}

// Write implements http.ResponseWriter.
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }

func (p *page) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.header)
	w.WriteHeader(p.status)
	_, _ = w.Write(p.body.Bytes())
}

// seal closes answers so that only who has the token, and knows the key, can read them: the store has neither.
type seal struct{ aead cipher.AEAD }

func newSeal(token, key string) seal {
	secret, err := hkdf.Key(sha256.New, []byte(token), []byte(key), "usherd kept answers", 32)
	if err != nil {
		panic(err) // it fails for lengths that no SHA-256 gives
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // it has 32 bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // it is AES
	}
	return seal{aead}
}

func (x seal) close(reply keptReply, request [sha256.Size]byte) []byte {
	text, err := json.Marshal(reply)
	if err != nil {
		panic(err) // it holds texts and a number
	}
	return x.aead.Seal(nil, nil, text, request[:]) //nolint:gosec // it makes its own nonce
}

var errSealed = errors.New("the answer that is kept cannot be read")

func (x seal) open(sealed []byte, request [sha256.Size]byte) (reply keptReply, err error) {
	text, err := x.aead.Open(nil, nil, sealed, request[:])
	if err == nil {
		err = json.Unmarshal(text, &reply)
	}
	if err != nil {
		return reply, errSealed
	}
	return reply, nil
}
