package ldapsync

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// filetime is t as accountExpires counts.
func filetime(t time.Time) string {
	return strconv.FormatInt((t.Unix()-filetimeEpoch)*ticks+int64(t.Nanosecond()/100), 10)
}

func TestStateOfActiveDirectoryAccounts(t *testing.T) {
	t.Parallel()
	const normal = "512"
	for name, c := range map[string]struct {
		uac, expires string
		want         connector.Enabled
		reason       string
	}{
		"normal":                            {normal, "0", connector.EnabledYes, ""},
		"password never expires":            {"66048", "9223372036854775807", connector.EnabledYes, ""},
		"no expiry attribute":               {normal, "", connector.EnabledYes, ""},
		"disabled":                          {"514", "0", connector.EnabledNo, "disabled (userAccountControl 0x2)"},
		"disabled and expired":              {"514", "1", connector.EnabledNo, "disabled (userAccountControl 0x2)"},
		"locked out is enabled":             {"528", "0", connector.EnabledYes, ""},
		"password expired is enabled":       {"8389120", "0", connector.EnabledYes, ""},
		"negative flags":                    {"-2147483136", "0", connector.EnabledYes, ""},
		"expires later":                     {normal, filetime(noon.Add(time.Millisecond)), connector.EnabledYes, ""},
		"expires now":                       {normal, filetime(noon), connector.EnabledNo, "expired on 2026-03-01 UTC (accountExpires)"},
		"expired in 1601":                   {normal, "1", connector.EnabledNo, "expired on 1601-01-01 UTC (accountExpires)"},
		"expires one tick before never":     {normal, "9223372036854775806", connector.EnabledYes, ""},
		"flags not readable":                {"", "0", connector.EnabledUnknown, ""},
		"flags not readable, but expired":   {"", "1", connector.EnabledUnknown, ""},
		"flags that are no number":          {"0x200", "0", connector.EnabledUnknown, ""},
		"expiry that is no number":          {normal, "soon", connector.EnabledUnknown, ""},
		"expiry before time began":          {normal, "-5", connector.EnabledUnknown, ""},
		"disabled with an expiry unlike it": {"514", "soon", connector.EnabledNo, "disabled (userAccountControl 0x2)"},
	} {
		got, reason, recheck := activeDirectoryState(list(c.uac), list(c.expires), noon)
		if got != c.want || reason != c.reason {
			t.Errorf("%s: %v %q, want %v %q", name, got, reason, c.want, c.reason)
		}
		if later := strings.HasPrefix(name, "expires later") || strings.HasPrefix(name, "expires one tick"); later == recheck.IsZero() {
			t.Errorf("%s: to be looked at again at %v", name, recheck)
		}
	}
}

// list makes values of texts, none of an empty one.
func list(texts ...string) [][]byte {
	var vs [][]byte
	for _, s := range texts {
		if s != "" {
			vs = append(vs, []byte(s))
		}
	}
	return vs
}

func TestStateElsewhere(t *testing.T) {
	t.Parallel()
	inactive := &Disabled{Attribute: "employeeType", Values: []string{"Inactive", "LEFT"}}
	for name, c := range map[string]struct {
		kind     Type
		disabled *Disabled
		attrs    map[string][]string
		want     connector.Enabled
		reason   string
	}{
		"openldap":                     {OpenLDAP, nil, nil, connector.EnabledYes, ""},
		"openldap locked for good":     {OpenLDAP, nil, map[string][]string{pwdLockedAttribute: {lockedForGood}}, connector.EnabledNo, "locked for good (pwdAccountLockedTime)"},
		"openldap locked for a while":  {OpenLDAP, nil, map[string][]string{pwdLockedAttribute: {"20260301110000Z"}}, connector.EnabledYes, ""},
		"openldap employeeType":        {OpenLDAP, inactive, map[string][]string{"employeeType": {"inactive"}}, connector.EnabledNo, "disabled (employeeType)"},
		"openldap second value":        {OpenLDAP, inactive, map[string][]string{"employeeType": {"x", " left "}}, connector.EnabledNo, "disabled (employeeType)"},
		"openldap another value":       {OpenLDAP, inactive, map[string][]string{"employeeType": {"Staff"}}, connector.EnabledYes, ""},
		"any value":                    {LDAP, &Disabled{Attribute: "loginDisabled"}, map[string][]string{"loginDisabled": {"whatever"}}, connector.EnabledNo, "disabled (loginDisabled)"},
		"no value":                     {LDAP, &Disabled{Attribute: "loginDisabled"}, nil, connector.EnabledYes, ""},
		"389-ds locked":                {DS389, nil, map[string][]string{lockAttribute: {"true"}}, connector.EnabledNo, "locked (nsAccountLock)"},
		"389-ds not locked":            {DS389, nil, map[string][]string{lockAttribute: {"FALSE"}}, connector.EnabledYes, ""},
		"389-ds":                       {DS389, nil, nil, connector.EnabledYes, ""},
		"active directory, additional": {ActiveDirectory, inactive, map[string][]string{uacAttribute: {"512"}, "employeeType": {"Left"}}, connector.EnabledNo, "disabled (employeeType)"},
		"active directory":             {ActiveDirectory, nil, nil, connector.EnabledUnknown, ""},
	} {
		var names []string
		rule := newStateRule(&Config{Type: c.kind, Disabled: c.disabled}, func(name string) int {
			names = append(names, name)
			return len(names) - 1
		})
		of := func(place int) [][]byte {
			if place < 0 {
				return nil
			}
			return list(c.attrs[names[place]]...)
		}
		if got, reason, _ := rule.read(of, noon); got != c.want || reason != c.reason {
			t.Errorf("%s: %v %q, want %v %q", name, got, reason, c.want, c.reason)
		}
	}
}
