package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"usherd/connector"
	"usherd/connector/store/storetest"
)

// Users who were written before clients could ask for telephone numbers are found by them all the same.
func TestTermsAreFilledByTheMigration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	list, err := loadMigrations((&sqliteEngine{}).migrations())
	if err != nil {
		t.Fatal(err)
	}
	before := fstest.MapFS{}
	for _, m := range list[:6] {
		before[m.name] = &fstest.MapFile{Data: []byte(m.text)}
	}
	db, err := open(t.Context(), "sqlite:"+path, Options{Now: time.Now}, before)
	if err != nil {
		t.Fatal(err)
	}
	const people = 30
	var changes []*connector.Change
	for n := range people {
		c := storetest.Create(n, "", storetest.Start())
		p := c.After.Profile
		p.Set("phone", fmt.Sprint("+46 8 ", n))
		p.Set("otherPhones", "ÄNNE", "switchboard")
		p.Set("manager", "CN=Boss")
		if n%3 == 0 {
			p.Set(connector.DisplayName)
		}
		c.Fields = connector.Diff(nil, c.After)
		changes = append(changes, c)
	}
	err = db.Write(t.Context(), func(tx connector.Tx) error {
		_, err := tx.Save(t.Context(), changes, storetest.RunCause(connector.ID{}), storetest.Start())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.write(t.Context(), func(x *tx) error { // what was not written then
		n, err := x.s.exec(t.Context(), "DELETE FROM user_terms WHERE kind > 4 OR value = ?", unnamed)
		if err == nil && n < people {
			err = fmt.Errorf("only %d terms are missing", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openFile(t, path)
	if faults, err := db.Verify(t.Context()); err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	for _, test := range []struct {
		field, value string
		want         int
	}{
		{connector.OnPhone, "+46 8 7", 1},
		{connector.OnPhone, "änne", people},
		{connector.OnManager, "cn=boss", people},
		{connector.OnDisplayName, "given1 family1", 1},
	} {
		q := connector.ResourceQuery{Org: storetest.Org, Where: &connector.Condition{Op: connector.OpEq, Field: test.field, Value: test.value}}
		if n, err := db.CountResources(t.Context(), connector.UserResource, q); err != nil || n != test.want {
			t.Errorf("%s %s: %d, %v", test.field, test.value, n, err)
		}
	}
	page, err := db.ClientUsers(t.Context(), connector.ResourceQuery{Org: storetest.Org, Sort: connector.ByDisplayName})
	if err != nil || len(page.Items) != people {
		t.Errorf("%d in order of their display names, %v", len(page.Items), err)
	}
}
