package mapping_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/mapping"
)

func compile(tb testing.TB, c mapping.Config) *mapping.Mapping {
	tb.Helper()
	m, faults := mapping.Compile(c)
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	return m
}

func rules(pairs ...string) mapping.Config {
	c := mapping.Config{Attributes: map[string]mapping.Rule{}}
	for i := 0; i < len(pairs); i += 2 {
		c.Attributes[pairs[i]] = append(c.Attributes[pairs[i]], pairs[i+1])
	}
	return c
}

// record makes a record of name, value pairs; a name that comes again adds a value.
func record(pairs ...string) *connector.Record {
	r := &connector.Record{}
	for i := 0; i < len(pairs); i += 2 {
		v := []byte(pairs[i+1])
		if n := len(r.Attributes); n > 0 && r.Attributes[n-1].Name == pairs[i] {
			r.Attributes[n-1].Values = append(r.Attributes[n-1].Values, v)
			continue
		}
		r.Attributes = append(r.Attributes, connector.Attribute{Name: pairs[i], Values: [][]byte{v}})
	}
	return r
}

func adRecord() *connector.Record {
	r := record(
		"objectGUID", "0123456789abcdef", "sAMAccountName", "aberg", "userPrincipalName", "ann.berg@example.com", "mail", "ann.berg@example.com",
		"givenName", "Ann", "sn", "Berg", "displayName", "Ann Berg", "cn", "Ann Berg", "title", "Engineer", "department", "Research",
		"company", "Example AB", "employeeID", "00423", "manager", "CN=Bo Lind,OU=Research,DC=example,DC=com", "telephoneNumber", "+46 8 123 45 67",
		"mobile", "+46 70 123 45 67", "streetAddress", "Storgatan 1\r\nBox 12", "l", "Stockholm", "st", "Stockholm", "postalCode", "111 22",
		"c", "SE", "co", "Sweden", "preferredLanguage", "sv-SE",
		"proxyAddresses", "SMTP:ann.berg@example.com", "proxyAddresses", "smtp:ann@example.com", "proxyAddresses", "smtp:aberg@example.onmicrosoft.com",
		"userAccountControl", "512",
	)
	r.DN = "CN=Ann Berg,OU=Research,DC=example,DC=com"
	return r
}

func TestTheActiveDirectoryPresetMakesAFullProfile(t *testing.T) {
	t.Parallel()
	got := compile(t, mapping.Config{Preset: "active_directory"}).Map(adRecord())
	want := connector.Mapped{Profile: connector.Profile{
		"userName": {"ann.berg@example.com"}, "givenName": {"Ann"}, "familyName": {"Berg"}, "email": {"ann.berg@example.com"},
		"otherEmails": {"aberg@example.onmicrosoft.com", "ann@example.com"}, "displayName": {"Ann Berg"}, "formattedName": {"Ann Berg"},
		"title": {"Engineer"}, "employeeNumber": {"00423"}, "department": {"Research"}, "organization": {"Example AB"},
		"manager": {"CN=Bo Lind,OU=Research,DC=example,DC=com"}, "preferredLanguage": {"sv-SE"}, "phone": {"+46 8 123 45 67"},
		"mobilePhone": {"+46 70 123 45 67"}, "streetAddress": {"Storgatan 1, Box 12"}, "locality": {"Stockholm"}, "region": {"Stockholm"},
		"postalCode": {"111 22"}, "country": {"SE"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheLDAPPresetsSplitAddresses(t *testing.T) {
	t.Parallel()
	r := record("uid", "ann", "cn", "Ann Berg", "sn", "Berg", "mail", "zoe@example.com", "mail", "ann@example.com", "mailAlternateAddress", "a@example.org",
		"telephoneNumber", "2", "telephoneNumber", "1", "labeledURI", "https://example.com/ann Home page", "postalAddress", "Storgatan 1$111 22 Stockholm")
	for preset, others := range map[string][]string{"openldap": {"zoe@example.com"}, "389ds": {"zoe@example.com", "a@example.org"}} {
		want := connector.Mapped{Profile: connector.Profile{
			"userName": {"ann"}, "familyName": {"Berg"}, "displayName": {"Ann Berg"}, "formattedName": {"Ann Berg"}, "email": {"ann@example.com"}, "otherEmails": others,
			"phone": {"1"}, "otherPhones": {"2"}, "profileUrl": {"https://example.com/ann"}, "streetAddress": {"Storgatan 1, 111 22 Stockholm"},
		}}
		if diff := cmp.Diff(want, compile(t, mapping.Config{Preset: preset}).Map(r)); diff != "" {
			t.Errorf("%s: %s", preset, diff)
		}
	}
}

func TestValuesThatDoNotFitAreFaultsOfTheirAttributeOnly(t *testing.T) {
	t.Parallel()
	long, secret := strings.Repeat("é", 129), "s3cret"
	for _, c := range []struct {
		target, expression, value string
		reason                    connector.Reason
	}{
		{"givenName", "x", "a\x00" + secret, connector.AttributeInvalid},
		{"givenName", "x", secret + "\u0085b", connector.AttributeInvalid},
		{"givenName", "x", secret + "\xff", connector.AttributeInvalid},
		{"givenName", "lower(x)", secret + "\xff", connector.AttributeInvalid},
		{"roles", "lower(x)", secret + "\xff", connector.AttributeInvalid},
		{"givenName", "x", long, connector.AttributeTooLong},
		{"givenName", "x + x", strings.Repeat("a", 65), connector.AttributeTooLong},
		{"givenName", "x", strings.Repeat("a", 1<<20), connector.AttributeTooLong},
		{"givenName", "lower(x)", strings.Repeat("a", 2<<20), connector.AttributeInvalid},
		{"givenName", "text(number(x))", secret, connector.AttributeInvalid},
		{"givenName", `bit(x, 2) ? "a" : "b"`, secret, connector.AttributeInvalid},
		{"givenName", `left(filetime(x), 4)`, secret, connector.AttributeInvalid},
		{"givenName", `left(generalizedTime(x), 4)`, secret, connector.AttributeInvalid},
		{"givenName", `replace(x, sn, "")`, secret, connector.AttributeInvalid},
		{"givenName", `first(split(x, sn))`, secret, connector.AttributeInvalid},
		{"givenName", `replace(x, "a", x)`, strings.Repeat("a", 4096), connector.AttributeInvalid},
		{"givenName", `regexReplace(x, "", x)`, strings.Repeat("a", 4096), connector.AttributeInvalid},
		{"givenName", `join(split(x, "a"), x)`, strings.Repeat("ba", 4096), connector.AttributeInvalid},
		{"hireDate", "x", secret, connector.AttributeInvalid},
		{"photo", "x", strings.Repeat("a", 128<<10+1), connector.AttributeTooLong},
	} {
		m := compile(t, rules(c.target, c.expression, "userName", "uid"))
		got := m.Map(record("uid", "ann", "x", c.value))
		if len(got.Faults) != 1 || got.Faults[0].Attribute != c.target || got.Faults[0].Reason != c.reason || got.Faults[0].Detail == "" {
			t.Errorf("%s: %s gives %v", c.target, c.expression, got.Faults)
		} else if strings.Contains(got.Faults[0].Detail, secret) {
			t.Errorf("%s shows the value: %s", c.expression, got.Faults[0].Detail)
		}
		if diff := cmp.Diff(connector.Profile{"userName": {"ann"}}, got.Profile); diff != "" {
			t.Errorf("%s: %s", c.expression, diff)
		}
	}
}

func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	r := &connector.Record{Attributes: []connector.Attribute{{Name: "x"}}}
	for i := range 1000 {
		r.Attributes[0].Values = append(r.Attributes[0].Values, fmt.Appendf(nil, "%04d", i))
	}
	m := compile(t, rules("roles", "x", "custom.n", "text(count(x))", "custom.in", `text("0007" in x)`))
	if got := m.Map(r); len(got.Profile["roles"]) != 1000 || got.Faults != nil {
		t.Error(len(got.Profile["roles"]), got.Faults)
	}
	r.Attributes[0].Values = append(r.Attributes[0].Values, []byte("more"))
	got := m.Map(r)
	if len(got.Faults) != 1 || got.Faults[0].Attribute != "roles" {
		t.Error(got.Faults)
	}
	if diff := cmp.Diff(connector.Profile{"custom.n": {"1001"}, "custom.in": {"true"}}, got.Profile); diff != "" {
		t.Error(diff)
	}
}

// A text of 60,000 bytes that is taken apart and compared with its parts must cost time in
// proportion: with its square this test would run for minutes.
func TestLongTextsTakeNoSquareOfTime(t *testing.T) {
	t.Parallel()
	r := record("x", strings.Repeat("é,", 20000)+"z", "to", strings.Repeat("$a", 50000))
	for expression, want := range map[string]string{
		`text(count(without(split(x, ","), x)))`:           "20001",
		`text(inFold(x, split(x, ",")))`:                   "false",
		`text(x in split(x, ","))`:                         "false",
		`join(unique(split(x, ",")), "")`:                  "éz",
		`nth(split(x, ","), -1)`:                           "z",
		`ou(x, 99999) + "none"`:                            "none",
		`right(title(x), 1)`:                               "z",
		`extract(x, "(?i)(e|,)*Z$")`:                       ",",
		`split(x, ",")`:                                    "é",
		`regexReplace(x, "é", to)`:                         "fault",
		`first(regexReplace(split(x, ","), "é", to))`:      "fault",
		`first(replace(split(x, ","), to, x))`:             "fault",
		`text(count(each(split(x, ","), "^é?", to)) == 5)`: "fault",
	} {
		got := compile(t, rules("custom.x", expression)).Map(r)
		if len(got.Faults) > 0 {
			got.Profile.Set("custom.x", "fault")
		}
		if v := got.Profile.Get("custom.x"); v != want {
			t.Errorf("%s gives %.20s, not %s", expression, v, want)
		}
	}
}

func TestTheOrderOfValuesDoesNotCount(t *testing.T) {
	t.Parallel()
	m := compile(t, rules("email", "mail", "otherEmails", "mail", "custom.low", "lower(mail)", "nickName", "first(mail)"))
	a, b := record("mail", "c@x", "mail", "a@x", "mail", "b@x"), record("mail", "b@x", "mail", "c@x", "mail", "a@x")
	kept := a.Clone()
	if diff := cmp.Diff(m.Map(a), m.Map(b)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(kept, a); diff != "" {
		t.Errorf("the record was changed: %s", diff)
	}
	if got := m.Map(a).Profile.Get("email"); got != "a@x" {
		t.Error(got)
	}
}

func TestDoublesAndBlanksAreDropped(t *testing.T) {
	t.Parallel()
	m := compile(t, rules("otherEmails", "x", "roles", "x", "custom.t", "trim(x)"))
	got := m.Map(record("x", " A@x", "x", "a@x ", "x", "  ", "x", "A@x")).Profile
	want := connector.Profile{"otherEmails": {"A@x"}, "roles": {"A@x", "a@x"}, "custom.t": {"A@x", "a@x"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a client pushes is kept as it is, for the client compares; blanks alone are no value, and types keep their form.
func TestPushedTextsStayAsSent(t *testing.T) {
	t.Parallel()
	m := compile(t, mapping.Config{Preset: mapping.SCIM, Attributes: map[string]mapping.Rule{"nickName": {"trim(title)"}, "hireDate": {"hireDate"}}})
	got := m.Map(record("title", " The  Boss\u00a0", "email", "a@x ", "department", " \t ", "hireDate", " 2024-01-31 ")).Profile
	want := connector.Profile{"title": {" The  Boss\u00a0"}, "nickName": {"The  Boss"}, "email": {"a@x "}, "hireDate": {"2024-01-31T00:00:00Z"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTimesAreCanonical(t *testing.T) {
	t.Parallel()
	m := compile(t, rules("hireDate", "x"))
	for in, want := range map[string]string{
		"2024-01-31": "2024-01-31T00:00:00Z", "2024-01-31T10:00:00+02:00": "2024-01-31T08:00:00Z", "20240131083000Z": "2024-01-31T08:30:00Z",
		"20240131083000.5Z": "2024-01-31T08:30:00.5Z", "202401310830+0100": "2024-01-31T07:30:00Z", "2024013108-01": "2024-01-31T09:00:00Z",
		"20240131083000,0Z": "2024-01-31T08:30:00Z", "20241331083000Z": "", "20240131Z": "", "202401310830.5Z": "", "20240131083000": "", "0000-01-01T00:00:00+01:00": "",
	} {
		if got := m.Map(record("x", in)); got.Profile.Get("hireDate") != want || (want == "") != (len(got.Faults) == 1) {
			t.Errorf("%s gives %v", in, got)
		}
	}
	m = compile(t, rules("custom.x", "filetime(x)"))
	for in, want := range map[string]string{"0": "", "9223372036854775807": "", "133000000000000000": "2022-06-18T04:26:40Z", " ": "", "1": "1601-01-01T00:00:00Z"} {
		if got := m.Map(record("x", in)); got.Profile.Get("custom.x") != want || got.Faults != nil {
			t.Errorf("%s gives %v", in, got)
		}
	}
}

func TestNamesOfADNAreRead(t *testing.T) {
	t.Parallel()
	m := compile(t, rules("custom.rdn", "rdn(x)", "custom.ou", "ou(x)", "custom.two", "ou(x, 1)"))
	for in, want := range map[string][3]string{
		`CN=Berg\, Ann,OU=A\2cB, ou = C ,DC=x`: {"Berg, Ann", "A,B", "C"},
		`UID=ann+OU=x,OU=y`:                    {"ann", "x", "y"},
		`CN=\C3\A5\20 ,OU=`:                    {"å", "", ""},
		`CN=a\`:                                {`a\`, "", ""},
		`CN=\ff`:                               {"", "", ""},
		`no dn, at all`:                        {"", "", ""},
	} {
		p := m.Map(record("x", in)).Profile
		if got := [3]string{p.Get("custom.rdn"), p.Get("custom.ou"), p.Get("custom.two")}; got != want {
			t.Errorf("%s gives %q", in, got)
		}
	}
}

func TestNothingOfALentRecordIsKept(t *testing.T) {
	t.Parallel()
	m := compile(t, rules("email", "mail", "otherEmails", "all(other)", "displayName", `cn + ""`, "package", "pkg", "photo", "photo"))
	r := record("mail", "a@x", "other", "b@x", "cn", "Ann", "pkg", "p", "photo", "\xff\x00")
	r.DN = "CN=Ann"
	got := m.Map(r)
	for _, a := range r.Attributes {
		for _, v := range a.Values {
			copy(v, bytes.Repeat([]byte("#"), len(v)))
		}
	}
	m.Map(record("mail", "other@x", "cn", "Zoe", "pkg", "q"))
	want := connector.Mapped{Package: "p", Profile: connector.Profile{"email": {"a@x"}, "otherEmails": {"b@x"}, "displayName": {"Ann"}, "photo": {"/wA="}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsMayLeaveAttributesOutOrComeInAnotherOrder(t *testing.T) {
	t.Parallel()
	m := compile(t, mapping.Config{Preset: "active_directory"})
	full := adRecord()
	m.Map(full)
	for skip := range full.Attributes {
		r := &connector.Record{Attributes: slices.Delete(slices.Clone(full.Attributes), skip, skip+1)}
		want := compile(t, mapping.Config{Preset: "active_directory"}).Map(r)
		if diff := cmp.Diff(want, m.Map(r)); diff != "" {
			t.Errorf("without %s: %s", full.Attributes[skip].Name, diff)
		}
	}
	back := &connector.Record{Attributes: slices.Clone(full.Attributes)}
	slices.Reverse(back.Attributes)
	for i := range back.Attributes {
		back.Attributes[i].Name = strings.ToUpper(back.Attributes[i].Name)
	}
	if diff := cmp.Diff(m.Map(full), m.Map(back)); diff != "" {
		t.Error(diff)
	}
}

func TestMapMayBeCalledByManyAtOnce(t *testing.T) {
	t.Parallel()
	m := compile(t, mapping.Config{Preset: "active_directory", Attributes: map[string]mapping.Rule{"displayName": {`givenName + " " + upper(sn)`}}})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("u%d-%d", g, i)
				p := m.Map(record("givenName", name, "sn", "Berg", "mail", name+"@x")).Profile
				if p.Get("displayName") != name+" BERG" || p.Get("email") != name+"@x" {
					t.Errorf("%s gives %v", name, p)
				}
			}
		})
	}
	wg.Wait()
}

func TestRulesSayWhereValuesComeFrom(t *testing.T) {
	t.Parallel()
	c := rules("displayName", "displayName", "displayName", `sn == "" ? "" : givenName + SN // both`, "displayName", "CN", "email", "mail", "package", "pkg", "custom.b", "cn", "custom.a", `attr("x-y")`)
	m := compile(t, c)
	if diff := cmp.Diff([]string{"mail", "displayName", "sn", "givenName", "CN", "x-y", "pkg"}, m.Attributes()); diff != "" {
		t.Error(diff)
	}
	want := []mapping.Origin{
		{"email", "mail", 0, []string{"mail"}},
		{"displayName", "displayName", 0, []string{"displayName"}},
		{"displayName", `sn == "" ? "" : givenName + SN // both`, 1, []string{"sn", "givenName"}},
		{"displayName", "CN", 2, []string{"CN"}},
		{"custom.a", `attr("x-y")`, 0, []string{"x-y"}},
		{"custom.b", "cn", 0, []string{"cn"}},
		{"package", "pkg", 0, []string{"pkg"}},
	}
	if diff := cmp.Diff(want, m.Rules()); diff != "" {
		t.Error(diff)
	}
	whole, ok := m.Origin("displayName")
	if diff := cmp.Diff(mapping.Origin{
		Target: "displayName", Expression: "displayName ?? (sn == \"\" ? \"\" : givenName + SN // both\n) ?? CN", Attributes: []string{"displayName", "sn", "givenName", "CN"},
	}, whole); diff != "" || !ok {
		t.Error(diff, ok)
	}
	r := record("cn", "Ann Berg")
	if p := compile(t, rules("displayName", whole.Expression)).Map(r).Profile; p.Get("displayName") != "Ann Berg" {
		t.Error(p)
	}
	if o, ok := m.Used(r, "displayName"); !ok || o.Index != 2 || o.Expression != "CN" {
		t.Error(o, ok)
	}
	if _, ok := m.Used(r, "email"); ok {
		t.Error("an attribute without a value has a rule that gave it")
	}
	if _, ok := m.Origin("fax"); ok {
		t.Error("an attribute without a rule has an origin")
	}
}

func TestTheFingerprintFollowsTheEffectiveRules(t *testing.T) {
	t.Parallel()
	print := func(c mapping.Config) connector.Hash { return compile(t, c).Fingerprint() }
	ad := print(mapping.Config{Preset: "active_directory"})
	same := mapping.Config{Preset: "active_directory", Attributes: map[string]mapping.Rule{"email": {"mail"}, "photo": nil}}
	if print(same) != ad {
		t.Error("a rule that says what the preset says makes another mapping")
	}
	seen := map[connector.Hash]string{ad: "preset"}
	for name, c := range map[string]mapping.Config{
		"removed":      {Preset: "active_directory", Attributes: map[string]mapping.Rule{"fax": {}}},
		"changed":      {Preset: "active_directory", Attributes: map[string]mapping.Rule{"fax": {"otherFax"}}},
		"empty":        {},
		"one":          rules("email", "mail", "email", "uid"),
		"other":        rules("email", "mail ?? uid"),
		"other target": rules("userName", "mail ?? uid"),
	} {
		h := print(c)
		if was, ok := seen[h]; ok {
			t.Errorf("%s has the fingerprint of %s", name, was)
		}
		seen[h] = name
	}
}

func TestARuleOfThePresetCanBeRemoved(t *testing.T) {
	t.Parallel()
	m := compile(t, mapping.Config{Preset: "active_directory", Attributes: map[string]mapping.Rule{"manager": nil, "title": {" "}}})
	p := m.Map(adRecord()).Profile
	if p.Get("manager") != "" || p.Get("title") != "" || p.Get("email") == "" {
		t.Error(p)
	}
	if slices.Contains(m.Attributes(), "manager") {
		t.Error("an attribute that no rule reads is asked for")
	}
}

func BenchmarkMapActiveDirectory(b *testing.B) {
	m, r := compile(b, mapping.Config{Preset: "active_directory"}), adRecord()
	b.ReportAllocs()
	for b.Loop() {
		m.Map(r)
	}
}

func BenchmarkMapPlain(b *testing.B) {
	m := compile(b, mapping.Config{Preset: "active_directory", Attributes: map[string]mapping.Rule{
		"otherEmails": nil, "otherPhones": nil, "streetAddress": {"street"},
	}})
	r := adRecord()
	b.ReportAllocs()
	for b.Loop() {
		m.Map(r)
	}
}
