package ldapsync

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

const (
	mostViewed  = 20  // values of one attribute that a page shows
	viewedRunes = 300 // of one value
)

// viewed are what is shown of an entry beside what the mapping takes: what it is, whose, and whether it may be used. All attributes are
// never asked for, since among them are some that nobody wants on a page.
var viewed = []string{
	"objectClass", "cn", "displayName", "description", "mail", "memberOf", "manager", "primaryGroupID",
	"objectGUID", "objectSid", "entryUUID", "nsUniqueId", uacAttribute, expiresAttribute, "pwdLastSet", "lastLogonTimestamp", "lockoutTime",
	"sAMAccountType", "groupType", lockAttribute, pwdLockedAttribute, "thumbnailPhoto", "jpegPhoto", "userCertificate",
	"whenCreated", "whenChanged", "createTimestamp", "modifyTimestamp",
}

// view reads the entry of a page itself, with the meaning of its values.
func (x *session) view(ctx context.Context, dn string) ([]connector.EntryAttribute, error) {
	l := layout{names: slices.Clone(viewed)}
	for _, n := range x.s.layout.names {
		l.ask(n)
	}
	found, _, err := fetch(ctx, x.c, searchRequest{Base: dn, Scope: ldap.ScopeBaseObject, Filter: anyObject, Attributes: l.names}, 1)
	if _, answered := resultCode(err); answered || len(found) == 0 { // what stands below says that it is missing or hidden
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []connector.EntryAttribute
	for place, name := range l.names {
		values := valuesOf(found[0], place)
		if len(values) == 0 {
			continue
		}
		a := connector.EntryAttribute{Name: name, More: max(len(values)-mostViewed, 0)}
		for _, v := range values[:min(len(values), mostViewed)] {
			a.Values = append(a.Values, valueOf(name, v))
		}
		list = append(list, a)
	}
	return list, nil
}

// valueOf is a value as people read it.
func valueOf(name string, v []byte) connector.EntryValue {
	switch strings.ToLower(name) {
	case "objectguid", strings.ToLower(consistencyGUID):
		if a, err := guidForm.decode([][]byte{v}); err == nil {
			return connector.EntryValue{Text: a.String()}
		}
	case "objectsid":
		if text, err := sidText(v); err == nil {
			return connector.EntryValue{Text: text}
		}
	case "accountexpires", "pwdlastset", "lastlogontimestamp", "lastlogon", "lockouttime":
		if at, is, err := parseExpiry(v); err == nil {
			return connector.EntryValue{Text: string(v), At: at, Never: !is}
		}
	case "whencreated", "whenchanged", "createtimestamp", "modifytimestamp", "pwdaccountlockedtime":
		at, _ := parseGeneralizedTime(string(v)) // 000001010000Z is none: locked for good
		return connector.EntryValue{Text: plain(v), At: at}
	case "useraccountcontrol":
		return connector.EntryValue{Text: plain(v), Flags: bitsOf(v, uacFlags)}
	case "grouptype":
		return connector.EntryValue{Text: plain(v), Flags: bitsOf(v, groupTypes)}
	case "samaccounttype":
		return connector.EntryValue{Text: plain(v), Flags: accountTypes[string(v)]}
	}
	if text := plain(v); text != "" || len(v) == 0 {
		return connector.EntryValue{Text: text}
	}
	return connector.EntryValue{Bytes: len(v)}
}

// plain is a value that is text, cut where it is very long; "" = it is no text.
func plain(v []byte) string {
	if !utf8.Valid(v) {
		return ""
	}
	runes := []rune(string(v))
	if slices.ContainsFunc(runes, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
		return ""
	}
	if len(runes) > viewedRunes {
		return string(runes[:viewedRunes]) + "…"
	}
	return string(runes)
}

// flag is a bit with its name in [MS-ADTS].
type flag struct {
	bit  uint32
	name string
}

// uacFlags are those of userAccountControl ([MS-ADTS] section 2.2.16).
var uacFlags = []flag{
	{uacDisabled, "ACCOUNTDISABLE"},
	{0x8, "HOMEDIR_REQUIRED"},
	{0x10, "LOCKOUT"},
	{0x20, "PASSWD_NOTREQD"},
	{0x40, "PASSWD_CANT_CHANGE"},
	{0x80, "ENCRYPTED_TEXT_PWD_ALLOWED"},
	{0x100, "TEMP_DUPLICATE_ACCOUNT"},
	{0x200, "NORMAL_ACCOUNT"},
	{0x800, "INTERDOMAIN_TRUST_ACCOUNT"},
	{0x1000, "WORKSTATION_TRUST_ACCOUNT"},
	{0x2000, "SERVER_TRUST_ACCOUNT"},
	{0x10000, "DONT_EXPIRE_PASSWORD"},
	{0x20000, "MNS_LOGON_ACCOUNT"},
	{0x40000, "SMARTCARD_REQUIRED"},
	{0x80000, "TRUSTED_FOR_DELEGATION"},
	{0x100000, "NOT_DELEGATED"},
	{0x200000, "USE_DES_KEY_ONLY"},
	{0x400000, "DONT_REQ_PREAUTH"},
	{0x800000, "PASSWORD_EXPIRED"},
	{0x1000000, "TRUSTED_TO_AUTH_FOR_DELEGATION"},
	{0x4000000, "PARTIAL_SECRETS_ACCOUNT"},
}

// groupTypes are the bits of groupType ([MS-ADTS] section 2.2.12).
var groupTypes = []flag{
	{0x1, "BUILTIN_LOCAL"}, {0x2, "GLOBAL"}, {0x4, "DOMAIN_LOCAL"}, {0x8, "UNIVERSAL"}, {0x10, "APP_BASIC"}, {0x20, "APP_QUERY"}, {0x80000000, "SECURITY"},
}

// accountTypes are the values of sAMAccountType ([MS-SAMR] section 2.2.1.9).
var accountTypes = map[string][]string{
	"268435456": {"GROUP_OBJECT"}, "268435457": {"NON_SECURITY_GROUP_OBJECT"}, "536870912": {"ALIAS_OBJECT"},
	"536870913": {"NON_SECURITY_ALIAS_OBJECT"}, "805306368": {"USER_OBJECT"}, "805306369": {"MACHINE_ACCOUNT"}, "805306370": {"TRUST_ACCOUNT"},
}

// bitsOf names the bits that are set in a number, those without a name as a number.
func bitsOf(v []byte, flags []flag) (names []string) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return nil
	}
	left := uint32(n) //nolint:gosec // groupType has its highest bit as a sign
	for _, f := range flags {
		if left&f.bit != 0 {
			names = append(names, f.name)
			left &^= f.bit
		}
	}
	if left != 0 {
		names = append(names, fmt.Sprintf("0x%x", left))
	}
	return names
}

// sidText writes an objectSid as people know it ([MS-DTYP] section 2.4.2.1).
func sidText(b []byte) (string, error) {
	if _, err := parseSID(b); err != nil {
		return "", err
	}
	var s strings.Builder
	fmt.Fprintf(&s, "S-1-%d", binary.BigEndian.Uint64(b[:8])&(1<<48-1))
	for part := b[8:]; len(part) > 0; part = part[4:] {
		fmt.Fprintf(&s, "-%d", binary.LittleEndian.Uint32(part))
	}
	return s.String(), nil
}
