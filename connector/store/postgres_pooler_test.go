package store_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/internal/testpg"
)

// behind is the URL of a database by way of a pooler.
func behind(t *testing.T, p *testpg.Pooler, database string, parameters url.Values) string {
	t.Helper()
	u, err := p.URL(database, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Two processes write through a pooler that has fewer connections than they have. Neither the server's restart nor the
// pooler's loses anything that was acknowledged, and both go on by themselves.
func TestOutagesBehindAPooler(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := testpg.Start(t, testpg.Options{})
			pooler := s.Pooler(t, 3)
			at := behind(t, pooler, s.Database(t), url.Values{"default_query_exec_mode": {mode}})
			db, other := openURL(t, at), openURL(t, at)
			w, beside := writing(t, db), writingFrom(t, other, 5_000_000)
			w.more(t, 20)
			beside.more(t, 20)
			for what, restart := range map[string]func() error{
				"the server": func() error { return s.Restart(t.Context()) },
				"the pooler": func() error { return pooler.Restart(t.Context()) },
			} {
				if err := restart(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				w.more(t, 20)
				beside.more(t, 20)
			}
			beside.end()
			if refused := append(w.refusals(), beside.refusals()...); len(refused) > 0 {
				t.Errorf("%d were refused, such as by %v", len(refused), refused[0])
			}
			w.kept(t, db)
			beside.kept(t, other)
		})
	}
}

// Who forgets to say that there is a pooler is told at once, and how to say it.
func TestAPoolerThatNobodyTold(t *testing.T) {
	t.Parallel()
	s := testpg.Shared(t)
	_, err := store.Open(t.Context(), behind(t, s.Pooler(t, 2), s.Database(t), nil), store.Options{Now: time.Now})
	if connector.KindOf(err) != connector.Refused || !strings.Contains(connector.HintOf(err), "default_query_exec_mode=exec") {
		t.Errorf("%v (%s)", err, connector.HintOf(err))
	}
}
