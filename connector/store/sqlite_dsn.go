package store

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"usherd/connector"
)

// scheme begins the URL of every SQLite store.
const scheme = "sqlite:"

// Path returns the file that a store URL names, as an absolute path. The URL is sqlite:PATH, where
// PATH is a path of the operating system as it is (sqlite:usherd.db, sqlite:C:\usherd\usherd.db), or
// sqlite:///PATH.
func Path(storeURL string) (string, error) {
	path, ok := strings.CutPrefix(storeURL, scheme)
	if !ok {
		return "", &connector.Error{
			Kind: connector.Invalid, Op: "store", Err: fmt.Errorf("the URL %q names no known store", redact(storeURL)),
			Hint: "write sqlite:PATH, such as sqlite:/var/lib/usherd/usherd.db, or postgres://USER@HOST/DATABASE",
		}
	}
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if !strings.HasPrefix(rest, "/") {
			return "", invalid("open", "sqlite://%s names a host: write sqlite:PATH or sqlite:///PATH", rest)
		}
		path = rest
		if len(path) > 2 && path[2] == ':' { // /C:/...
			path = path[1:]
		}
	}
	switch {
	case path == "":
		return "", invalid("open", "sqlite: needs a path")
	case strings.HasPrefix(path, ":memory:"):
		return "", invalid("open", "a store in memory is shared by no two connections: write a path")
	case strings.ContainsRune(path, 0):
		return "", invalid("open", "a path holds no zero byte")
	}
	return filepath.Abs(path)
}

// redact keeps what stands before the first '@' or '?' of a URL out of messages: passwords are there.
func redact(s string) string {
	if i := strings.IndexByte(s, ':'); i >= 0 {
		return s[:i+1] + "…"
	}
	return "…"
}

// fileURI is the path as SQLite's URI, which alone lets a path hold '?' and '%'.
func fileURI(path string) string {
	p := filepath.ToSlash(path)
	p = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(p)
	if !strings.HasPrefix(p, "/") { // C:/...
		p = "/" + p
	}
	return "file://" + p
}

// dsn adds the settings that every connection needs. They are not stored in the file, so a PRAGMA
// by Exec would reach one connection of the pool only.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_txlock": {"immediate"}}
	q["_pragma"] = append([]string{
		"busy_timeout(10000)", "foreign_keys(1)", "journal_mode(wal)", "synchronous(full)",
		"journal_size_limit(67108864)",
	}, pragmas...)
	return fileURI(path) + "?" + q.Encode()
}
