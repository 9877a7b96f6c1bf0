package notify_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"usherd/connector"
	"usherd/connector/notify"
	"usherd/connector/notify/smtpserver"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
)

const password = "correct-horse"

// world is an outbox with a mail server.
type world struct {
	t        *testing.T
	now      time.Time
	db       *store.DB
	server   *smtpserver.Server
	config   notify.Config
	portal   string
	links    connector.LinkKey
	log      *observer.ObservedLogs
	notifier *notify.Notifier
}

func newWorld(t *testing.T, o smtpserver.Options) *world {
	t.Helper()
	w := &world{t: t, now: storetest.Start(), portal: "https://account.acme.test", links: connector.NewLinkKey([]byte(strings.Repeat("k", 32)))}
	w.server = smtpserver.Start(t, o)
	w.config = notify.Config{
		Server: w.server.Addr, TLS: o.TLS, CAFile: w.server.CAFile, User: o.User, Password: connector.NewSecret(o.Password),
		From: "Acme accounts <accounts@acme.test>", ReplyTo: "help@acme.test", Rate: 6000, Hello: "usherd.acme.test",
	}
	var err error
	if w.db, err = store.Open(t.Context(), newstore.URL(t), store.Options{Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.start()
	return w
}

func (w *world) clock() time.Time { return w.now }

// start makes a Notifier, like a daemon that has just begun to lead.
func (w *world) start() {
	w.t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	w.log = logs
	org := &connector.Organization{ID: "acme", Name: "Acme & Söner", Languages: []string{"sv"}, Contact: connector.Contact{Name: "Help Desk", Email: "help@acme.test"}}
	var err error
	w.notifier, err = notify.New(notify.Options{
		Store: w.db, Links: w.links, Now: w.clock, Log: zap.New(core), Metrics: notify.NewMetrics(prometheus.NewRegistry()),
		Settings: func() notify.Settings {
			server, err := notify.NewSMTP(w.config)
			if err != nil {
				w.t.Error(err)
			}
			return notify.Settings{SMTP: server, Portal: w.portal, Organizations: map[string]notify.Organization{"acme": {Settings: org}}}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// put writes an invitation.
func (w *world) put(to, lang string) connector.Mail {
	w.t.Helper()
	m := connector.Mail{
		ID: connector.NewID(w.now), Org: "acme", Kind: connector.InvitationMail, To: to, Language: lang, About: connector.ID{7}, At: w.now,
		Values: map[string]string{"Name": "Ann <b>\r\nBcc: eve@evil.test"},
	}
	link := connector.MailLink{ID: connector.NewID(w.now), Org: "acme", Kind: connector.ProveLink, Subject: m.About, Email: to, Until: w.now.Add(7 * 24 * time.Hour)}
	m.Link = link.ID
	w.ok(w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		return errors.Join(tx.PutMailLink(w.t.Context(), link), tx.PutMail(w.t.Context(), m))
	}))
	return m
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) once() {
	w.t.Helper()
	w.ok(w.notifier.Once(w.t.Context()))
}

// mail is how a mail is now.
func (w *world) mail(m connector.Mail) connector.Mail {
	w.t.Helper()
	got, ok, err := w.db.Mail(w.t.Context(), m.Org, m.ID)
	w.ok(err)
	if !ok {
		w.t.Fatal("the mail is gone")
	}
	return got
}

// is asks for state, attempts and code of a mail, and for words of the answer.
func (w *world) is(m connector.Mail, state connector.MailState, attempts, code int, words string) {
	w.t.Helper()
	if got := w.mail(m); got.State != state || got.Attempts != attempts || got.Code != code || !strings.Contains(got.Answer, words) {
		w.t.Errorf("%s, %d attempts, %d %q; want %s, %d, %d %q", got.State, got.Attempts, got.Code, got.Answer, state, attempts, code, words)
	}
}

// parts are the plain and the HTML part of a mail.
func parts(t *testing.T, m *mail.Message) (plain, html string) {
	t.Helper()
	media, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || media != "multipart/alternative" {
		t.Fatal(media, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return plain, html
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain") {
			plain = string(text)
		} else {
			html = string(text)
		}
	}
}

// A mail goes by each way to TLS, with an account, and says what it should, in both forms.
func TestMailsAreSent(t *testing.T) {
	t.Parallel()
	for _, way := range []string{notify.StartTLS, notify.Implicit, notify.NoTLS} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, smtpserver.Options{TLS: way, User: "usherd", Password: password})
			m := w.put("ann@exämple.test", "")
			w.once()
			w.is(m, connector.MailSent, 1, 250, "queued as 1")
			list := w.server.Mails()
			if len(list) != 1 {
				t.Fatalf("%d mails", len(list))
			}
			got := list[0]
			for header, want := range map[string]string{
				"X-Envelope-To": "ann@xn--exmple-cua.test", "Message-ID": "<" + m.ID.String() + "@acme.test>", "Auto-Submitted": "auto-generated", "Content-Language": "sv",
				"Reply-To": "<help@acme.test>", "Bcc": "",
			} {
				if got.Header.Get(header) != want {
					t.Errorf("%s: %q, want %q", header, got.Header.Get(header), want)
				}
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			if err != nil || subject != "Bekräfta din adress för Acme & Söner" { //nolint:misspell // Swedish
				t.Errorf("%q %v", subject, err)
			}
			plain, html := parts(t, got)
			link, err := w.db.MailLink(t.Context(), "acme", m.Link)
			w.ok(err)
			address := w.portal + w.links.Path(&link)
			for _, want := range []string{address, "Hej Ann <b>", "help@acme.test", "2026-03-08"} {
				if !strings.Contains(plain, want) {
					t.Errorf("there is no %q in\n%s", want, plain)
				}
			}
			for _, want := range []string{`href="` + address + `"`, "Ann &lt;b&gt;", "Acme &amp; Söner"} {
				if !strings.Contains(html, want) {
					t.Errorf("there is no %q in\n%s", want, html)
				}
			}
			w.once()
			if n := len(w.server.Mails()); n != 1 {
				t.Errorf("%d mails", n)
			}
		})
	}
}

// What the server says decides what becomes of a mail; no mail stands in the way of another one.
func TestAnswersOfTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtpserver.Options{TLS: notify.StartTLS, Slow: time.Second})
	mails := map[string]connector.Mail{}
	for _, who := range []string{smtpserver.Nobody, smtpserver.Grey, smtpserver.Full, smtpserver.Cut, smtpserver.Lost, smtpserver.Slow, "ann"} {
		mails[who] = w.put(who+"@example.test", "en")
	}
	w.once()
	w.is(mails[smtpserver.Nobody], connector.MailFailed, 1, 550, "no such user here")
	w.is(mails[smtpserver.Full], connector.MailFailed, 1, 552, "mailbox full")
	w.is(mails[smtpserver.Grey], connector.MailWaiting, 1, 450, "greylisted, come back later")
	w.is(mails[smtpserver.Cut], connector.MailWaiting, 1, 0, "EOF")
	w.is(mails[smtpserver.Lost], connector.MailWaiting, 1, 0, "EOF")
	w.is(mails[smtpserver.Slow], connector.MailSent, 1, 250, "queued")
	w.is(mails["ann"], connector.MailSent, 1, 250, "queued")
	w.once() // the pause is not over
	w.is(mails[smtpserver.Grey], connector.MailWaiting, 1, 450, "")
	w.now = w.now.Add(time.Minute)
	w.once()
	for _, who := range []string{smtpserver.Grey, smtpserver.Cut, smtpserver.Lost} {
		w.is(mails[who], connector.MailSent, 2, 250, "queued")
	}
	ids := map[string]int{}
	for _, m := range w.server.Mails() {
		ids[m.Header.Get("Message-ID")]++
	}
	for who, m := range mails {
		want := map[string]int{smtpserver.Nobody: 0, smtpserver.Full: 0, smtpserver.Lost: 2}
		n, special := want[who]
		if !special {
			n = 1
		}
		if got := ids["<"+m.ID.String()+"@acme.test>"]; got != n {
			t.Errorf("%s: %d mails, want %d", who, got, n)
		}
	}
}

// Who dies after the server's 250 and before the mark sends the mail again, as the same one; who has lost the lease marks
// nothing.
func TestMailsAreSentAtLeastOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtpserver.Options{TLS: notify.StartTLS})
	m := w.put("ann@example.test", "en")
	token, err := w.db.Lease(t.Context(), "leader", "one", time.Minute)
	w.ok(err)
	ctx := connector.WithFence(t.Context(), connector.Fence{Lease: "leader", Token: token})
	w.ok(w.db.Release(t.Context(), "leader", "one"))
	if _, err := w.db.Lease(t.Context(), "leader", "two", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := w.notifier.Once(ctx); !errors.Is(err, connector.ErrLeaseLost) {
		t.Fatalf("the lease is lost: %v", err)
	}
	w.is(m, connector.MailWaiting, 0, 0, "")
	w.start()
	w.once()
	w.is(m, connector.MailSent, 1, 250, "queued")
	list := w.server.Mails()
	if len(list) != 2 || list[0].Header.Get("Message-ID") != list[1].Header.Get("Message-ID") || list[0].Header.Get("Date") != list[1].Header.Get("Date") {
		t.Errorf("%d mails", len(list))
	}
}

// A server that does not take us is no fault of a mail: all wait, and the password is nowhere.
func TestServersThatDoNotTakeUs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtpserver.Options{TLS: notify.StartTLS, User: "usherd", Password: password})
	m := w.put("ann@example.test", "en")
	good := w.config
	for _, c := range []struct {
		name, words string
		kind        connector.Kind
		change      func(*notify.Config)
	}{
		{"wrong password", "535", connector.Denied, func(c *notify.Config) { c.Password = connector.NewSecret("wrong-" + password) }},
		{"unknown authority", "x509", connector.Refused, func(c *notify.Config) { c.CAFile = "" }},
		{"nobody there", "refused", connector.Unavailable, func(c *notify.Config) { c.Server = "127.0.0.1:1" }},
		{"TLS where STARTTLS is", "tls", connector.Refused, func(c *notify.Config) { c.TLS = notify.Implicit }},
		{"no account", "530", 0, func(c *notify.Config) { c.User = "" }},
		{"sender not allowed", "may not send", 0, func(c *notify.Config) { c.From = smtpserver.Refused + "@acme.test" }},
	} {
		w.config = good
		c.change(&w.config)
		server, err := notify.NewSMTP(w.config)
		w.ok(err)
		if err := server.Check(t.Context()); c.kind != 0 && (connector.KindOf(err) != c.kind || connector.HintOf(err) == "" || strings.Contains(err.Error(), password)) {
			t.Errorf("%s: %d %v, what to do: %s", c.name, connector.KindOf(err), err, connector.HintOf(err))
		}
		w.start()
		w.once()
		w.is(m, connector.MailWaiting, 0, 0, c.words)
		for _, e := range w.log.All() {
			if text := e.Message + zapText(e); strings.Contains(text, password) || strings.Contains(text, "ann@") || strings.Contains(text, "invitation/acme") {
				t.Errorf("%s: the log tells: %s", c.name, text)
			}
		}
	}
	w.config = good
	server, err := notify.NewSMTP(w.config)
	w.ok(err)
	w.ok(server.Check(t.Context()))
	w.start()
	w.once()
	w.is(m, connector.MailSent, 1, 250, "queued")
}

func zapText(e observer.LoggedEntry) string {
	var b strings.Builder
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
	buf, err := enc.EncodeEntry(e.Entry, e.Context)
	if err != nil {
		return err.Error()
	}
	b.Write(buf.Bytes())
	return b.String()
}

// A server that is away is left alone for a while, and mails are not counted as tried.
func TestTheServerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtpserver.Options{TLS: notify.NoTLS})
	w.server.Stop()
	m := w.put("ann@example.test", "en")
	w.once()
	w.is(m, connector.MailWaiting, 0, 0, "refused")
	w.server = smtpserver.Start(t, smtpserver.Options{TLS: notify.NoTLS, Port: w.server.Port})
	w.once() // it is left alone
	w.is(m, connector.MailWaiting, 0, 0, "refused")
	w.now = w.now.Add(time.Minute)
	w.once()
	w.is(m, connector.MailSent, 1, 250, "queued")
}

// After three days nobody waits for a mail any more; a link that has ended is not sent; without a portal a link leads nowhere.
func TestMailsThatAreOfNoUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtpserver.Options{TLS: notify.NoTLS})
	late, grey := w.put("ann@example.test", "en"), w.put("grey@example.test", "en")
	w.portal = ""
	w.once()
	w.is(grey, connector.MailWaiting, 1, 0, "no portal")
	w.portal = "https://account.acme.test"
	w.now = w.now.Add(4 * 24 * time.Hour)
	w.once()
	w.is(late, connector.MailSent, 2, 250, "queued")
	w.is(grey, connector.MailFailed, 2, 450, "greylisted")
	used := w.put("bob@example.test", "en")
	w.ok(w.db.Write(t.Context(), func(tx connector.Tx) error {
		_, err := tx.UseMailLink(t.Context(), "acme", used.Link, w.now)
		return err
	}))
	w.once()
	w.is(used, connector.MailFailed, 1, 0, "used already")
	if n := len(w.server.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// Whoever stops it in the middle of a slow answer does not wait for the server.
func TestStoppingDoesNotWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtpserver.Options{TLS: notify.NoTLS, Slow: 45 * time.Second})
	m := w.put(smtpserver.Slow+"@example.test", "en")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	began := time.Now()
	w.ok(w.notifier.Once(ctx))
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	w.is(m, connector.MailWaiting, 0, 0, "")
}
