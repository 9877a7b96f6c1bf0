package ldapsync

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
)

// Attributes that say whether an account may be used.
const (
	uacAttribute       = "userAccountControl" // Active Directory
	expiresAttribute   = "accountExpires"
	lockAttribute      = "nsAccountLock"        // 389-ds; also computed from roles
	pwdLockedAttribute = "pwdAccountLockedTime" // OpenLDAP, password policy overlay
)

const (
	uacDisabled   = 0x2              // ADS_UF_ACCOUNTDISABLE
	lockedForGood = "000001010000Z"  // draft-behera-ldap-password-policy section 5.3.3
	filetimeEpoch = -11_644_473_600  // 1601-01-01, where accountExpires begins, in Unix seconds
	ticks         = 10_000_000       // of accountExpires in a second
	never         = math.MaxInt64    // accountExpires, as is 0
	expiryLayout  = "2006-01-02 UTC" // the hour would only be noise in a report
)

// values gives the values of an attribute of the entry at hand by its place in the request; a negative
// place has none.
type values func(place int) [][]byte

// stateRule reads whether an account may be used; its numbers are places in the request, -1 = not asked.
type stateRule struct {
	uac, expires       int
	lock, pwdLocked    int
	disabled           int
	disabledAttribute  string
	disabledValues     map[string]bool // folded; empty: any value means disabled
	absentMeansUnknown bool            // the directory always has uac: where it lacks, it cannot be read
}

// newStateRule asks for the attributes that the type needs.
func newStateRule(c *Config, ask func(name string) int) stateRule {
	r := stateRule{uac: -1, expires: -1, lock: -1, pwdLocked: -1, disabled: -1}
	switch c.Type {
	case ActiveDirectory:
		r.uac, r.expires, r.absentMeansUnknown = ask(uacAttribute), ask(expiresAttribute), true
	case DS389:
		r.lock = ask(lockAttribute)
	case OpenLDAP:
		r.pwdLocked = ask(pwdLockedAttribute)
	case LDAP:
	}
	if d := c.Disabled; d != nil {
		r.disabled, r.disabledAttribute = ask(d.Attribute), d.Attribute
		r.disabledValues = make(map[string]bool, len(d.Values))
		for _, v := range d.Values {
			r.disabledValues[connector.Fold(v)] = true
		}
	}
	return r
}

// read says whether the account may be used at that time, and for people why not. A lockout passes by
// itself and is no reason. recheck is when the answer becomes another one by the clock alone; zero = never.
func (r *stateRule) read(of values, now time.Time) (is connector.Enabled, why string, recheck time.Time) {
	switch {
	case anyOf(of(r.lock), func(v []byte) bool { return bytes.EqualFold(v, []byte("TRUE")) }):
		return connector.EnabledNo, "locked (" + lockAttribute + ")", time.Time{}
	case anyOf(of(r.pwdLocked), func(v []byte) bool { return string(v) == lockedForGood }):
		return connector.EnabledNo, "locked for good (" + pwdLockedAttribute + ")", time.Time{}
	case anyOf(of(r.disabled), r.meansDisabled):
		return connector.EnabledNo, "disabled (" + r.disabledAttribute + ")", time.Time{}
	case r.absentMeansUnknown:
		return activeDirectoryState(of(r.uac), of(r.expires), now)
	}
	return connector.EnabledYes, "", time.Time{}
}

func (r *stateRule) meansDisabled(v []byte) bool {
	return len(r.disabledValues) == 0 || r.disabledValues[connector.Fold(string(v))]
}

func anyOf(vs [][]byte, is func([]byte) bool) bool {
	return slices.ContainsFunc(vs, is)
}

// activeDirectoryState evaluates userAccountControl and accountExpires ([MS-ADTS] section 2.2.16, [MS-ADA1]
// section 2.3). Expiry comes by the clock: no attribute changes when it does.
func activeDirectoryState(uac, expires [][]byte, now time.Time) (is connector.Enabled, why string, recheck time.Time) {
	if len(uac) != 1 {
		return connector.EnabledUnknown, "", time.Time{}
	}
	flags, err := strconv.ParseInt(string(uac[0]), 10, 64)
	if err != nil {
		return connector.EnabledUnknown, "", time.Time{}
	}
	if flags&uacDisabled != 0 {
		return connector.EnabledNo, "disabled (userAccountControl 0x2)", time.Time{}
	}
	if len(expires) == 0 {
		return connector.EnabledYes, "", time.Time{}
	}
	at, expiry, err := parseExpiry(expires[0])
	switch {
	case err != nil:
		return connector.EnabledUnknown, "", time.Time{}
	case expiry && !now.Before(at):
		return connector.EnabledNo, "expired on " + at.Format(expiryLayout) + " (accountExpires)", time.Time{}
	}
	return connector.EnabledYes, "", at
}

// parseExpiry reads accountExpires, in 100 ns since 1601; 0 and the largest number both mean never.
func parseExpiry(v []byte) (at time.Time, expiry bool, err error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, false, strconv.ErrSyntax
	}
	if n == 0 || n == never {
		return time.Time{}, false, nil
	}
	return time.Unix(filetimeEpoch+n/ticks, n%ticks*100).UTC(), true, nil
}
