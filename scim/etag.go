package scim

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

// userTag is the version of a User (RFC 7644 section 3.14): that of the user, and after a hyphen a digest of what is
// shown of its groups and of the client's own word on it, which change without it.
func userTag(u *shownUser) string {
	tag := `W/"` + strconv.FormatInt(u.User.Version, 10)
	if e := u.ExternalID(); len(u.groups) > 0 || e != "" || u.failed != nil {
		h := sha256.New()
		h.Write([]byte(e))
		h.Write([]byte{0})
		if u.failed != nil {
			h.Write([]byte(u.failed.Ref + stamp(u.failed.At)))
		}
		h.Write([]byte{0})
		for _, g := range u.groups {
			h.Write(g.ID[:])
			h.Write([]byte(g.Name))
			h.Write([]byte{0})
		}
		tag += "-" + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:6])
	}
	return tag + `"`
}

func groupTag(g *connector.Group) string {
	return `W/"` + strconv.FormatInt(g.Version, 10) + `"`
}

func digestTag(b []byte) string {
	sum := sha256.Sum256(b)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:9]) + `"`
}

// matches reports whether a list of tags, or *, has this one. Tags are compared weakly (RFC 9110 section 8.8.3.2).
func matches(list, tag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimSpace(t); t == "*" && tag != "" || t != "" && strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// precondition holds a request to If-Match: what stands behind the hyphen is no part of what is changed.
func precondition(h http.Header, tag string) error {
	list := strings.Join(h.Values("If-Match"), ",")
	if list == "" || list == "*" {
		return nil
	}
	bare := func(t string) string {
		t, _, _ = strings.Cut(strings.Trim(strings.TrimPrefix(strings.TrimSpace(t), "W/"), `"`), "-")
		return t
	}
	for t := range strings.SplitSeq(list, ",") {
		if bare(t) == bare(tag) {
			return nil
		}
	}
	return refuse(http.StatusPreconditionFailed, "", "the resource has changed since: its version is "+tag+" now. Read it again")
}

// stamp is a time as resources show it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
