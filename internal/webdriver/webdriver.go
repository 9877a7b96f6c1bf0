// Package webdriver drives a real browser in tests: a headless Chromium, by chromedriver and the W3C's WebDriver protocol
// over HTTP. A machine that lacks it skips the test; with CI=true in the environment that is a failure.
package webdriver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/internal/testproc"
)

var needs = testproc.Needs{Server: "Chromium", Programs: []string{"chromium", "chromedriver"}, Packages: "chromium chromium-driver"}

// Driver is a chromedriver that starts browsers.
type Driver struct {
	tb   testing.TB
	base string
}

// Start starts a driver for one test, and ends it and its browsers with the test.
func Start(tb testing.TB) *Driver {
	tb.Helper()
	needs.Demand(tb)
	ports, err := testproc.FreePorts(1)
	if err != nil {
		tb.Fatal(err)
	}
	log := filepath.Join(tb.TempDir(), "chromedriver.log")
	p, err := testproc.Start(tb.Context(), testproc.Command{Argv: []string{testproc.Program("chromedriver"), fmt.Sprintf("--port=%d", ports[0])}, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.Stop(5 * time.Second)
		if tb.Failed() {
			tb.Logf("the last words of chromedriver: %s", testproc.LastWords(log))
		}
	})
	d := &Driver{tb: tb, base: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	await(tb, func() error { return d.call(tb.Context(), http.MethodGet, "/status", nil, nil) })
	return d
}

// await asks again until it is answered, for half a minute.
func await(tb testing.TB, ask func() error) {
	tb.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			tb.Fatal(err)
		case <-tick.C:
		}
	}
}

// Browser is one window with a profile of its own.
type Browser struct {
	d    *Driver
	tb   testing.TB
	path string
}

// Browser opens a window. Without script, pages have no JavaScript.
func (d *Driver) Browser(tb testing.TB, script bool, language string) *Browser {
	tb.Helper()
	prefs := map[string]any{"intl.accept_languages": language}
	if !script {
		prefs["profile.managed_default_content_settings.javascript"] = 2
	}
	options := map[string]any{
		"binary": testproc.Program("chromium"), "prefs": prefs,
		"args": []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir=" + tb.TempDir(),
		},
	}
	var session struct {
		SessionID string `json:"sessionId"`
	}
	body := map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"goog:chromeOptions": options}}}
	if err := d.call(tb.Context(), http.MethodPost, "/session", body, &session); err != nil {
		tb.Fatal(err)
	}
	b := &Browser{d: d, tb: tb, path: "/session/" + session.SessionID}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = d.call(ctx, http.MethodDelete, b.path, nil, nil) // the driver ends it all the same
	})
	return b
}

// call is one command of the protocol.
func (d *Driver) call(ctx context.Context, method, path string, body, into any) error {
	var text []byte
	if method == http.MethodPost {
		if body == nil {
			body = struct{}{}
		}
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close() //nolint:errcheck // it is read
	answer, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("webdriver: %s: %s", path, testproc.Tail(answer))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, &struct{ Value any }{into})
}

func (b *Browser) do(method, path string, body, into any) {
	b.tb.Helper()
	if err := b.d.call(b.tb.Context(), method, b.path+path, body, into); err != nil {
		b.tb.Fatal(err)
	}
}

// Open goes to an address and waits until the page is there.
func (b *Browser) Open(address string) {
	b.tb.Helper()
	b.do(http.MethodPost, "/url", map[string]string{"url": address}, nil)
}

// Address is where the browser is.
func (b *Browser) Address() (address string) {
	b.tb.Helper()
	b.do(http.MethodGet, "/url", nil, &address)
	return address
}

// Source is the page as it stands.
func (b *Browser) Source() (source string) {
	b.tb.Helper()
	b.do(http.MethodGet, "/source", nil, &source)
	return source
}

// Forget ends what the browser knows of the sites that it has been to: their cookies.
func (b *Browser) Forget() {
	b.tb.Helper()
	b.do(http.MethodDelete, "/cookie", nil, nil)
}

// element is the path of an element (a selector of CSS) that is there now.
func (b *Browser) element(selector string) (path string, err error) {
	var e map[string]string
	err = b.d.call(b.tb.Context(), http.MethodPost, b.path+"/element", map[string]string{"using": "css selector", "value": selector}, &e)
	for _, id := range e {
		path = "/element/" + id
	}
	return path, err
}

// find waits for an element, for half a minute.
func (b *Browser) find(selector string) (path string) {
	b.tb.Helper()
	await(b.tb, func() (err error) {
		path, err = b.element(selector)
		return err
	})
	return path
}

// Has reports whether the page has such an element now.
func (b *Browser) Has(selector string) bool {
	b.tb.Helper()
	var list []map[string]string
	b.do(http.MethodPost, "/elements", map[string]string{"using": "css selector", "value": selector}, &list)
	return len(list) > 0
}

// ask asks for something of an element, again where the page has gone on in between, for half a minute.
func (b *Browser) ask(selector, what string, into any) {
	b.tb.Helper()
	await(b.tb, func() error {
		path, err := b.element(selector)
		if err != nil {
			return err
		}
		return b.d.call(b.tb.Context(), http.MethodGet, b.path+path+what, nil, into)
	})
}

// Text is the text of an element as it is seen.
func (b *Browser) Text(selector string) (text string) {
	b.tb.Helper()
	b.ask(selector, "/text", &text)
	return text
}

// Await waits, for half a minute, until an element has a text.
func (b *Browser) Await(selector, text string) {
	b.tb.Helper()
	await(b.tb, func() error {
		if is := b.Text(selector); is != text {
			return fmt.Errorf("webdriver: %s says %q, and not %q", selector, is, text)
		}
		return nil
	})
}

// Property is one of an element's, such as value.
func (b *Browser) Property(selector, name string) (text string) {
	b.tb.Helper()
	b.ask(selector, "/property/"+name, &text)
	return text
}

// Shown reports whether an element can be seen.
func (b *Browser) Shown(selector string) (shown bool) {
	b.tb.Helper()
	b.ask(selector, "/displayed", &shown)
	return shown
}

// Leave waits, for half a minute, until the browser is no more at an address that begins so.
func (b *Browser) Leave(prefix string) {
	b.tb.Helper()
	await(b.tb, func() error {
		if address := b.Address(); strings.HasPrefix(address, prefix) {
			return fmt.Errorf("the browser is at %s still", address)
		}
		return nil
	})
}

// Type types into an element.
func (b *Browser) Type(selector, text string) {
	b.tb.Helper()
	b.do(http.MethodPost, b.find(selector)+"/value", map[string]string{"text": text}, nil)
}

// Click clicks an element.
func (b *Browser) Click(selector string) {
	b.tb.Helper()
	b.do(http.MethodPost, b.find(selector)+"/click", nil, nil)
}

// Size sets the size of the window, in pixels.
func (b *Browser) Size(width, height int) {
	b.tb.Helper()
	b.do(http.MethodPost, "/window/rect", map[string]int{"width": width, "height": height}, nil)
}

// Screenshot is the page as a PNG, from its top to its end.
func (b *Browser) Screenshot() []byte {
	b.tb.Helper()
	var text string
	b.do(http.MethodPost, "/goog/cdp/execute", map[string]any{
		"cmd": "Page.captureScreenshot", "params": map[string]any{"captureBeyondViewport": true},
	}, &struct{ Data *string }{&text})
	png, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.tb.Fatal(err)
	}
	return png
}

// Faults are what the page has complained about in the console of the browser since they were asked for last: errors of scripts,
// and what a policy has refused.
func (b *Browser) Faults() (list []string) {
	b.tb.Helper()
	var entries []struct{ Level, Message string }
	b.do(http.MethodPost, "/se/log", map[string]string{"type": "browser"}, &entries)
	for _, e := range entries {
		if e.Level == "SEVERE" || strings.Contains(e.Message, "Content Security Policy") {
			list = append(list, e.Message)
		}
	}
	return list
}
