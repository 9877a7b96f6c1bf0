package scim_test

import (
	"fmt"
	"net/http"
	"testing"
)

// What a write asks of the database, counted from the beginning of its transaction to the commit: on another database
// than SQLite each statement is a way to the server and back. Those that share a commit share about half of it. Another
// organization has verified the domain too: whoever changes a user asks whether it has claimed the address, which is one
// statement that others do not need.
func TestWritesCostFewStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cost := func(method, path, body string, status int) (int64, response) {
		before := w.db.Statements()
		r := w.send(method, path, body).want(t, status)
		return w.db.Statements() - before, r
	}
	ids := make([]string, 3)
	for i := range ids {
		_, r := cost("POST", "/Users", benchBody(i), http.StatusCreated)
		ids[i] = r.id(t)
	}
	group := w.groupOf("G", nil)
	for _, c := range []struct {
		name   string
		most   int64
		status int
		ask    func(i int) (method, path, body string)
	}{
		{"POST", 16, 201, func(i int) (string, string, string) { return "POST", "/Users", benchBody(100 + i) }},
		{"PATCH active", 13, 200, func(i int) (string, string, string) {
			return "PATCH", "/Users/" + ids[0], patchOf(fmt.Sprintf(`{"op":"replace","path":"active","value":%t}`, i%2 == 1))
		}},
		{"PATCH title", 10, 200, func(i int) (string, string, string) {
			return "PATCH", "/Users/" + ids[1], patchOf(fmt.Sprintf(`{"op":"replace","path":"title","value":"T%d"}`, i))
		}},
		{"PATCH of nothing new", 7, 200, func(int) (string, string, string) {
			return "PATCH", "/Users/" + ids[1], patchOf(`{"op":"replace","path":"active","value":true}`)
		}},
		{"PUT", 23, 200, func(i int) (string, string, string) { return "PUT", "/Users/" + ids[1], benchBody(200 + i) }},
		{"PATCH members", 11, 200, func(i int) (string, string, string) {
			return "PATCH", "/Groups/" + group, patchOf(fmt.Sprintf(`{"op":%q,"path":"members","value":[{"value":%q}]}`, []string{"add", "remove"}[i%2], ids[2]))
		}},
	} {
		least := int64(1 << 30) // now and then something of the door's own comes between
		for i := range 4 {
			method, path, body := c.ask(i)
			n, _ := cost(method, path, body, c.status)
			least = min(least, n)
		}
		if t.Logf("%s: %d statements", c.name, least); least > c.most {
			t.Errorf("%s: %d statements, at most %d expected", c.name, least, c.most)
		}
	}
}
