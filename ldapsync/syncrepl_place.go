package ldapsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// syncPlace is a place in the feed: the server's cookie of each search.
type syncPlace struct {
	groups digest // who was in the rule groups
	marks  []syncMark
}

// syncMark is the place of one search.
type syncMark struct {
	// key stands for base and filter: a slapd takes the cookie of another search and then leaves out changes,
	// without an error.
	key [8]byte
	// top is the server's UUID of the entry at the base: another one means another database. Zero = the
	// search does not find it.
	top    syncID
	cookie []byte
}

const (
	placeVersion = 1
	maxMarks     = 10_000
)

func markKey(base, filter string) (key [8]byte) {
	sum := sha256.Sum256([]byte(base + "\x00" + filter))
	copy(key[:], sum[:])
	return key
}

// encode is the place as bytes; equal places have equal bytes.
func (p *syncPlace) encode() []byte {
	b := []byte{placeVersion}
	b = append(b, p.groups[:]...)
	b = binary.AppendUvarint(b, uint64(len(p.marks)))
	for _, m := range p.marks {
		b = append(b, m.key[:]...)
		b = append(b, m.top[:]...)
		b = binary.AppendUvarint(b, uint64(len(m.cookie)))
		b = append(b, m.cookie...)
	}
	return b
}

// decodePlace reports false for what is not a place of this mechanism.
func decodePlace(b []byte) (*syncPlace, bool) {
	p := new(syncPlace)
	if len(b) < 1+len(p.groups) || b[0] != placeVersion {
		return nil, false
	}
	b = b[1:]
	b = b[copy(p.groups[:], b):]
	count, n := binary.Uvarint(b)
	if n <= 0 || count > maxMarks {
		return nil, false
	}
	b = b[n:]
	for range count {
		var m syncMark
		if len(b) < len(m.key)+len(m.top) {
			return nil, false
		}
		b = b[copy(m.key[:], b):]
		b = b[copy(m.top[:], b):]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > maxCookie || int(size) > len(b)-n {
			return nil, false
		}
		m.cookie, b = bytes.Clone(b[n:n+int(size)]), b[n+int(size):]
		p.marks = append(p.marks, m)
	}
	if len(b) > 0 {
		return nil, false
	}
	return p, true
}

// elsewhere says why a place cannot be one of the same searches in the same database as now; "" = it can.
func (p *syncPlace) elsewhere(now *syncPlace) string {
	if len(p.marks) != len(now.marks) {
		return "the bases or groups have changed since the last full read"
	}
	for i := range p.marks {
		was, is := &p.marks[i], &now.marks[i]
		a, b := parseCookie(was.cookie), parseCookie(is.cookie)
		switch {
		case was.key != is.key:
			return "the bases or filters have changed since the last full read"
		case was.top != is.top:
			return "another entry stands at the base than at the last full read, as of another or a newly filled directory"
		case !a.ok || a.csns == nil != (b.csns == nil) || a.search != b.search:
			return "the server does not know the place of the last full read: it is another server, or another account"
		}
	}
	return ""
}

// cookie is what is known of a server's cookie.
type cookie struct {
	ok     bool
	csns   map[string]string // slapd: server id -> change sequence number; nil on 389-ds
	search string            // 389-ds: host, port, account, base and filter
	number uint64            // 389-ds: of the last change in its change log
}

// parseCookie reads a cookie of slapd, rid=000,csn=20260105080000.000123Z#000000#001#000000;..., with a csn
// for each provider, or one of 389-ds, host:port#account:base:filter#number.
func parseCookie(b []byte) cookie {
	text := string(b)
	if strings.HasPrefix(text, "rid=") || strings.HasPrefix(text, "csn=") {
		for part := range strings.SplitSeq(text, ",") {
			if list, ok := strings.CutPrefix(part, "csn="); ok {
				return csnCookie(list)
			}
		}
		return cookie{}
	}
	i := strings.LastIndexByte(text, '#')
	if i < 0 {
		return cookie{}
	}
	n, err := strconv.ParseUint(text[i+1:], 10, 64)
	return cookie{ok: err == nil, search: text[:i], number: n}
}

func csnCookie(list string) cookie {
	c := cookie{ok: true, csns: map[string]string{}}
	for csn := range strings.SplitSeq(list, ";") {
		parts := strings.Split(csn, "#")
		if len(parts) != 4 || !isCSNTime(parts[0]) {
			return cookie{}
		}
		c.csns[parts[2]] = csn
	}
	return c
}

const csnSecond = len("20260105080000")

// second is when the last change up to the place was made, in whole seconds; later than everything where the
// cookie does not tell.
func (c cookie) second() string {
	last := ""
	for _, csn := range c.csns {
		last = max(last, csn[:csnSecond])
	}
	if last == "" {
		return "~"
	}
	return last
}

// isCSNTime reports whether s is the time of a CSN, 20260105080000.000123Z: of a fixed length, so that two
// CSNs compare as texts.
func isCSNTime(s string) bool {
	digits, ok := strings.CutSuffix(s, "Z")
	whole, micro, dot := strings.Cut(digits, ".")
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	return ok && dot && len(whole) == 14 && len(micro) == 6 && !strings.ContainsFunc(whole+micro, notDigit)
}

// behind says why a server at now has been put back since last; "" = it was not.
func (c cookie) behind(last cookie) string {
	if c.csns == nil {
		if c.number < last.number {
			return fmt.Sprintf("the last change of the server has the number %d, but it had reached %d", c.number, last.number)
		}
		return ""
	}
	sids := make([]string, 0, len(last.csns))
	for sid := range last.csns {
		sids = append(sids, sid)
	}
	slices.Sort(sids)
	for _, sid := range sids {
		switch is, was := c.csns[sid], last.csns[sid]; {
		case is == "":
			return fmt.Sprintf("the server knows no change of the provider with the server id %s, but had known %s", sid, was)
		case is < was:
			return fmt.Sprintf("the server has the changes up to %s, but had had those up to %s", is, was)
		}
	}
	return ""
}
