package store

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usherd/connector"
	"usherd/connector/store/storetest"
)

func someRequests(n int) []connector.Request {
	at := storetest.Start()
	list := make([]connector.Request, n)
	for i := range list {
		r := storetest.Asked(i, storetest.Source, at.Add(time.Duration(i)*time.Second))
		r.Asked, r.Answered = nil, nil
		list[i] = r
	}
	list[0].Path, list[0].Person = "/a\x00\xff", strings.Repeat("ä", 300)
	list[0].At, list[0].Duration, list[0].BytesOut = time.Time{}, 0, -1
	return list
}

func TestBlocksAreReadAsTheyWerePacked(t *testing.T) {
	t.Parallel()
	want := someRequests(blockRows)
	packed := packBlock(want)
	got, err := unpackBlock(storetest.Org, storetest.Source, packed)
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || d != "" {
		t.Errorf("%v, written (-) and read (+):\n%s", err, d)
	}
	if each := len(packed[2*300:]) / len(want); each > 130 {
		t.Errorf("a request takes %d bytes", each)
	}
	for _, bad := range [][]byte{nil, {blockFormat + 1}, packed[:len(packed)-1], append([]byte{blockFormat}, make([]byte, 20)...)} {
		if _, err := unpackBlock("", "", bad); !errors.Is(err, errBlock) {
			t.Errorf("%d damaged bytes: %v", len(bad), err)
		}
	}
}

func TestABlockTellsWhatItIsAbout(t *testing.T) {
	t.Parallel()
	rows := someRequests(70)
	a, want := aboutBlock(rows), connector.RequestCounts{Requests: 70, Errors: 30}
	if got := a.requests(); got != want {
		t.Errorf("%+v", got)
	}
	for _, r := range rows {
		byName, byID := []uint32{1, personHash(connector.Fold(r.Person))}, []uint32{userHash(r.User)}
		if r.Person != "" && !a.has(byName) || !r.User.IsZero() && !a.has(byID) {
			t.Errorf("%.40s is not told of", r.Person)
		}
	}
	if a.has([]uint32{personHash("nobody@example.org"), userHash(connector.ID{9})}) {
		t.Error("somebody is told of who is not there")
	}
	if about(nil).has([]uint32{1}) || about(nil).requests() != (connector.RequestCounts{}) {
		t.Error("nothing tells of something")
	}
}

func FuzzUnpackBlock(f *testing.F) {
	f.Add(packBlock(someRequests(3)))
	f.Add([]byte{blockFormat, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		a := about(b)
		a.requests()
		a.has([]uint32{7})
		rows, err := unpackBlock("o", "s", b)
		if err != nil || len(rows) == 0 {
			return
		}
		packed := packBlock(rows)
		again, err := unpackBlock("o", "s", packed)
		if d := cmp.Diff(rows, again); err != nil || d != "" || !bytes.Equal(packed, packBlock(again)) {
			t.Errorf("%v, once (-) and twice (+):\n%s", err, d)
		}
	})
}

// Requests that were logged by a row each are in blocks afterwards.
func TestBlocksAreFilledByTheMigration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	list, err := loadMigrations((&sqliteEngine{}).migrations())
	if err != nil {
		t.Fatal(err)
	}
	before := fstest.MapFS{}
	for _, m := range list[:13] {
		before[m.name] = &fstest.MapFile{Data: []byte(m.text)}
	}
	db, err := open(t.Context(), "sqlite:"+path, Options{Now: time.Now}, before)
	if err != nil {
		t.Fatal(err)
	}
	want := someRequests(600)
	for i := range want {
		want[i].Source = []string{"entra", "okta"}[i/400]
	}
	err = db.write(t.Context(), func(x *tx) error {
		for _, r := range want {
			var user any
			if !r.User.IsZero() {
				user = r.User[:]
			}
			_, err := x.s.exec(t.Context(), `INSERT INTO requests VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, r.Org, r.Source, r.ID[:], micros(r.At), r.Method,
				r.Path, r.Query, r.Status, r.ScimType, r.Person, connector.Fold(r.Person), user, r.Duration.Microseconds(), r.Profile, strings.Join(r.Quirks, " "),
				r.Ref, r.BytesIn, r.BytesOut, r.Remote)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	db = openFile(t, path)
	got, err := db.Requests(t.Context(), connector.RequestQuery{Org: storetest.Org, Limit: len(want)})
	for i := range got {
		if d := cmp.Diff(want[len(want)-1-i], got[i], cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("written (-) and read (+):\n%s", d)
		}
	}
	if len(got) != len(want) || err != nil {
		t.Errorf("%d of %d: %v", len(got), len(want), err)
	}
}
