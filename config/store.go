package config

import (
	"net/netip"
	"net/url"
	"strings"
)

// store checks the URL. No message quotes it: a password could stand in it.
func (v *validator) store() {
	c := v.config
	switch {
	case c.Store == "":
		v.reject("store", "the store is missing: write store: sqlite:/var/lib/usherd/usherd.db")
	case strings.HasPrefix(c.Store, "sqlite:"):
		v.sqlite(strings.TrimPrefix(c.Store, "sqlite:"))
	case strings.HasPrefix(c.Store, "postgres://"), strings.HasPrefix(c.Store, "postgresql://"):
		v.postgres()
	default:
		v.reject("store", "this is no store: write sqlite: and the path of the database's file, as in sqlite:/var/lib/usherd/usherd.db, "+
			"or postgres://USER@HOST:5432/DATABASE")
	}
	if !c.StorePassword.IsZero() && strings.HasPrefix(c.Store, "sqlite:") {
		v.reject(storePassword, "SQLite has no password: remove the key, or name a database of PostgreSQL in store")
	}
}

// sqlite makes the path absolute.
func (v *validator) sqlite(path string) {
	rest, slashes := strings.CutPrefix(path, "//")
	switch {
	case path == "":
		v.reject("store", "the path of the database's file is missing: write it behind sqlite:")
	case strings.HasPrefix(path, ":memory:"):
		v.reject("store", "a store in memory forgets who has an account: write the path of a file")
	case slashes && !strings.HasPrefix(rest, "/"):
		v.reject("store", "sqlite:// names a host: write sqlite: and the path of the database's file")
	case slashes:
	default:
		v.config.Store = "sqlite:" + v.absolute(path)
	}
}

// postgres checks what must not be found out only when the database is asked: a password that would be kept with each
// revision of the file, and one that would be sent in the clear.
func (v *validator) postgres() {
	_, rest, _ := strings.Cut(v.config.Store, "://")
	authority, path, _ := strings.Cut(rest, "/")
	database, query, _ := strings.Cut(path, "?")
	parameters, err := url.ParseQuery(query)
	at := strings.LastIndexByte(authority, '@')
	switch {
	case strings.Contains(authority[:at+1], ":") || strings.Contains(database, "@") || parameters.Has("password"):
		v.reject("store", "no password belongs in a URL: write it under store_password, as {file: PATH}, {env: NAME} or {credential: NAME}")
	case err != nil || strings.ContainsAny(rest, "\x00 "):
		v.reject("store", "this is no URL: write postgres://USER@HOST:5432/DATABASE, and %%2F for / and so on in names")
	case database == "" && !parameters.Has("dbname") && !parameters.Has("service"):
		v.reject("store", "the name of the database is missing: write postgres://USER@HOST:5432/DATABASE")
	}
	hosts := authority[at+1:]
	if h := parameters.Get("host"); h != "" {
		hosts = h
	}
	switch parameters.Get("sslmode") {
	case "require", "verify-ca", "verify-full":
		return
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !isLocal(host) {
			v.doubt("store", "passwords and people may go over the network in the clear: add sslmode=verify-full to the URL, behind ?")
			return
		}
	}
}

// isLocal reports whether a host of a URL is a socket or this machine.
func isLocal(host string) bool {
	if host == "" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
	}
	name = strings.Trim(name, "[]")
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && addr.IsLoopback()
}
