package ldapsync

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/ldapsync/testserver"
)

func TestValuesHaveAMeaning(t *testing.T) {
	t.Parallel()
	raw := func(text string) string {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, c := range []struct {
		name, value string
		want        connector.EntryValue
	}{
		{"objectGUID", raw("78563412341278561122334455667788"), connector.EntryValue{Text: "12345678-1234-5678-1122-334455667788"}},
		{"objectGUID", "short", connector.EntryValue{Text: "short"}},
		{"objectSid", raw("010500000000000515000000010000000200000003000000f4010000"), connector.EntryValue{Text: "S-1-5-21-1-2-3-500"}},
		{"objectSid", raw("0101000000000005"), connector.EntryValue{Bytes: 8}},
		{"userAccountControl", "66050", connector.EntryValue{Text: "66050", Flags: []string{"ACCOUNTDISABLE", "NORMAL_ACCOUNT", "DONT_EXPIRE_PASSWORD"}}},
		{"userAccountControl", "516", connector.EntryValue{Text: "516", Flags: []string{"NORMAL_ACCOUNT", "0x4"}}},
		{"userAccountControl", "x", connector.EntryValue{Text: "x"}},
		{"groupType", "-2147483646", connector.EntryValue{Text: "-2147483646", Flags: []string{"GLOBAL", "SECURITY"}}},
		{"sAMAccountType", "805306368", connector.EntryValue{Text: "805306368", Flags: []string{"USER_OBJECT"}}},
		{"accountExpires", "9223372036854775807", connector.EntryValue{Text: "9223372036854775807", Never: true}},
		{"pwdLastSet", "0", connector.EntryValue{Text: "0", Never: true}},
		{"lastLogonTimestamp", "132223104000000000", connector.EntryValue{Text: "132223104000000000", At: at("2020-01-01T00:00:00Z")}},
		{"lastLogonTimestamp", "soon", connector.EntryValue{Text: "soon"}},
		{"whenChanged", "20260105080000.0Z", connector.EntryValue{Text: "20260105080000.0Z", At: at("2026-01-05T08:00:00Z")}},
		{"pwdAccountLockedTime", "000001010000Z", connector.EntryValue{Text: "000001010000Z"}},
		{"cn", "Åsa <b>", connector.EntryValue{Text: "Åsa <b>"}},
		{"cn", "", connector.EntryValue{}},
		{"description", strings.Repeat("å", 400), connector.EntryValue{Text: strings.Repeat("å", 300) + "…"}},
		{"jpegPhoto", "\xff\xd8\xff\xe0rest", connector.EntryValue{Bytes: 8}},
		{"thumbnailPhoto", "GIF89a\x01\x00", connector.EntryValue{Bytes: 8}},
	} {
		if diff := cmp.Diff(c.want, valueOf(c.name, []byte(c.value))); diff != "" {
			t.Errorf("%s %q: %s", c.name, c.value, diff)
		}
	}
}

// shownEntry is what a page shows of an entry: "name: value [meaning]".
func shownEntry(t *testing.T, s *Source, dn string) string {
	t.Helper()
	p, err := s.Browse(t.Context(), connector.BrowseRequest{At: dn, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, a := range p.Self {
		for _, v := range a.Values {
			fmt.Fprintf(&b, "%s: %s %v %v %d\n", a.Name, v.Text, v.Flags, v.Never, v.Bytes)
		}
		if a.More > 0 {
			fmt.Fprintf(&b, "%s: %d more\n", a.Name, a.More)
		}
	}
	return b.String()
}

func TestEntriesOfRealDirectoriesAreShown(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *feedServer{"slapd": realSlapd, "samba": realSamba} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			d.t = t
			d.fill()
			d.hire(d.people(), "viewed")
			s := open(t, d.config)
			text := shownEntry(t, s, d.at("viewed"))
			want := []string{"cn: viewed ", "objectClass: inetOrgPerson ", "entryUUID: ", "createTimestamp: 20"}
			if name == "samba" {
				want = []string{"cn: viewed ", "objectClass: user ", "objectSid: S-1-5-21-", "userAccountControl: 544 [PASSWD_NOTREQD NORMAL_ACCOUNT]", "whenCreated: 20"}
			}
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("%q is not in\n%s", w, text)
				}
			}
			if strings.Contains(strings.ToLower(text), "password") || strings.Contains(text, "unicodePwd") {
				t.Errorf("a password is shown:\n%s", text)
			}
		})
	}
	t.Run("many values", func(t *testing.T) {
		t.Parallel()
		srv := testserver.Slapd(t, testserver.SlapdOptions{})
		var entry strings.Builder
		entry.WriteString("dn: cn=many," + srv.Base + "\nobjectClass: inetOrgPerson\nsn: many\ncn: many\nuserPassword: hunter2\n")
		for i := range 30 {
			fmt.Fprintf(&entry, "mail: m%d@example.test\n", i)
		}
		if err := srv.Add(t.Context(), entry.String()); err != nil {
			t.Fatal(err)
		}
		text := shownEntry(t, open(t, slapdConfig(srv)), "cn=many,"+srv.Base)
		if !strings.Contains(text, "mail: 10 more") || strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	})
}
