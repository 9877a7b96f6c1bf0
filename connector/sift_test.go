package connector_test

import (
	"errors"
	"testing"
	"time"

	"usherd/connector"
)

// Every row that fits comes on one page, in order, whatever the pages are cut to; none looks at more than it may.
func TestSift(t *testing.T) {
	t.Parallel()
	ids := make([]connector.ID, 5000)
	for i := range ids {
		ids[i] = connector.NewID(time.UnixMilli(1_800_000_000_000 + int64(i)))
	}
	place := map[connector.ID]int{}
	for i, id := range ids {
		place[id] = i
	}
	for _, c := range []struct {
		limit, each int // every each-th fits
		pages       int // at most; with a next one that may be empty
	}{{50, 1, 101}, {50, 50, 4}, {50, 4999, 4}, {500, 3, 5}, {1, 1000, 8}, {50, 10_000, 4}} {
		var got []int
		from, pages := connector.ID{}, 0
		for more := true; more; pages++ {
			looked, taken := 0, 0
			var err error
			from, more, err = connector.Sift(c.limit, from, func(from connector.ID, limit int) ([]connector.ID, error) {
				at := 0
				if !from.IsZero() {
					at = place[from] + 1
				}
				list := ids[at:min(at+min(limit, 1000), len(ids))]
				looked += len(list)
				return list, nil
			}, func(id connector.ID) (connector.ID, bool) {
				fits := place[id]%c.each == 0
				if fits {
					got, taken = append(got, place[id]), taken+1
				}
				return id, fits
			})
			if err != nil || taken > c.limit || looked > 2000 || pages > c.pages {
				t.Fatalf("%+v: page %d: %d taken, %d looked at, %v", c, pages, taken, looked, err)
			}
		}
		if want := (len(ids) + c.each - 1) / c.each; len(got) != want {
			t.Errorf("%+v: %d rows, want %d", c, len(got), want)
		}
		for i, n := range got {
			if n != i*c.each {
				t.Fatalf("%+v: row %d is %d", c, i, n)
			}
		}
	}
	wrong := errors.New("gone")
	_, more, err := connector.Sift(1, connector.ID{}, func(connector.ID, int) ([]int, error) { return nil, wrong }, func(int) (connector.ID, bool) { return connector.ID{}, true })
	if more || !errors.Is(err, wrong) {
		t.Error(more, err)
	}
}

func TestChoicesBeyondTheStore(t *testing.T) {
	t.Parallel()
	in, full := &connector.Attempt{}, &connector.Attempt{Code: 31, Reason: connector.NoSeat}
	for _, c := range []struct {
		choice   connector.AttemptChoice
		in, full bool
	}{
		{connector.AttemptChoice{}, true, true},
		{connector.AttemptChoice{In: true}, true, false},
		{connector.AttemptChoice{Code: 31}, false, true},
		{connector.AttemptChoice{Code: 32}, false, false},
		{connector.AttemptChoice{Reason: connector.NoSeat}, false, true},
		{connector.AttemptChoice{Code: 31, In: true}, false, false},
	} {
		if c.choice.Fits(in) != c.in || c.choice.Fits(full) != c.full {
			t.Errorf("%+v", c)
		}
	}
	r := &connector.Request{Method: "PUT"}
	if !(&connector.RequestChoice{}).Fits(r) || !(&connector.RequestChoice{Method: "PUT"}).Fits(r) || (&connector.RequestChoice{Method: "GET"}).Fits(r) {
		t.Error("the method")
	}
}
