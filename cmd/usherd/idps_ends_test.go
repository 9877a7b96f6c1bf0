package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"usherd/config"
	"usherd/sso/saml2"
)

// What ends is a metric too: of identity providers that are configured now, each certificate once, and of ours.
func TestWhatEndsIsMeasured(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	doc, text := idpMetadata(t, now.AddDate(0, 0, 60))
	dir := t.TempDir()
	for name, text := range map[string]string{"idp.xml": strings.Replace(doc, "entityID", `validUntil="2027-01-16T12:00:00Z" entityID`, 1), "a.crt": string(text), "b.crt": string(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := saml2.ReadCertificates(text)
	if err != nil {
		t.Fatal(err)
	}
	certificate, name := list[0], ""
	for name = range ends(list) {
	}
	core, logs := observer.New(zap.InfoLevel)
	x := newIDPs([]saml2.Key{{Certificate: certificate}}, func() time.Time { return now }, zap.New(core))
	x.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataFile: filepath.Join(dir, "idp.xml")}}))
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(x)
	is := func(want ...string) {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range families {
			for _, m := range f.Metric {
				line := []string{strings.TrimPrefix(f.GetName(), "usherd_sso_")}
				for _, l := range m.Label {
					line = append(line, l.GetValue())
				}
				got = append(got, strings.Join(append(line, fmt.Sprintf("%.0f", m.Gauge.GetValue())), " "))
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	end := func(of string) string {
		return fmt.Sprintf("certificate_end_timestamp_seconds %s%s %d", name, of, certificate.NotAfter.Unix())
	}
	read := fmt.Sprintf("metadata_read_timestamp_seconds acme login %d", now.Unix())
	is(end("  "), end(" acme login"), "idp_known acme login 1", "metadata_end_timestamp_seconds acme login 1800100800", read)
	byHand := config.SAML{EntityID: "i", SSOURL: "https://idp.acme.test/sso", CertificateFiles: []string{filepath.Join(dir, "a.crt"), filepath.Join(dir, "b.crt")}}
	x.replace(siteOf(&config.SignOn{SAML: byHand})) // the same certificate in two files
	is(end("  "), end(" acme login"), "idp_known acme login 1", read)
	x.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataFile: filepath.Join(dir, "none")}}))
	is(end("  "), "idp_known acme login 0", "metadata_read_timestamp_seconds acme login 0")

	now = now.AddDate(0, 0, 31)
	for range 3 {
		x.fetchDue(t.Context())
	}
	if n := logs.FilterMessage("our certificate for SAML ends").Len(); n != 1 {
		t.Errorf("%d warnings of our own certificate", n)
	}
}

// usherd check --connect reads what the daemon will read.
func TestCheckConnectReadsIdentityProviders(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	good, _ := idpMetadata(t, time.Now().AddDate(1, 0, 0).Add(-time.Hour))
	soon, _ := idpMetadata(t, time.Now().AddDate(0, 0, 5))
	over, _ := idpMetadata(t, time.Now().AddDate(0, 0, -5))
	texts := map[string]string{"/good": good, "/soon": soon, "/over": over, "/broken": good[:300]}
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, ok := texts[q.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(idp.Close)
	for _, c := range []struct {
		path string
		code int
		says string
	}{
		{"/good", exitOK, "https://idp.acme.test, people sign in at https://idp.acme.test/sso"},
		{"/soon", exitOK, ": soon over"},
		{"/over", exitError, "no certificate is good now"},
		{"/broken", exitError, "the metadata cannot be read"},
		{"/none", exitError, "it answers with 404 Not Found"},
	} {
		r.configure(`store: sqlite:$DIR/usherd.db
sso: {url: https://sso.acme.test}
organizations:
- id: acme
  partner_id: P-1
  sources: [{id: login, saml: {metadata_url: "` + idp.URL + c.path + `", application: "https://app.acme.test/"}}]
`)
		out, errs, code := r.run("check", "--connect")
		if flat := strings.Join(strings.Fields(out), " "); code != c.code || !strings.Contains(flat, c.says) || c.code != exitOK && !strings.Contains(flat, "what to do: ") {
			t.Errorf("%s: %d %s%s", c.path, code, out, errs)
		}
	}
}
