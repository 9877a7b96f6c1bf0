package connector

// mostSifted bounds how many rows one page of a list looks at to find those that a filter asks for: the next page goes on from
// there, so that a page may be short, or empty, and have a next one all the same.
const mostSifted = 2000

// mostAtOnce is how many rows a store gives at most.
const mostAtOnce = 1000

// Sift fills a page of a list whose store does not find by everything that is asked for: it reads parts until limit rows fit. Read
// gives at most as many rows after a place as it is told, row says where one stands and whether it was taken. It returns where the
// list goes on; more is false after its end.
func Sift[T any](limit int, from ID, read func(from ID, limit int) ([]T, error), row func(T) (place ID, taken bool)) (next ID, more bool, err error) {
	taken, part := 0, min(limit+1, mostAtOnce) // that is all where everything fits
	more = true
	for sifted := 0; more && taken < limit && sifted < mostSifted; part = min(2*part, mostAtOnce, mostSifted-sifted) {
		list, err := read(from, part)
		if err != nil {
			return from, false, err
		}
		more = len(list) == part
		sifted += len(list)
		for i, x := range list {
			place, fits := row(x)
			if from = place; fits {
				taken++
			}
			if taken == limit {
				more = more || i < len(list)-1
				break
			}
		}
	}
	return from, more, nil
}

// AttemptChoice says which attempts to sign in are asked for: what is beyond the query, no index has.
type AttemptChoice struct {
	AttemptQuery
	Code   Code   // 0 = any
	Reason Reason // "" = any
	In     bool   // only those who are in
}

// Fits reports whether an attempt that the query has found is one that is asked for.
func (c *AttemptChoice) Fits(a *Attempt) bool {
	return (c.Code == 0 || a.Code == c.Code) && (c.Reason == "" || a.Reason == c.Reason) && (!c.In || a.Code == 0)
}

// RequestChoice says which requests of SCIM clients are asked for: what is beyond the query, no index has.
type RequestChoice struct {
	RequestQuery
	Method string // "" = any
}

// Fits reports whether a request that the query has found is one that is asked for.
func (c *RequestChoice) Fits(r *Request) bool { return c.Method == "" || r.Method == c.Method }
