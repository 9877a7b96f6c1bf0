package notice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"usherd/connector"
)

const (
	// tryTime bounds one attempt, from the look-up of the name to the end of the answer.
	tryTime = 15 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 64 << 10
	// minSecret is how long a key has to be, in bytes.
	minSecret = 24
	// documentVersion grows when what a field means changes; new fields do not change it.
	documentVersion = 1
)

// pauses lie between the attempts: a little more than a day in all.
var pauses = [...]time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}

// Secret is the key that a webhook is signed by.
type Secret struct{ key connector.Secret }

// ParseSecret reads a secret: whsec_ with the key in base64, as Standard Webhooks write it, or the key as it is. It has at least 24 bytes.
func ParseSecret(s connector.Secret) (Secret, error) {
	text, encoded := strings.CutPrefix(s.Reveal(), "whsec_")
	key := []byte(text)
	if encoded {
		var err error
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return Secret{}, errors.New("behind whsec_ there is no base64")
		}
	}
	if len(key) < minSecret {
		return Secret{}, fmt.Errorf("the secret is too short: it needs at least %d bytes, as openssl rand -base64 32 gives", minSecret)
	}
	return Secret{connector.NewSecret(string(key))}, nil
}

// sign is the header webhook-signature for a body.
func (s Secret) sign(id string, at int64, body []byte) string {
	mac := hmac.New(sha256.New, []byte(s.key.Reveal()))
	mac.Write(append(fmt.Appendf(nil, "%s.%d.", id, at), body...))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// document is what a webhook is sent. Its form is a promise: see README.
type document struct {
	Type    connector.NoticeKind `json:"type"`
	Version int                  `json:"version"`
	ID      connector.ID         `json:"id"`
	Org     string               `json:"org"`
	At      time.Time            `json:"at"`
	Test    bool                 `json:"test,omitempty"`
	Link    string               `json:"link,omitempty"`
	Command string               `json:"command"`
	Data    connector.NoticeData `json:"data"`
}

// body is the document of a notice, the same at each attempt.
func body(n *connector.Notice, console string) ([]byte, error) {
	d := document{Type: n.Kind, Version: documentVersion, ID: n.ID, Org: n.Org, At: n.At.UTC(), Test: n.Data.Test, Command: n.Command(), Data: n.Data}
	d.Data.Test, d.Data.Error, d.Data.Hint, d.Data.Why = false, "", "", ""
	if console != "" {
		d.Link = console + n.Path()
	}
	return json.Marshal(d)
}

// verdict is what became of an attempt.
type verdict struct {
	ok    bool
	final bool // trying again does not help
	code  int
	words string
	wait  time.Duration // that the receiver has asked for
}

// post sends one notice.
func post(ctx context.Context, t *Target, n *connector.Notice, console string, now time.Time) verdict {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	text, err := body(n, console)
	if err != nil {
		return verdict{final: true, words: err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(text))
	if err != nil {
		return verdict{final: true, words: "this is no address"}
	}
	id := n.ID.String()
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "usherd", "Webhook-Id": id, "Webhook-Timestamp": strconv.FormatInt(now.Unix(), 10),
		"Webhook-Signature": t.Secret.sign(id, now.Unix(), text),
	} {
		req.Header.Set(name, value)
	}
	client := clientFor(req.URL)
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return verdict{words: faultWords(err)}
	}
	defer res.Body.Close()                                          //nolint:errcheck // it has been read
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // what it says is nobody's business
	v := verdict{code: res.StatusCode, words: http.StatusText(res.StatusCode)}
	switch {
	case res.StatusCode >= 200 && res.StatusCode <= 299:
		v.ok = true
	case res.StatusCode >= 300 && res.StatusCode <= 399:
		v.words = "redirects are not followed: write the address that it leads to"
	case res.StatusCode == http.StatusGone:
		v.final, v.words = true, "the receiver wants no more of these: remove the webhook, or change its address"
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // a date, or nothing, is 0
		v.wait = time.Duration(min(max(seconds, 0), int(time.Hour/time.Second))) * time.Second
	}
	return v
}

// faultWords are why there is no answer, without the address, which may hold a key.
func faultWords(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return "no answer within " + tryTime.String()
		}
		err = e.Err
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "?")), " ")
	return text[:min(len(text), 300)]
}

// clientFor is a client for one attempt: it keeps no connection, asks no proxy, follows no redirect, and speaks to no address of which
// the configuration cannot have meant that it is reached by a name.
func clientFor(u *url.URL) *http.Client {
	literal, _ := netip.ParseAddr(u.Hostname())
	dialer := &net.Dialer{Timeout: tryTime, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return reachable(a.Addr().Unmap(), literal.Unmap(), u.Scheme == "http")
	}}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// metadata are addresses at which clouds tell machines their secrets, beside those that are link-local.
var metadata = []netip.Addr{netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("192.0.0.192")}

// reachable reports why an address is not spoken to, nil where it is. Literal is the one that the URL names, if it names one.
func reachable(a, literal netip.Addr, plain bool) error {
	if plain && !a.IsLoopback() {
		return fmt.Errorf("%s is not on this machine, and http would show everybody on the way what is sent: write https", a)
	}
	if a == literal && !a.IsUnspecified() && !a.IsMulticast() {
		return nil
	}
	if slices.Contains(metadata, a) {
		return fmt.Errorf("%s is where a cloud keeps secrets: no name is followed there", a)
	}
	if a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return fmt.Errorf("the name leads to %s, which is link-local, multicast or nowhere: write that address into the URL if it is meant", a)
	}
	return nil
}
