package store

import (
	"slices"
	"testing"
)

func TestStatementsForManyRows(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		sqlInsertKey:  "INSERT INTO user_keys (org, kind, value, user_id) SELECT * FROM unnest(@) ON CONFLICT (org, kind, value) DO NOTHING RETURNING org, kind, value",
		sqlInsertTerm: "INSERT INTO user_terms (org, kind, value, user_id) SELECT * FROM unnest(@)",
		sqlDeleteTerm: "DELETE FROM user_terms AS t USING unnest(@) AS v (c1, c2, c3, c4) WHERE t.org = v.c1 AND t.kind = v.c2 AND t.value = v.c3 AND t.user_id = v.c4",
		"UPDATE t SET a = ?,\n b = ? WHERE c = ? AND d = ?": "UPDATE t AS t SET a = v.c1,\n b = v.c2 FROM unnest(@) AS v (c1, c2, c3, c4) WHERE t.c = v.c3 AND t.d = v.c4",
		sqlInsertGroup: "", sqlCountGroup: "", sqlRechecked: "", sqlDeleteLinksOfUser: "", sqlMembersGone: "",
	} {
		got := ""
		if m := manyOf(q); m != nil {
			got = m.before + "@" + m.after
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", q, got, want)
		}
	}
	// What a first sync writes is sent together.
	for _, q := range []string{sqlInsertKey, sqlInsertTerm, sqlInsertUser, sqlInsertWhole, sqlUpdateUser, sqlInsertEvent, sqlPutLink, sqlDeleteKey, sqlAddMember, sqlPutBlock, sqlPutOutcome} {
		if manyOf(q) == nil {
			t.Errorf("there is no form for several rows of %s", q)
		}
	}
}

// The rows that a statement for several has written are told apart, also where one comes twice.
func TestRowsOfManyAreTold(t *testing.T) {
	t.Parallel()
	db, err := openWith(t, emptyURLs(t)["postgres"], nil)
	if err != nil {
		t.Fatal(err)
	}
	var told []bool
	err = db.write(t.Context(), func(x *tx) error {
		return x.s.batch(t.Context(), func(b *batch) error {
			tell := func(wrote bool) error {
				told = append(told, wrote)
				return nil
			}
			for _, key := range []string{"a", "b", "a", "c\x00"} {
				if err := b.then(tell, sqlAddMember, []byte("g"), []byte(key), "dn "+key); err != nil {
					return err
				}
			}
			if err := b.flush(); err != nil {
				return err
			}
			for _, key := range []string{"b", "x", "a"} {
				if err := b.then(tell, sqlRemoveMember, []byte("g"), []byte(key)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if want := []bool{true, true, false, true, true, false, true}; err != nil || !slices.Equal(told, want) {
		t.Errorf("told %v, want %v; %v", told, want, err)
	}
}
