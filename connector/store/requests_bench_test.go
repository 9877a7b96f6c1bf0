package store_test

import (
	"strconv"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store/storetest"
)

// benchRequests is how many requests stand in the log that BenchmarkRequests reads.
const benchRequests = 300_000

// BenchmarkRequests fills the request log of one client and reads it in each way.
func BenchmarkRequests(b *testing.B) {
	db, _ := openBench(b)
	at, written := storetest.Start(), 0
	var list []connector.Request
	began := time.Now()
	for written < benchRequests {
		list = list[:0]
		for range 500 {
			r := storetest.Asked(written, storetest.Source, at)
			r.Asked, r.Answered = nil, nil
			if r.Person != "" {
				r.Person, r.User = "user"+strconv.Itoa(written%50_000)+"@example.org", connector.ID{2, byte(written >> 8), byte(written)}
			}
			list = append(list, r)
			at = at.Add(288 * time.Millisecond) // all of them in a day
			written++
		}
		if err := db.PutRequests(b.Context(), list, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%.0f requests/s were written", float64(written)/time.Since(began).Seconds())
	base := connector.RequestQuery{Org: storetest.Org, Source: storetest.Source, Limit: 100}
	for name, change := range map[string]func(*connector.RequestQuery, int){
		"latest": func(*connector.RequestQuery, int) {},
		"person": func(q *connector.RequestQuery, n int) {
			q.Person = "user" + strconv.Itoa(n*7919%50_000) + "@example.org"
		},
		"4xx": func(q *connector.RequestQuery, _ int) { q.Status = [2]int{400, 499} },
		"409": func(q *connector.RequestQuery, _ int) { q.Status = [2]int{409, 409} },
		"500": func(q *connector.RequestQuery, _ int) { q.Status = [2]int{500, 500} },
		"middle": func(q *connector.RequestQuery, n int) {
			q.Before = connector.FirstID(storetest.Start().Add(time.Duration(n%24) * time.Hour))
		},
	} {
		b.Run(name, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				q := base
				change(&q, n)
				if _, err := db.Requests(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if c, err := db.CountRequests(b.Context(), storetest.Org, storetest.Source, at.Add(-24*time.Hour)); err != nil || c.Requests < benchRequests*9/10 {
				b.Fatal(c, err)
			}
		}
	})
	b.Run("drop", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			if _, err := db.DropRequests(b.Context(), storetest.Org, storetest.Source, storetest.Start().Add(time.Duration(n+1)*20*time.Minute)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
