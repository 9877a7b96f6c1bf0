package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usherd/connector"
)

// SessionStore keeps who is signed in, for all replicas.
type SessionStore interface {
	PutSession(ctx context.Context, s connector.Session) error
	Session(ctx context.Context, hash connector.TokenHash) (s connector.Session, ok bool, err error)
	EndSession(ctx context.Context, hash connector.TokenHash) error
	TakeTry(ctx context.Context, limits []connector.TryLimit, window time.Duration, now time.Time) (ok bool, err error)
	ForgetTries(ctx context.Context, key string) error
	UseFormKey(ctx context.Context, hash connector.TokenHash, until time.Time) (fresh bool, err error)
	Write(ctx context.Context, f func(connector.Tx) error) error
}

const (
	idleFor    = 30 * time.Minute // a session ends when nothing is asked for that long
	sessionFor = 12 * time.Hour   // and then in any case
	useEvery   = time.Minute      // how exactly it is known when a session was used
	keyFor     = time.Hour        // a form may be sent that long after it was shown
)

// cookieName is that of a cookie that only this host can set and read, where browsers reach it by https. On a loopback address
// without TLS browsers refuse such a name.
func (s *Server) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

func (s *Server) setCookie(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the door is
		Name: s.cookieName(name), Value: value, Path: "/", MaxAge: maxAge, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (v *visit) cookie(name string) string {
	if c, err := v.r.Cookie(v.s.cookieName(name)); err == nil {
		return c.Value
	}
	return ""
}

const sessionCookie = "usherd"

// recognise finds out who is signed in, and answers where the store cannot be asked.
func (v *visit) recognise() bool {
	value := v.cookie(sessionCookie)
	if value == "" {
		return true
	}
	hash := connector.TokenHash(sha256.Sum256([]byte(value)))
	s, ok, err := v.s.o.Store.Session(v.r.Context(), hash)
	if err != nil {
		v.accident("session", err)
		return false
	}
	if !ok || !v.now.Before(s.Until) || v.now.Sub(s.UsedAt) >= idleFor {
		return true
	}
	if v.now.Sub(s.UsedAt) >= useEvery && !v.live() { // a page that is left open is no use
		s.UsedAt = v.now
		if err := v.s.o.Store.PutSession(v.r.Context(), s); err != nil {
			v.accident("session", err)
			return false
		}
	}
	v.session, v.roles = &s, v.set.roles(&s)
	v.choose()
	return true
}

// begin signs somebody in: in a new session always, so that none is handed on that somebody else knew before.
func (v *visit) begin(s connector.Session) error {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error (Go 1.24)
	value := base64.RawURLEncoding.EncodeToString(b[:])
	s.Hash = sha256.Sum256([]byte(value))
	s.Address, s.CreatedAt, s.UsedAt, s.FreshAt, s.Until = v.s.o.Address(v.r), v.now, v.now, v.now, v.now.Add(sessionFor)
	if v.session != nil {
		s.CreatedAt, s.Until = v.session.CreatedAt, v.session.Until // to prove oneself again prolongs nothing
		if err := v.s.o.Store.EndSession(v.r.Context(), v.session.Hash); err != nil {
			return err
		}
	}
	if err := v.s.o.Store.PutSession(v.r.Context(), s); err != nil {
		return err
	}
	v.session = &s
	v.s.setCookie(v.w, sessionCookie, value, 0)
	return nil
}

// A key of a form is the hour in which it ends, 16 random bytes, and a MAC of both and the session: it is good once, for who was
// shown the form, without being kept before it is used.
const keyField = "key"

// formKey makes one.
func (v *visit) formKey() string {
	if v.session == nil {
		return ""
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(v.now.Add(keyFor).Unix())) //nolint:gosec // not before 1970
	b = append(b, make([]byte, 16)...)
	_, _ = rand.Read(b[8:])
	return base64.RawURLEncoding.EncodeToString(append(b, v.keyMAC(b)...))
}

func (v *visit) keyMAC(b []byte) []byte {
	m := hmac.New(sha256.New, v.s.o.Secret)
	m.Write(v.session.Hash[:])
	m.Write(b)
	return m.Sum(nil)
}

// readForm reads what was posted and uses its key, and answers where that cannot be.
func (v *visit) readForm() bool {
	if err := v.parseForm(); err != nil {
		v.say(http.StatusBadRequest, "console.badform", nil)
		return false
	}
	v.form = v.r.PostForm
	text := v.form.Get(keyField)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 24+sha256.Size || !hmac.Equal(v.keyMAC(b[:24]), b[24:]) {
		v.say(http.StatusForbidden, "console.badkey", nil)
		return false
	}
	end := time.Unix(int64(binary.BigEndian.Uint64(b)), 0) //nolint:gosec // our own number
	if !v.now.Before(end) {
		v.say(http.StatusForbidden, "console.oldkey", nil)
		return false
	}
	fresh, err := v.s.o.Store.UseFormKey(v.r.Context(), sha256.Sum256(b), end)
	if err != nil {
		v.accident("form", err)
		return false
	}
	if !fresh {
		v.say(http.StatusConflict, "console.usedkey", nil)
		return false
	}
	v.r = v.r.WithContext(connector.Acting(v.r.Context(), v.actor(v.value("reason"))))
	return true
}

// parseForm reads what was posted, with files where the form has such fields: they are as small as everything that is posted.
func (v *visit) parseForm() error {
	if strings.HasPrefix(v.r.Header.Get("Content-Type"), "multipart/form-data") {
		return v.r.ParseMultipartForm(maxForm) //nolint:gosec // ServeHTTP has bounded it
	}
	return v.r.ParseForm()
}

// actor is who does what this visit does, for the audit log.
func (v *visit) actor(reason string) connector.Actor {
	a := connector.Actor{Name: "console", Address: v.s.o.Address(v.r), Reason: reason, Ref: v.w.Header().Get("X-Request-Id")}
	if v.session != nil {
		a.Name = v.session.Actor()
	}
	return a
}

// note writes an entry of the audit log about signing in, which concerns no organization.
func (v *visit) note(action connector.AuditAction, who string, details map[string]string) error {
	e := connector.AuditEntry{At: v.now, Actor: v.actor(""), Action: action, Target: "administrator " + who, Details: details}
	return v.s.o.Store.Write(v.r.Context(), func(tx connector.Tx) error { return tx.PutAudit(v.r.Context(), e) })
}

// value is one field of the form, without blanks around it.
func (v *visit) value(name string) string { return strings.TrimSpace(v.form.Get(name)) }

// flash is what a page tells once about what was done before it: a text by its key.
type flash struct {
	Kind string            `json:"k"` // as of a pill
	Key  string            `json:"t"`
	Data map[string]string `json:"d,omitempty"`
	Text string            `json:"-"`
}

const flashCookie = "usherd-flash"

// done ends an action: the browser goes on to an address, where a text is shown.
func (v *visit) done(address, kind, key string, data map[string]string) {
	text, _ := json.Marshal(flash{Kind: kind, Key: key, Data: data}) // texts: it never fails
	v.s.setCookie(v.w, flashCookie, base64.RawURLEncoding.EncodeToString(text), 60)
	v.redirect(address)
}

// takeFlash is what is to be told now, nil = nothing. It is told once.
func (v *visit) takeFlash() *flash {
	value := v.cookie(flashCookie)
	if value == "" || v.r.Method != http.MethodGet {
		return nil
	}
	v.s.setCookie(v.w, flashCookie, "", -1)
	var f flash
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || json.Unmarshal(text, &f) != nil {
		return nil
	}
	if f.Text = v.t(f.Key, f.Data); f.Text == f.Key {
		return nil
	}
	return &f
}

// askSignIn sends somebody to the sign-in who is not signed in.
func (v *visit) askSignIn() {
	next := "/"
	if v.r.Method == http.MethodGet {
		next = v.back()
	}
	v.seeOther("/login?" + url.Values{"next": {next}}.Encode())
}
