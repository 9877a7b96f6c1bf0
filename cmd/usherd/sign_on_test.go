package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/internal/testproc"
)

// usherd check reads what the door will read, so that the daemon starts with what it has passed.
func TestCheckReadsWhatSignInsNeed(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	for name, isRSA := range map[string]bool{"rsa": true, "curve": false} {
		if err := testproc.WriteCertificate(filepath.Join(r.dir, name), "sso.acme.test", "127.0.0.1", isRSA); err != nil {
			t.Fatal(err)
		}
	}
	doc, _ := idpMetadata(t, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, text := range map[string]string{"good.xml": doc, "bad.xml": doc[:200]} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ key, metadata, fault string }{
		{"rsa", "good", ""},
		{"curve", "good", "sso.keys[0].key_file: the key is no RSA key"},
		{"rsa", "bad", "saml.metadata_file: the metadata cannot be read"},
	} {
		r.configure(`store: sqlite:$DIR/usherd.db
sso:
  url: https://sso.acme.test
  keys: [{cert_file: $DIR/` + c.key + `/server.crt, key_file: $DIR/` + c.key + `/server.key}]
organizations:
- id: acme
  partner_id: P-1
  sources: [{id: login, saml: {metadata_file: $DIR/` + c.metadata + `.xml, application: "https://app.acme.test/"}}]
`)
		_, errs, code := r.run("check")
		if c.fault == "" && code != exitOK || c.fault != "" && (code == exitOK || !strings.Contains(errs, c.fault)) {
			t.Errorf("%s, %s: %d %s", c.key, c.metadata, code, errs)
		}
	}
}
