package testpg

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

var databases atomic.Int64 // that this program has made, for their names

// Database makes an empty database, which the role owns, and returns its URL. It goes with the test. It may
// be called concurrently.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	return s.Clone(tb, "template1")
}

// Clone makes a database that is a copy of another one, which nobody may be connected to. Template is a name
// or a URL that Database or Clone returned. It may be called concurrently.
func (s *Server) Clone(tb testing.TB, template string) string {
	tb.Helper()
	if u, err := url.Parse(template); err == nil && u.Scheme != "" {
		template = strings.TrimPrefix(u.Path, "/")
	}
	name := "test" + strconv.FormatInt(databases.Add(1), 10)
	_, err := s.SQL(tb.Context(), "postgres", "CREATE DATABASE "+name+" OWNER "+role+" TEMPLATE "+template)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if !s.isShared {
			return // it goes with its server's folder
		}
		// The test's context is over. Who is connected still is disconnected.
		if _, err := s.SQL(context.Background(), "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Log(err)
		}
	})
	return s.URLOf(name)
}

// URLOf returns the URL of a database of this server.
func (s *Server) URLOf(database string) string {
	if s.o.TCP {
		return URLOf(database, s)
	}
	q := url.Values{"host": {s.Dir}, "port": {strconv.Itoa(s.Port)}}
	return "postgres://" + role + "@/" + database + "?" + q.Encode()
}

// URLOf returns the URL of a database with several hosts, of which the driver takes the one that can write.
// The servers have to be alike and to listen on TCP.
func URLOf(database string, servers ...*Server) string {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, "127.0.0.1:"+strconv.Itoa(s.Port))
	}
	first := servers[0]
	who, q := url.User(role), url.Values{"sslmode": {"disable"}}
	if first.o.Password != "" {
		who = url.UserPassword(role, first.o.Password)
	}
	if first.o.TLS {
		q = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {first.CAFile}}
	}
	if len(servers) > 1 {
		q.Set("target_session_attrs", "read-write")
	}
	return "postgres://" + who.String() + "@" + strings.Join(hosts, ",") + "/" + database + "?" + q.Encode()
}
