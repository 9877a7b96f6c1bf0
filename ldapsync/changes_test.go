package ldapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

// companyAD is a directory with 20 people below peopleOU and a source of it.
func companyAD(t *testing.T, o ldaptest.Options, edit ...func(*Config)) (*ldaptest.Server, *Source) {
	t.Helper()
	d := directory(t, o)
	populate(t, d, 20)
	c := configOf(t, d)
	for _, f := range edit {
		f(c)
	}
	return d, open(t, c, func(o *Options) { o.poll = time.Millisecond })
}

func changesSince(t *testing.T, s *Source, at connector.Cursor) *connector.Batch {
	t.Helper()
	b, err := s.Changes(t.Context(), connector.ChangesRequest{Since: at})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestTheBestMechanismIsChosen(t *testing.T) {
	t.Parallel()
	dc := rootDSE{read: true, service: "CN=NTDS Settings,CN=DC1", usn: 5, controls: map[string]bool{ldap.ControlTypeDirSync: true}}
	old := dc
	old.controls = map[string]bool{ldap.ControlTypePaging: true}
	slapd := rootDSE{read: true, slapd: true, controls: map[string]bool{ldap.ControlTypePaging: true}}
	for name, tc := range map[string]struct {
		kind Type
		by   ChangesBy
		root rootDSE
		want []ChangesBy
	}{
		"auto, AD":                   {ActiveDirectory, Auto, dc, []ChangesBy{ByDirSync, ByUSN}},
		"nothing said, AD":           {ActiveDirectory, "", dc, []ChangesBy{ByDirSync, ByUSN}},
		"auto, AD without DirSync":   {ActiveDirectory, Auto, old, []ChangesBy{ByUSN}},
		"auto, AD behind a proxy":    {ActiveDirectory, Auto, slapd, nil},
		"auto, AD as plain LDAP":     {LDAP, Auto, dc, nil},
		"auto, hidden root DSE":      {ActiveDirectory, Auto, rootDSE{}, nil},
		"auto, slapd without any":    {OpenLDAP, Auto, slapd, nil},
		"usn":                        {ActiveDirectory, ByUSN, dc, []ChangesBy{ByUSN}},
		"dirsync, not announced":     {ActiveDirectory, ByDirSync, old, []ChangesBy{ByDirSync}},
		"timestamp":                  {OpenLDAP, ByTimestamp, slapd, []ChangesBy{ByTimestamp}},
		"timestamp, hidden root DSE": {LDAP, ByTimestamp, rootDSE{}, []ChangesBy{ByTimestamp}},
		"off":                        {ActiveDirectory, NoChanges, dc, nil},
	} {
		x := &session{s: &Source{config: Config{Type: tc.kind, Changes: tc.by}}, root: tc.root}
		var got []ChangesBy
		for _, m := range x.mechanisms() {
			got = append(got, m.by())
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// A cursor means something under exactly the settings, the account and the database that it is from.
func TestACursorIsOfOneSetOfSettings(t *testing.T) {
	t.Parallel()
	d, s := companyAD(t, ldaptest.Options{})
	d.SetAccount(ldaptest.Account{Names: []string{"second@example.test"}, Password: password})
	add(t, d, "CN=g,OU=Groups,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"group"}, "member": {personDN(1)}})
	_, at := readRoster(t, s)
	settings := "the cursor is from other settings"
	for name, tc := range map[string]struct {
		edit func(*Options)
		want string
	}{
		"the same":         {func(*Options) {}, ""},
		"base in capitals": {func(o *Options) { o.Config.Bases = []string{"DC=EXAMPLE,DC=test"} }, ""},
		"another page":     {func(o *Options) { o.Config.PageSize = 7 }, ""},
		"another base":     {func(o *Options) { o.Config.Bases = []string{peopleOU} }, settings},
		"another filter":   {func(o *Options) { o.Config.Filter = "(objectClass=user)" }, settings},
		"another account":  {func(o *Options) { o.Config.Bind.User = "second@example.test" }, settings},
		"another anchor":   {func(o *Options) { o.Config.Anchor = "sAMAccountName" }, settings},
		"more attributes":  {func(o *Options) { o.Attributes = append(o.Attributes, "title") }, settings},
		"a group":          {func(o *Options) { o.Config.Groups = []string{"CN=g,OU=Groups,DC=example,DC=test"} }, settings},
		"a protected one": {func(o *Options) {
			o.Protected.Groups = []string{"CN=g,OU=Groups,DC=example,DC=test"}
		}, settings},
		"fewer OUs": {func(o *Options) { o.Config.ExcludeOUs = []string{"OU=Old,DC=example,DC=test"} }, settings},
		"another mechanism": {
			func(o *Options) { o.Config.Changes = ByUSN },
			"the cursor is of dirsync, by which this server is not followed now",
		},
		"off": {func(o *Options) { o.Config.Changes = NoChanges }, "the cursor is of dirsync"},
	} {
		b := changesSince(t, open(t, configOf(t, d), func(o *Options) { tc.edit(o) }), at)
		if !strings.HasPrefix(b.Full, tc.want) || (b.Full == "") != (tc.want == "") {
			t.Errorf("%s: full %q, want %q", name, b.Full, tc.want)
		}
	}
	for name, bad := range map[string]connector.Cursor{
		"zero": {}, "garbage": {Data: []byte("garbage"), Key: at.Key}, "cut": {Data: at.Data[:9], Key: at.Key},
		"cut in the place":    {Data: at.Data[:len(at.Data)-1], Key: at.Key},
		"of the next version": {Data: append([]byte{9}, at.Data[1:]...), Key: at.Key},
		"another key":         {Data: at.Data},
	} {
		if b := changesSince(t, s, bad); b.Full == "" {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

func TestAnotherDatabaseNeedsAFullRead(t *testing.T) {
	t.Parallel()
	for _, by := range []ChangesBy{ByDirSync, ByUSN} {
		d, s := companyAD(t, ldaptest.Options{}, func(c *Config) { c.Changes = by })
		_, at := readRoster(t, s)
		do(t, d.NewInvocation(), d.Modify(personDN(1), ldaptest.Attrs{"mail": {"new@example.test"}}))
		const want = "the domain controller DC1 has another database than it had, as after a restore from a backup"
		if b := changesSince(t, s, at); !strings.HasPrefix(b.Full, want) {
			t.Errorf("%s after a new invocationId: %+v", by, b)
		}
		if _, now := readRoster(t, s); !strings.HasPrefix(s.Older(now, at), want) || s.Older(now, now) != "" {
			t.Errorf("%s: %q", by, s.Older(now, at))
		}
		other := directory(t, ldaptest.Options{Seed: "other"})
		populate(t, other, 20)
		c := configOf(t, other)
		c.Changes = by
		elsewhere := map[ChangesBy]string{ByDirSync: "the cursor is from another server", ByUSN: want} // of the same name
		if b := changesSince(t, open(t, c), at); !strings.HasPrefix(b.Full, elsewhere[by]) {
			t.Errorf("%s, another domain: %+v", by, b)
		}
	}
}

// The same seed and fewer changes are the same database before: a restored snapshot.
func TestAServerThatWentBackInTimeIsFoundOut(t *testing.T) {
	t.Parallel()
	for _, by := range []ChangesBy{ByDirSync, ByUSN} {
		choose := func(c *Config) { c.Changes = by }
		later, s := companyAD(t, ldaptest.Options{}, choose)
		_, first := readRoster(t, s)
		do(t, later.Modify(personDN(1), ldaptest.Attrs{"mail": {"a@example.test"}}))
		_, second := readRoster(t, s)
		_, restored := companyAD(t, ldaptest.Options{}, choose)
		_, now := readRoster(t, restored)
		const want = "the domain controller DC1 went back in time: its highest update number is "
		if why := s.Older(now, second); !strings.HasPrefix(why, want) {
			t.Errorf("%s: %q", by, why)
		}
		if why := s.Older(second, first) + s.Older(first, first) + s.Older(now, first) + s.Older(connector.Cursor{}, first); why != "" {
			t.Errorf("%s: %q", by, why)
		}
		if b := changesSince(t, restored, second); !strings.HasPrefix(b.Full, want) {
			t.Errorf("%s: %+v", by, b)
		}
	}
}

func TestWithoutRightsThereIsAWayOrAWarning(t *testing.T) {
	t.Parallel()
	d, s := companyAD(t, ldaptest.Options{NoReplicationRight: true})
	_, at := readRoster(t, s)
	if p, _ := parseCursor(at); p.by != ByDirSync {
		t.Errorf("mechanism %s", p.by)
	}
	d.Hide("invocationId")
	if _, at = readRoster(t, s); len(at.Data) == 0 {
		t.Error("DirSync needs no invocationId")
	}
	do(t, d.Modify(personDN(1), ldaptest.Attrs{"mail": {"a@example.test"}}))
	if b := changesSince(t, s, at); len(b.Records) != 1 || b.Full != "" {
		t.Errorf("%+v", b)
	}
	// No right at all for either: the read goes on, and says what is missing.
	d.Hide("invocationId", "highestCommittedUSN")
	c := configOf(t, d)
	c.Changes = ByUSN
	recs, res, err := readPeople(t.Context(), open(t, c))
	if err != nil || !res.Complete || len(recs) != 20 || !res.Cursor.IsZero() || len(res.Warnings) != 1 ||
		!strings.Contains(res.Warnings[0], "changes are only found by full reads: ldapsync: usn: ") || !strings.Contains(res.Warnings[0], "let the service account read") {
		t.Errorf("%d records, %+v, %v", len(recs), res, err)
	}
}

func TestDeletionsAreNotSeenWithoutTheRightTo(t *testing.T) {
	t.Parallel()
	d, s := companyAD(t, ldaptest.Options{}, func(c *Config) { c.Changes = ByUSN })
	d.HideEntries(func(dn string) bool { return strings.HasSuffix(dn, "CN=Deleted Objects,DC=example,DC=test") })
	detail := ""
	err := s.Check(t.Context(), func(st Step) {
		if st.Name == "changes" {
			detail = st.Detail
		}
	})
	if err != nil || !strings.HasPrefix(detail, "usn; deletions are found by full reads only: ") {
		t.Errorf("check: %q, %v", detail, err)
	}
	_, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete || len(res.Warnings) != 1 || !strings.HasPrefix(res.Warnings[0], "changes by usn: deletions are found by full reads only") {
		t.Errorf("read: %+v, %v", res, err)
	}
	at := res.Cursor
	do(t, d.Delete(personDN(1)))
	if b := changesSince(t, s, at); len(b.Records) != 0 || b.Full != "" {
		t.Errorf("%+v", b)
	}
}

func TestTooManyChangesNeedAFullRead(t *testing.T) {
	t.Parallel()
	for _, by := range []ChangesBy{ByDirSync, ByUSN} {
		d, s := companyAD(t, ldaptest.Options{}, func(c *Config) { c.Changes = by })
		_, at := readRoster(t, s)
		for i := 20; i <= 20+maxTouched; i++ {
			add(t, d, personDN(i), ldaptest.Attrs{"objectClass": {"user"}})
		}
		if b := changesSince(t, s, at); b.Full != tooMany || b.Records != nil {
			t.Errorf("%s: %q, %d records", by, b.Full, len(b.Records))
		}
	}
}

// Whatever goes wrong, there is an error and no batch, and nobody is gone for it.
func TestAFeedThatIsCutShortIsAnError(t *testing.T) {
	t.Parallel()
	for _, by := range []ChangesBy{ByDirSync, ByUSN, ByTimestamp} {
		for name, f := range map[string]ldaptest.Fault{
			"closed":          {Kind: ldaptest.Close},
			"closed later":    {Kind: ldaptest.Close, After: 2},
			"half a message":  {Kind: ldaptest.CutAtByte, After: 150},
			"garbage":         {Kind: ldaptest.Garbage, After: 1},
			"second question": {Kind: ldaptest.Close, Skip: 1},
			"third question":  {Kind: ldaptest.Close, Skip: 2},
			"size limit":      {Kind: ldaptest.Result, Code: 4, After: 1},
			"busy":            {Kind: ldaptest.Result, Code: 51},
			"disconnect":      {Kind: ldaptest.Disconnect, After: 1, Code: 52},
			"at the root DSE": {Kind: ldaptest.Close, Base: true},
		} {
			t.Run(string(by)+" "+name, func(t *testing.T) {
				t.Parallel()
				d, s := companyAD(t, ldaptest.Options{DirSyncPage: 4, MaxPageSize: 4}, func(c *Config) { c.Changes = by })
				_, at := readRoster(t, s)
				for i := range 10 {
					do(t, d.Modify(personDN(i), ldaptest.Attrs{"mail": {"new@example.test"}}))
				}
				d.SetFaults(f)
				if b, err := s.Changes(t.Context(), connector.ChangesRequest{Since: at}); err == nil || b != nil {
					t.Errorf("%+v, %v", b, err)
				}
				d.ClearFaults()
				if b := changesSince(t, s, at); len(b.Records) != 10 {
					t.Errorf("%d records", len(b.Records))
				}
			})
		}
	}
}

func TestNobodyIsGoneForAFeedBecauseTheAccountSeesLess(t *testing.T) {
	t.Parallel()
	d, s := companyAD(t, ldaptest.Options{}, func(c *Config) { c.Canaries = []string{personDN(5)} })
	_, at := readRoster(t, s)
	do(t, d.Modify(personDN(1), ldaptest.Attrs{"mail": {"new@example.test"}}), d.Delete(personDN(2)))
	gone := anchorOf(t, d, personDN(1))
	d.HideEntries(func(dn string) bool { return strings.HasPrefix(dn, "CN=p0000") })
	b := changesSince(t, s, at)
	if b.Full != "" || len(b.Records) != 0 {
		t.Errorf("%+v", b)
	}
	recs, err := s.Reread(t.Context(), []connector.Anchor{gone})
	if err != nil || len(recs) != 0 {
		t.Errorf("reread: %+v, %v", recs, err)
	}
	d.HideEntries(nil)
	nobody := connector.Anchor{Kind: connector.ObjectGUID, Raw: guid16}
	recs, err = s.Reread(t.Context(), []connector.Anchor{gone, nobody})
	if err != nil || len(recs) != 2 || recs[0].Gone == recs[1].Gone {
		t.Errorf("reread: %+v, %v", recs, err)
	}
}

func TestFollowEndsWithWhatEndsIt(t *testing.T) {
	t.Parallel()
	d, s := companyAD(t, ldaptest.Options{})
	_, at := readRoster(t, s)
	req := connector.ChangesRequest{Since: at}
	enough := errors.New("enough")
	if err := s.Follow(t.Context(), req, func(*connector.Batch) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("yield fails: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := s.Follow(ctx, req, func(*connector.Batch) error { cancel(enough); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("the context ends: %v", err)
	}
	err := s.Follow(t.Context(), req, func(*connector.Batch) error { d.DropConnections(); return nil })
	if k := connector.KindOf(err); k != connector.Incomplete && k != connector.Unavailable {
		t.Errorf("the connection is lost: %v", err)
	}
	n := 0
	err = s.Follow(t.Context(), connector.ChangesRequest{}, func(b *connector.Batch) error { n++; return nil })
	if n != 1 || connector.KindOf(err) != connector.Conflict {
		t.Errorf("without a cursor: %d batches, %v", n, err)
	}
}

// The bell makes a poll happen that would not come for an hour.
func TestAChangeRings(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *feedServer{"ldaptest": fakeAD(ldaptest.Options{}), "Samba": realSamba} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := startFeed(t, feedMaker{by: ByDirSync, start: start}, func(o *Options) { o.poll = time.Hour })
			have, at := readRoster(t, s)
			f := startFollow(t, s, at)
			end := time.Now().Add(time.Minute)
			for i := 0; len(f.batches) == 0; i++ { // the bell may not be out yet, and Samba rings every few seconds
				d.set("CN=anna,"+d.people(), "mail", fmt.Sprintf("ring%d@example.test", i))
				if time.Now().After(end) {
					t.Fatal("nothing rings")
				}
			}
			f.one(t, "ring", have)
			if err := f.stop(); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func TestIdleFeedChangesNothing(t *testing.T) {
	t.Parallel()
	for _, by := range []ChangesBy{ByDirSync, ByUSN} {
		d, s := companyAD(t, ldaptest.Options{}, func(c *Config) { c.Changes = by })
		_, at := readRoster(t, s)
		before := d.Counts().Searches
		if b := changesSince(t, s, at); !bytes.Equal(b.Cursor.Data, at.Data) || b.Entries != 0 {
			t.Errorf("%s: %+v", by, b)
		}
		if n := d.Counts().Searches - before; n > 5 {
			t.Errorf("%s: %d questions to learn that nothing has changed", by, n)
		}
		for i := range maxIdleUSN {
			add(t, d, fmt.Sprintf("CN=m%d,OU=Machines,DC=example,DC=test", i), ldaptest.Attrs{"objectClass": {"computer"}})
			if i == maxIdleUSN/2 {
				if b := changesSince(t, s, at); !bytes.Equal(b.Cursor.Data, at.Data) || len(b.Records) != 0 {
					t.Errorf("%s: the cursor moved on with what is nobody's: %+v", by, b)
				}
			}
		}
		if b := changesSince(t, s, at); bytes.Equal(b.Cursor.Data, at.Data) || len(b.Records) != 0 {
			t.Errorf("%s: the cursor stays behind for ever: %+v", by, b)
		}
	}
}

func TestFeedsLeaveNoGoroutines(t *testing.T) { //nolint:paralleltest // it counts the goroutines of all
	d, s := companyAD(t, ldaptest.Options{})
	_, at := readRoster(t, s)
	d.DropConnections()
	before := runtime.NumGoroutine()
	for range 5 {
		f := startFollow(t, s, at)
		if err := f.stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		changesSince(t, s, at)
	}
	d.DropConnections()
	goroutines(t, before)
}

func TestFilterAttributes(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"(mail=*)": "mail false",
		"(&(sAMAccountType=805306368)(!(department=Legal)) (|(a>=1)(b<=2)(c~=3)))":  "sAMAccountType department a b c false",
		`(&(memberOf:1.2.840.113556.1.4.1941:=CN=a\28b\29,DC=x)(cn;lang-de=x=y*z))`: "memberOf cn false",
		"(:dn:2.4.6.8.10:=Dino)": " true",
	} {
		names, all := filterAttributes(filter)
		if got := fmt.Sprintf("%s %t", strings.Join(names, " "), all); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

func FuzzDecodeDirSync(f *testing.F) {
	control := func(more int64, cookie string) []byte {
		return (&ldap.ControlDirSync{Criticality: true, Flags: more, Cookie: []byte(cookie)}).Encode().Bytes()
	}
	f.Add(control(1, "cookie"))
	f.Add(append(paging("x").Encode().Bytes(), control(0, "c")...))
	f.Add([]byte("\x30\x03\x04\x01x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeDirSync(b)
		if err != nil && (a.more || a.cookie != nil) {
			t.Fatalf("%x: %+v, %v", b, a, err)
		}
		if err == nil && (len(a.cookie) == 0 || !bytes.Contains(b, a.cookie)) {
			t.Fatalf("%x: cookie %x", b, a.cookie)
		}
	})
}

func FuzzCursor(f *testing.F) {
	p := dirSyncPlace{server: "dc", usn: 7, cookies: [][]byte{[]byte("a"), []byte("b")}}
	f.Add(p.encode())
	f.Add(usnPlace{usn: 7, server: "dc"}.encode())
	f.Add((&stampPlace{at: noon, seen: [][8]byte{{1}, {2}}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		parseCursor(connector.Cursor{Data: append([]byte{cursorVersion}, b...)})
		for _, m := range choices {
			m.make().older(b, b)
		}
		if d, ok := parseDirSyncPlace(b); ok && len(d.encode()) > len(b) {
			t.Fatalf("%x: %+v", b, d)
		}
	})
}
