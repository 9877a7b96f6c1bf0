package provision

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

// fill sets everything that can be reached to a value of its own, so that a field that somebody adds and
// the codec does not know is missed.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() { //nolint:exhaustive // the others are refused
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d é", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(-*n))
	case reflect.Uint32:
		v.SetUint(uint64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, n)
			fill(t, elem, n)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), int64(*n)).UTC()))
			return
		}
		for _, f := range v.Fields() {
			fill(t, f, n)
		}
	default:
		t.Fatalf("a change has a %s now: teach fill and the codec", v.Kind())
	}
}

func whole(t *testing.T) *connector.Change {
	t.Helper()
	var c connector.Change
	n := 0
	fill(t, reflect.ValueOf(&c).Elem(), &n)
	return &c
}

func TestSpooledChangeComesBackWhole(t *testing.T) {
	t.Parallel()
	full := whole(t)
	listed := whole(t) // values that stand in the profile too
	for name, v := range listed.After.Profile {
		listed.Fields = append(listed.Fields, connector.FieldChange{Field: name, After: v})
	}
	for name, c := range map[string]*connector.Change{
		"full": full, "listed": listed, "empty": {},
		"empty profile": {After: &connector.User{Profile: connector.Profile{}}, Link: &connector.Link{}},
		"extremes":      {BaseVersion: math.MinInt64, After: &connector.User{Version: math.MaxInt64, CreatedAt: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)}},
	} {
		got, err := readChange(appendChange(nil, c))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestDamagedChangeIsAnError(t *testing.T) {
	t.Parallel()
	b := appendChange(nil, whole(t))
	for i := range b {
		if _, err := readChange(b[:i]); err == nil {
			t.Fatalf("cut after %d of %d bytes", i, len(b))
		}
	}
	if _, err := readChange(append(b, 0)); err == nil {
		t.Error("a byte too many")
	}
}

func TestSpooledGroupChangeComesBackWhole(t *testing.T) {
	t.Parallel()
	var full connector.GroupChange
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	b := appendGroupChange(nil, &full)
	got, err := readGroupChange(b)
	if d := cmp.Diff(&full, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	for i := range b {
		if _, err := readGroupChange(b[:i]); err == nil {
			t.Fatalf("cut after %d of %d bytes", i, len(b))
		}
	}
	if _, err := readGroupChange(appendGroupChange(nil, &connector.GroupChange{})); err == nil {
		t.Error("a change of no group")
	}
}

func FuzzReadChange(f *testing.F) {
	f.Add(appendChange(nil, &connector.Change{Action: connector.Created, After: &connector.User{Profile: connector.Profile{"email": {"a@b.c"}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := readChange(b)
		if err != nil {
			return
		}
		again, err := readChange(appendChange(nil, c))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, again); d != "" {
			t.Fatal(d)
		}
	})
}

func TestSpoolPassesOverWhatIsNotWanted(t *testing.T) {
	t.Parallel()
	s := newSpool(t.TempDir())
	for i := range 20_000 { // more than stays in memory
		if err := s.add(int32(i), &connector.Change{BaseVersion: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		want := int64(0)
		for x, err := range s.all(func(o int32) bool { return o%7 == 0 }) {
			if err != nil || x.Change.BaseVersion != want || int64(x.Ordinal) != want {
				t.Fatalf("%+v %v, want %d", x, err, want)
			}
			want += 7
		}
		if s.file == nil || want != 20_006 {
			t.Fatalf("ended before %d", want)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}
