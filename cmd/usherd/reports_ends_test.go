package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/sso/saml2"
)

// What ends at the door where people sign in is told in the organization whose identity provider it is, and ours in the first one.
func TestEndsAreFound(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	doc, text := idpMetadata(t, now.AddDate(0, 0, 60))
	file := filepath.Join(t.TempDir(), "idp.xml")
	if err := os.WriteFile(file, []byte(strings.Replace(doc, "entityID", `validUntil="2027-01-16T12:00:00Z" entityID`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := saml2.ReadCertificates(text)
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{signOn: &signOn{listener: &listener{}, idps: newIDPs([]saml2.Key{{Certificate: list[0]}}, func() time.Time { return now }, zap.NewNop())}}
	d.signOn.idps.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataFile: file}}))
	got := map[string]lasts{}
	for _, e := range d.lasting("first") {
		got[e.what] = e
	}
	until := time.Date(2027, 1, 16, 12, 0, 0, 0, time.UTC)
	if c := got[connector.EndOfOwnCertificate]; c.org != "first" || !c.at.Equal(list[0].NotAfter) {
		t.Errorf("%+v", c)
	}
	if c := got[connector.EndOfCertificate]; c.org != "acme" || c.source != "login" || !c.at.Equal(list[0].NotAfter) {
		t.Errorf("%+v", c)
	}
	if m := got[connector.EndOfMetadata]; m.org != "acme" || !m.at.Equal(until) || m.late || len(got) != 3 {
		t.Errorf("%+v", got)
	}
	l := &lookout{now: until.Add(-time.Hour), ends: []lasts{{what: connector.EndOfMetadata, at: until, late: true}, {what: connector.EndOfMetadata, name: "file", at: until}}}
	if l.ending(); len(l.list) != 1 || l.list[0].Data.End.Name != "file" { // metadata by URL is made anew each day
		t.Errorf("%+v", l.list)
	}
	l.list, l.now = nil, until.Add(time.Hour)
	if l.ending(); len(l.list) != 2 {
		t.Errorf("%+v", l.list)
	}
}
