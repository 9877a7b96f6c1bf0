package requestlog_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usherd/connector"
	"usherd/scim/requestlog"
)

func TestHandlerMakesRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		r := requestlog.New(requestlog.Options{Store: m, Now: time.Now})
		at := time.Now()
		h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			e := requestlog.From(q.Context())
			switch q.URL.Path {
			case "/unknown":
				http.Error(w, "who are you", http.StatusUnauthorized)
				return
			case "/panic":
				e.Client("acme", "entra", true, true)
				panic(http.ErrAbortHandler)
			case "/quiet":
				e.Client("acme", "entra", false, true)
				e.Dialect("entra", "op-case")
				return
			}
			e.Client("acme", "entra", true, q.URL.Path == "/bodies")
			e.Remote("198.51.100.9")
			time.Sleep(30 * time.Millisecond)
			if _, err := io.ReadAll(q.Body); err != nil {
				t.Error(err)
			}
			e.Dialect("entra", "op-case", "op-case")
			e.Dialect("entra", "bool-text")
			e.About("ann@example.org", connector.ID{})
			e.About("", connector.ID{7})
			e.Failed("uniqueness", "7KQ2-M4ZT")
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"status":"409"}`)
		}))
		ask := func(target, body string) {
			defer func() { _ = recover() }()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
		}
		ask("/bodies?filter=x&token=y", `{"password":"x","a":1}`)
		ask("/plain", "{}")
		ask("/unknown", "{}")
		ask("/panic", "")
		ask("/quiet", "{}")
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		first := connector.Request{
			Org: "acme", Source: "entra", At: at, Method: "POST", Path: "/bodies", Query: "filter=x&token=[hidden]", Status: 409, ScimType: "uniqueness",
			Person: "ann@example.org", User: connector.ID{7}, Duration: 30 * time.Millisecond, Profile: "entra", Quirks: []string{"op-case", "bool-text"},
			Ref: "7KQ2-M4ZT", BytesIn: 22, BytesOut: 16, Remote: "198.51.100.9",
			Asked: []byte(`{"password":"[hidden]","a":1}`), Answered: []byte(`{"status":"409"}`),
		}
		second := first
		second.At, second.Path, second.Query, second.BytesIn, second.Asked, second.Answered = at.Add(30*time.Millisecond), "/plain", "", 2, nil, nil
		third := connector.Request{
			Org: "acme", Source: "entra", At: at.Add(60 * time.Millisecond), Method: "POST", Path: "/panic", Status: 500, Remote: "192.0.2.1",
			Asked: []byte{}, Answered: []byte{},
		}
		if d := cmp.Diff([]connector.Request{first, second, third}, m.rows(), cmpopts.IgnoreFields(connector.Request{}, "ID")); d != "" {
			t.Error(d)
		}
		if ops, bools := m.counted("op-case"), m.counted("bool-text"); ops != 3 || bools != 2 {
			t.Errorf("quirks: %d, %d", ops, bools)
		}
	})
}

// Handlers that are not logged say the same things to nobody.
func TestNoEntry(t *testing.T) {
	t.Parallel()
	e := requestlog.From(t.Context())
	e.Client("a", "b", true, true)
	e.Remote("x")
	e.About("x", connector.ID{1})
	e.Dialect("x", "y")
	e.Failed("x", "y")
	e.Part(requestlog.Part{Number: 1})
	if e != nil {
		t.Error("there is an entry")
	}
}
