package filter_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/filter"
	"usherd/scim/schema"
)

var urns = strings.NewReplacer("⟪E⟫", schema.EnterpriseURN, "⟪U⟫", schema.UsherdURN, "⟪core⟫", schema.UserURN, "⟪group⟫", schema.GroupURN)

// decode reads a resource as the handlers do.
func decode(tb testing.TB, text string) map[string]any {
	tb.Helper()
	d := json.NewDecoder(strings.NewReader(urns.Replace(text)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return m
}

func compile(tb testing.TB, t *schema.Type, text string) *filter.Filter {
	tb.Helper()
	x, err := filter.Parse(urns.Replace(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	f, err := filter.Compile(t, x)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return f
}

const babs = `{
	"schemas":["⟪core⟫","⟪E⟫","⟪U⟫"], "id":"2819c223-7f76-453a-919d-413861904646", "externalId":"AbC",
	"meta":{"resourceType":"User","created":"2010-01-23T04:56:22Z","lastModified":"2011-05-13T04:42:34.5Z","version":"W/\"3\"","location":"https://example.com/Users/1"},
	"userName":"bjensen@example.com", "name":{"familyName":"Jensen","givenName":"Bärbara"}, "displayName":"Babs Jensen", "title":"", "nickName":null,
	"profileUrl":"https://login.example.com/Babs", "userType":"Employee", "active":true,
	"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],
	"phoneNumbers":[{"type":"work"},{"value":"+46 8 1"}], "ims":[], "photos":[{"value":""}], "addresses":[{"type":"work","locality":"Hollywood"}],
	"x509Certificates":[{"value":"QUJD"}], "groups":[{"value":"6C5BB468-14B2-4183-BAF2-06D523E03BD3","display":"Group A","type":"direct"}],
	"⟪E⟫":{"employeeNumber":"701984","manager":{"value":"26118915","displayName":"John"}},
	"⟪U⟫":{"state":"active","lastFailure":{"code":31,"fields":["userName","emails"]},"pendingApproval":false}
}`

func TestMatch(t *testing.T) {
	t.Parallel()
	r := decode(t, babs)
	r[schema.UsherdURN].(map[string]any)["warnings"] = []string{"title is kept"} // as the renderer makes it
	before := decode(t, babs)
	for text, want := range map[string]bool{
		// The examples of RFC 7644 section 3.4.2.2.
		`userName eq "bjensen"`:                       false,
		`userName eq "BJENSEN@example.com"`:           true,
		`name.familyName co "O'Malley"`:               false,
		`userName sw "J"`:                             false,
		`⟪core⟫:userName sw "B"`:                      true,
		`title pr`:                                    false,
		`meta.lastModified gt "2011-05-13T04:42:34Z"`: true,
		`meta.lastModified ge "2011-05-13T04:42:34Z"`: true,
		`meta.lastModified lt "2011-05-13T04:42:34Z"`: false,
		`meta.lastModified le "2011-05-13T04:42:34Z"`: false,
		`title pr and userType eq "Employee"`:         false,
		`title pr or userType eq "Intern"`:            false,
		`schemas eq "⟪E⟫"`:                            true,
		`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`:             true,
		`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`:         false,
		`userType eq "Employee" and (emails.type eq "work")`:                                                true,
		`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`:                     true,
		`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`: true,
		`emails[type eq "home" and value co "@example.com"]`:                                                false,

		// Operators on text, folded.
		`displayName co "S J"`: true, `displayName ew "JENSEN"`: true, `displayName sw "babs "`: true, `displayName sw " babs"`: false,
		`displayName eq "  babs jensen "`: true, `displayName gt "babs"`: true, `displayName ge "babs jensen"`: true, `displayName lt "babs"`: false,
		`displayName le "BABS JENSEN"`: true, `displayName ne "x"`: true, `displayName ne "BABS jensen"`: false, `name.givenName eq "BÄRBARA"`: true,
		`displayName co ""`: true, `displayName eq ""`: false, `displayName ne ""`: true, `name.givenName co "\u00c4r"`: true,
		// Case exact.
		`externalId eq "AbC"`: true, `externalId eq "abc"`: false, `externalId sw "A"`: true, `externalId co "B"`: false, `externalId gt "AbB"`: true,
		`profileUrl ew "/babs"`: false, `profileUrl ew "/Babs"`: true, `id eq "2819C223-7f76-453a-919d-413861904646"`: false, `meta.version eq "W/\"3\""`: true,
		`meta.location sw "https://"`: true, `x509Certificates.value eq "QUJD"`: true, `x509Certificates eq "qujd"`: false,
		// Common attributes, extensions, any case, any mix.
		`ID pr and EXTERNALID pr and Meta.ResourceType eq "User"`: true, `schemas eq "urn:x"`: false, `schemas co "ENTERPRISE"`: true,
		`urn:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:user:EmployeeNumber eq "701984" and userName pr`: true,
		`⟪E⟫:manager eq "26118915"`: true, `⟪E⟫:manager.displayName eq "john"`: true, `⟪E⟫:manager[value eq "26118915"]`: true, `⟪E⟫:department pr`: false,
		`⟪U⟫:state eq "active"`: true, `⟪U⟫:lastFailure.code ge 31`: true, `⟪U⟫:lastFailure.code gt 31.5`: false, `⟪U⟫:lastFailure.code lt 1e400`: true,
		`⟪U⟫:lastFailure.code eq 31.0`: true, `⟪U⟫:lastFailure.code ne 32`: true, `⟪U⟫:lastFailure.fields eq "userName"`: true, `⟪U⟫:lastFailure.fields eq "USERNAME"`: false,
		`⟪U⟫:warnings co "TITLE"`: true, `⟪U⟫:package pr`: false, `⟪U⟫:package ne "x"`: true,
		// Booleans.
		`active eq true`: true, `active eq false`: false, `active ne false`: true, `⟪U⟫:pendingApproval eq false`: true, `⟪U⟫:pendingApproval pr`: true,
		`emails.primary eq true`: true, `emails[primary eq true and type eq "home"]`: false, `emails[not (primary eq true)]`: true, `emails[primary ne true].value sw "babs"`: true,
		// Times are instants, in whatever zone and precision.
		`meta.created eq "2010-01-23T05:56:22.000+01:00"`: true, `meta.created eq "2010-01-23T04:56:22"`: true, `meta.created lt "2010-01-23T04:56:22.000000001Z"`: true, `meta.created sw "2010-01"`: true,
		// A multi-valued complex attribute means its value; one value that matches is enough, for ne too.
		`emails eq "babs@jensen.org"`: true, `emails co "nobody"`: false, `emails ne "babs@jensen.org"`: true, `emails.type ne "work"`: true, `not (emails eq "babs@jensen.org")`: false,
		`groups eq "6c5bb468-14b2-4183-baf2-06d523e03bd3"`: true, `groups.display eq "group a"`: true, `groups[type eq "direct"] eq "x"`: false,
		`emails[type eq "home"] eq "babs@jensen.org"`: true, `emails[type eq "home"].value ew ".org"`: true, `emails[type eq "home"] pr`: true, `emails[type eq "other"] pr`: false,
		`addresses[type eq "work"].locality eq "hollywood"`: true, `addresses.locality pr`: true,
		// Presence: null, "", [] and what holds nothing else are no values.
		`nickName pr`: false, `ims pr`: false, `photos pr`: false, `photos.value pr`: false, `phoneNumbers pr`: true, `phoneNumbers[value pr and type pr]`: false, `phoneNumbers.value pr`: true, `name pr`: true, `name.middleName pr`: false, `locale pr`: false,
		// Unassigned.
		`title eq null`: true, `title ne null`: false, `userName eq null`: false, `userName ne null`: true, `nickName ne "x"`: true, `nickName eq "x"`: false, `nickName le "x"`: false, `nickName co ""`: false,
		`not (nickName co "x")`: true, `ims eq null`: true, `ims ne "x"`: true, `emails eq null`: false, `emails[primary eq null]`: true, `emails[value eq null]`: false, `⟪E⟫:department eq null`: true, `emails.display eq null`: true,
		`meta.created ne "2011-05-13T04:42:34Z"`: true, `⟪U⟫:lastFailure.at gt "2011-05-13T04:42:34Z"`: false,
	} {
		if got := compile(t, schema.User(), text).Match(r); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	delete(r[schema.UsherdURN].(map[string]any), "warnings")
	if d := cmp.Diff(before, r); d != "" {
		t.Errorf("the resource was changed:\n%s", d)
	}
}

func TestMatchOfGroups(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"id":"g","displayName":"Tour Guides","members":[{"value":"u1","type":"User","display":"Babs"},{"value":"g2","type":"Group"}],"meta":{"resourceType":"Group"}}`)
	for text, want := range map[string]bool{
		`displayName eq "tour guides"`:                    true,
		`members eq "u1"`:                                 true,
		`members.value eq "U1"`:                           true,
		`members[value eq "u1" and type eq "Group"]`:      false,
		`members[type eq "Group"].value eq "g2"`:          true,
		`⟪group⟫:members pr and members.display co "bab"`: true,
	} {
		if got := compile(t, schema.Group(), text).Match(r); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// Values of another kind than the schema says are no accident: they just do not match.
func TestMatchOfValuesOfAnotherKind(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"userName":5,"active":"true","meta":"x","name":[{"givenName":"a"}],"emails":{"value":"a@b.c"},"⟪E⟫":[],"⟪U⟫":{"lastFailure":{"code":"x","at":"yesterday"}},"groups":["x",null,[1]]}`)
	for text, want := range map[string]bool{
		`userName eq "5"`: false, `userName ne "5"`: true, `userName co "5"`: false, `userName pr`: true, `active eq true`: false, `active ne true`: true,
		`meta.created pr`: false, `meta.created gt "2011-05-13T04:42:34Z"`: false, `name.givenName eq "a"`: true, `emails.value eq "a@b.c"`: true, `emails[value eq "a@b.c"]`: true,
		`⟪E⟫:manager.value eq "x"`: false, `⟪U⟫:lastFailure.code lt 5`: false, `⟪U⟫:lastFailure.at lt "2011-05-13T04:42:34Z"`: false, `groups.value eq "x"`: false, `groups pr`: true,
	} {
		if got := compile(t, schema.User(), text).Match(r); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for text, part := range map[string]string{
		`bogus eq "x"`:                     `no attribute "bogus" of a User`,
		`bogus[type eq "x"]`:               `no attribute "bogus"`,
		`emails[bogus eq "x"]`:             `no attribute "emails.bogus"`,
		`emails[type eq "x"].bogus pr`:     `no attribute "emails.bogus"`,
		`emails[emails.type eq "x"]`:       `no attribute "emails.emails.type"`,
		`emails[⟪core⟫:type eq "x"]`:       `no attribute`,
		`addresses[type eq "work"] eq "x"`: `no attribute "addresses.value"`,
		`name.bogus pr`:                    `no attribute "name.bogus"`,
		`userName.x pr`:                    `no attribute "userName.x"`,
		`employeeNumber eq "7"`:            `write urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber`,
		`⟪E⟫:userName eq "7"`:              `write userName`,
		`⟪group⟫:members pr`:               `no attribute "urn:ietf:params:scim:schemas:core:2.0:Group:members" of a User`,
		`urn:my-co:ext_1:2.0:User:a pr`:    `no attribute "urn:my-co:ext_1:2.0:User:a"`,
		`members pr`:                       `no attribute "members"`,
		"urn:\u202ex:a pr":                 `\u202e`, // nothing that hides from the reader
		`userName[value eq "x"]`:           `userName has no sub-attributes`,
		`name.givenName[value eq "x"]`:     `name.givenName has no sub-attributes`,
		`name eq "x"`:                      `name one of its sub-attributes, such as name.formatted`,
		`addresses co "x"`:                 `addresses is not one value`,
		`meta gt "x"`:                      `meta is not one value`,
		`active gt true`:                   `active is true or false and can be compared with eq and ne only, not with gt`,
		`active co true`:                   `not with co`,
		`active eq "true"`:                 `active is compared with true or false, without quotes`,
		`active eq 1`:                      `without quotes`,
		`emails[primary le false]`:         `emails.primary is true or false`,
		`x509Certificates.value gt "QUJD"`: `binary, which has no order`,
		`x509Certificates le "QUJD"`:       `x509Certificates.value is binary`,
		`userName eq 5`:                    `userName is compared with text, in double quotes`,
		`userName eq true`:                 `in double quotes`,
		`userName co null`:                 `only eq and ne compare with null`,
		`meta.created gt "yesterday"`:      `meta.created is compared with a time such as`,
		`meta.created eq 5`:                `meta.created is compared with a time such as`,
		`meta.created co 5`:                `meta.created is compared with a time such as`,
		`⟪U⟫:lastFailure.code eq "31"`:     `compared with a number, without quotes`,
		`⟪U⟫:lastFailure.code co 3`:        `a number, which cannot be compared with co`,
		`not (userName pr and bogus pr)`:   `"bogus"`,
		`userName pr or bogus pr`:          `"bogus"`,
	} {
		x, err := filter.Parse(urns.Replace(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		_, err = filter.Compile(schema.User(), x)
		fault, ok := errors.AsType[*filter.Error](err)
		if !ok || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %s", text, err, part)
			continue
		}
		if fault.Attribute == "" || fault.Offset != -1 || fault.Sensitive {
			t.Errorf("%s: %+v", text, fault)
		}
	}
}

func TestNobodyAsksForPasswords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`password eq "x"`, `PASSWORD pr`, `userName pr and not (⟪core⟫:password sw "a")`} {
		x, err := filter.Parse(urns.Replace(text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = filter.CompileAmong(schema.User(), schema.Types(), x)
		if fault, ok := errors.AsType[*filter.Error](err); !ok || !fault.Sensitive || !strings.EqualFold(fault.Attribute, "password") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// In a search among all types, what a type lacks counts as unassigned.
func TestCompileAmong(t *testing.T) {
	t.Parallel()
	user, group := decode(t, babs), decode(t, `{"displayName":"Babs Jensen","members":[{"value":"u1"}],"meta":{"resourceType":"Group"}}`)
	for _, c := range []struct {
		text        string
		user, group bool
	}{
		{`userName pr`, true, false},
		{`userName eq null`, false, true},
		{`userName ne "x"`, true, true},
		{`not (userName eq "x")`, true, true},
		{`members[value eq "u1"]`, false, true},
		{`members eq "u1" or emails[type eq "work"].value co "b"`, true, true},
		{`displayName sw "babs"`, true, true},
		{`meta.resourceType eq "Group"`, false, true},
		{`⟪E⟫:employeeNumber pr or ⟪group⟫:members pr`, true, true},
	} {
		x, err := filter.Parse(urns.Replace(c.text))
		if err != nil {
			t.Fatal(err)
		}
		for ty, r := range map[*schema.Type]map[string]any{schema.User(): user, schema.Group(): group} {
			f, err := filter.CompileAmong(ty, schema.Types(), x)
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
				continue
			}
			if want := map[string]bool{"User": c.user, "Group": c.group}[ty.Name]; f.Match(r) != want {
				t.Errorf("%s of %s: %t", c.text, ty.Name, !want)
			}
		}
	}
	for _, text := range []string{`bogus pr`, `members[bogus pr]`, `members gt 5`, `emails[value eq 5]`} {
		x, err := filter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, ty := range schema.Types() {
			if _, err := filter.CompileAmong(ty, schema.Types(), x); err == nil {
				t.Errorf("%s of %s is taken", text, ty.Name)
			}
		}
	}
}
