package connector_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func TestIDsGrowAndReadBack(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_123)
	last := ""
	for range 10_000 {
		id := connector.NewID(now)
		s := id.String()
		if s <= last {
			t.Fatalf("%s after %s", s, last)
		}
		last = s
		if back, err := connector.ParseID(strings.ToUpper(s)); err != nil || back != id {
			t.Fatalf("%s: %v", s, err)
		}
		if s[14] != '7' || !strings.ContainsRune("89ab", rune(s[19])) {
			t.Fatalf("%s is no UUIDv7 (RFC 9562)", s)
		}
	}
	for _, bad := range []string{"", "x", strings.Repeat("g", 36), "0190f3c1-7a2b-7c3d-8e4f_5a6b7c8d9e0f"} {
		if _, err := connector.ParseID(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestSecretsHide(t *testing.T) {
	t.Parallel()
	type inner struct{ s connector.Secret }
	v := struct {
		Password connector.Secret
		hidden   inner
	}{connector.NewSecret("hunter2"), inner{connector.NewSecret("hunter2")}}
	var texts []string
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		texts = append(texts, fmt.Sprintf(format, v))
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(texts, string(b)) {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74") {
			t.Errorf("the secret shows: %s", text)
		}
	}
	if v.Password.Reveal() != "hunter2" || (connector.Secret{}).Reveal() != "" || !(connector.Secret{}).IsZero() {
		t.Error("Reveal")
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"\tAnn.Lee@Example.COM\n": "ann.lee@example.com", "STRASSE": "strasse", "ÅSA": "åsa", "Σας": "σασ", "\u212Aelvin": "kelvin", "": "",
	} {
		if got := connector.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Ann")
	f.Add("ſtraße\u0130")
	f.Fuzz(func(t *testing.T, s string) {
		once := connector.Fold(s)
		if twice := connector.Fold(once); twice != once {
			t.Fatalf("folding %q twice gives %q, then %q", s, once, twice)
		}
		if upper := connector.Fold(strings.ToUpper(once)); strings.EqualFold(strings.ToUpper(once), once) && upper != once {
			t.Fatalf("%q and its capitals fold to %q and %q", s, once, upper)
		}
	})
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute, "0s": 0, "30s": 30 * time.Second,
	} {
		var d connector.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v %v", text, time.Duration(d), err)
		}
		var back connector.Duration
		if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
			t.Errorf("%s is written as %s", text, d)
		}
	}
	for _, bad := range []string{"", "7", "d", "-5m", "1w", "7d-1h", "99999999d"} {
		var d connector.Duration
		if err := d.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was accepted as %s", bad, d)
		}
	}
}

func TestAnchorsAreWrittenAsTheirServersDo(t *testing.T) {
	t.Parallel()
	raw := "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
	for kind, want := range map[connector.AnchorKind]string{
		connector.ObjectGUID: "04030201-0605-0807-090a-0b0c0d0e0f10", // MS-DTYP 2.3.4.3
		connector.EntryUUID:  "01020304-0506-0708-090a-0b0c0d0e0f10",
		connector.NSUniqueID: "01020304-05060708-090a0b0c-0d0e0f10",
	} {
		a := connector.Anchor{Kind: kind, Raw: raw}
		if a.String() != want {
			t.Errorf("%s: %s", kind, a)
		}
		for _, text := range []string{want, strings.ToUpper(want), "{" + want + "}"} {
			if back, err := connector.ParseAnchor(kind, text); err != nil || back != a {
				t.Errorf("%s: %q %v", kind, text, err)
			}
		}
	}
	if got := (connector.Anchor{Kind: connector.TextAnchor, Raw: "\x00\xff"}).String(); got != "base64:AP8=" {
		t.Error(got)
	}
}

func FuzzParseAnchor(f *testing.F) {
	f.Add("objectGUID", "04030201-0605-0807-090a-0b0c0d0e0f10")
	f.Add("nsUniqueId", "01020304-05060708-090a0b0c-0d0e0f10")
	f.Add("text", "base64:AP8=")
	f.Fuzz(func(t *testing.T, kind, text string) {
		a, err := connector.ParseAnchor(connector.AnchorKind(kind), text)
		if err != nil {
			return
		}
		back, err := connector.ParseAnchor(a.Kind, a.String())
		if err != nil || back != a {
			t.Fatalf("%q reads as %x, is written as %q and reads back as %x (%v)", text, a.Raw, a, back.Raw, err)
		}
	})
}

func TestReplayingDifferencesGivesTheUser(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	one := &connector.User{
		Profile: connector.Profile{"userName": {"ann"}, "otherEmails": {"a@x.example", "b@x.example"}}, State: connector.Active, Package: "standard",
	}
	two := &connector.User{
		Profile: connector.Profile{"userName": {"ann"}, "title": {"Boss"}}, State: connector.Inactive, Resume: connector.Active,
		DeactivatedBy: connector.BySource, DeactivatedSource: "dir", DeactivatedReason: "gone", DeactivatedAt: at, DeleteAt: at.Add(time.Hour),
		PackageFixed: true, PendingApproval: true,
	}
	for _, step := range [][2]*connector.User{{nil, one}, {one, two}, {two, one}} {
		got := &connector.User{}
		if step[0] != nil {
			*got = *step[0]
			got.Profile = step[0].Profile.Clone()
		}
		fields := connector.Diff(step[0], step[1])
		connector.Replay(got, fields)
		if diff := cmp.Diff(step[1], got); diff != "" {
			t.Error(diff)
		}
	}
	if d := connector.Diff(one, one); d != nil {
		t.Errorf("%v", d)
	}
}

func TestHashSeesWhatADecisionDependsOn(t *testing.T) {
	t.Parallel()
	record := func(edit func(*connector.Record)) *connector.Record {
		r := &connector.Record{
			Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: "1"}, DN: "cn=a", Enabled: connector.EnabledYes,
			Attributes: []connector.Attribute{{Name: "mail", Values: [][]byte{[]byte("b"), []byte("a")}}, {Name: "sn", Values: [][]byte{[]byte("x")}}},
		}
		if edit != nil {
			edit(r)
		}
		return r
	}
	var h connector.Hasher
	base := h.Hash(record(nil))
	for name, edit := range map[string]func(*connector.Record){
		"dn":      func(r *connector.Record) { r.DN = "cn=b" },
		"enabled": func(r *connector.Record) { r.Enabled = connector.EnabledNo },
		"gone":    func(r *connector.Record) { r.Gone = true },
		"scope":   func(r *connector.Record) { r.OutOfScope = "x" },
		"value":   func(r *connector.Record) { r.Attributes[1].Values[0] = []byte("y") },
		"moved": func(r *connector.Record) {
			r.Attributes[0].Values = r.Attributes[0].Values[:1]
			r.Attributes[1].Values = [][]byte{[]byte("a"), []byte("x")}
		},
		"protected": func(r *connector.Record) { r.Protected = true },
	} {
		if h.Hash(record(edit)) == base {
			t.Errorf("%s does not count", name)
		}
	}
	if h.Hash(record(func(r *connector.Record) { r.Attributes[0].Values = [][]byte{[]byte("a"), []byte("b")} })) != base {
		t.Error("the order of values must not count")
	}
	other := connector.Hasher{Seed: connector.Hash{1}}
	if other.Hash(record(nil)) == base {
		t.Error("the seed must count")
	}
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	value := []byte("ann")
	r := &connector.Record{Attributes: []connector.Attribute{{Name: "UID", Values: [][]byte{value}}}}
	c := r.Clone()
	copy(value, "bob")
	if got := string(c.Values("uid")[0]); got != "ann" {
		t.Error(got)
	}
}
