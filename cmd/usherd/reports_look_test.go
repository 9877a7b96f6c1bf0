package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/notice"
)

// What lasts is found as it is in the store: each level of everything that administrators are told of.
func TestWhatLastsIsFound(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	a := &app{
		now: func() time.Time { return now }, configPath: filepath.Join(t.TempDir(), "usherd.yaml"),
		env: func(name string) (string, bool) { return "secret", name == "LDAP_PASSWORD" },
	}
	config := strings.Replace(quietConfig, "seats: unlimited", "seats: 10", 1)
	config = strings.Replace(config, "  sources:\n", "  sources:\n  - {id: entra, scim: {}}\n", 1)
	if err := os.WriteFile(a.configPath, []byte("reports: {seats_under: 3}\nscim: {listen: 127.0.0.1:0, url: https://scim.acme.test, behind_proxy: true}\n"+config), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(s.adopt(t.Context(), a))
	d := newDaemon(a, s, zap.NewNop(), nil)
	found := func() map[string]notice.Condition {
		t.Helper()
		list, err := d.conditions(t.Context(), s)
		ok(err)
		m := map[string]notice.Condition{}
		for _, c := range list {
			if c.Level > 0 {
				m[c.Topic] = c
			}
		}
		return m
	}
	level := func(topic string, want int) notice.Condition {
		t.Helper()
		c := found()[topic]
		if c.Level != want {
			t.Errorf("%s: level %d, want %d", topic, c.Level, want)
		}
		return c
	}
	if m := found(); len(m) != 0 {
		t.Errorf("%v", m)
	}
	put := func(f func(tx connector.Tx) error) {
		t.Helper()
		ok(s.db.Write(t.Context(), f))
	}

	for n := range 3 { // a source that fails
		r := &connector.Run{
			ID: connector.NewID(now), Org: "acme", Source: "hq", Mode: connector.ModeFull, Actor: connector.ActorSchedule, Result: connector.ResultFailed,
			Error: "no route", Hint: "see the cable", Revision: s.file.Revision, Started: now, Finished: now,
		}
		put(func(tx connector.Tx) error { return tx.PutRun(t.Context(), r) })
		if n < 2 {
			level("source/hq", 0)
		}
		now = now.Add(time.Minute)
	}
	if c := level("source/hq", 1); c.Data.Trouble.Runs != 3 || c.Data.Error != "no route" || c.Data.Source != "hq" {
		t.Errorf("%+v", c.Data)
	}

	for n, want := range []int{0, 0, 0, 0, 0, 0, 0, 1, 1, 2} { // ten people take the ten seats
		name := "u" + string(rune('a'+n))
		rec := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, DN: "uid=" + name, Enabled: connector.EnabledYes}
		for k, v := range map[string]string{"uid": name, "givenName": "A", "sn": "B", "mail": name + "@acme.test"} {
			rec.Attributes = append(rec.Attributes, connector.Attribute{Name: k, Values: [][]byte{[]byte(v)}})
		}
		ch, err := s.orgs[0].prov.Submit(t.Context(), "hq", rec, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
		if err != nil || len(ch.Failures) > 0 {
			t.Fatal(err, ch)
		}
		level("seats/standard", want)
	}
	if c := level("seats/standard", 2); c.Data.Seats.Total != 10 || c.Data.Seats.Used != 10 || c.Data.Seats.Free != 0 {
		t.Errorf("%+v", c.Data.Seats)
	}

	ok(s.db.AddToken(t.Context(), connector.Token{
		ID: connector.NewID(now), Org: "acme", Source: "entra", Kind: connector.BearerToken, Name: "main", Hash: connector.TokenHash{1}, Scopes: []string{"scim"}, CreatedAt: now, CreatedBy: "test", EndsAt: now.Add(31 * 24 * time.Hour),
	}))
	began := now
	for days, want := range map[int]int{0: 0, 1: 1, 20: 1, 24: 2, 29: 2, 30: 3, 31: 3, 37: 3, 39: 0} {
		now = began.AddDate(0, 0, days)
		got := 0
		for topic, c := range found() {
			if strings.HasPrefix(topic, "ends/token/entra/main/") {
				got = c.Level
				if c.Data.End.Days != max(31-days, 0) {
					t.Errorf("after %d days: %+v", days, c.Data.End)
				}
			}
		}
		if got != want {
			t.Errorf("after %d days: level %d, want %d", days, got, want)
		}
	}
	now = began

	dom := connector.Domain{Org: "acme", Name: "acme.test", Token: "x", AddedAt: now, CheckedAt: now}
	ok(s.db.AddDomain(t.Context(), dom))
	if c := level("domain/acme.test", 2); !c.Follows {
		t.Error("a domain that never was verified is told")
	}
	dom.VerifiedAt = now
	ok(s.db.PutDomain(t.Context(), dom))
	level("domain/acme.test", 0)
	dom.FailingSince = now
	ok(s.db.PutDomain(t.Context(), dom))
	if c := level("domain/acme.test", 1); !c.Data.Domain.KeptUntil.Equal(now.AddDate(0, 0, 7)) {
		t.Errorf("%+v", c.Data.Domain)
	}

	var all []connector.Mail
	for n := range 12 {
		m := connector.Mail{ID: connector.NewID(now), Org: "acme", Kind: connector.ReadyMail, To: "ann@acme.test", At: now}
		if n == 0 {
			m.Kind = connector.ReportMail
		}
		put(func(tx connector.Tx) error { return tx.PutMail(t.Context(), m) })
		all = append(all, m)
	}
	fail := func(list []connector.Mail) {
		for _, m := range list {
			m.State, m.DoneAt, m.Next = connector.MailFailed, now, now
			put(func(tx connector.Tx) error { _, err := tx.SetMail(t.Context(), m); return err })
		}
	}
	fail(all[:1])
	level("outbox", 0)
	fail(all[1:2])
	level("outbox", 1)
	fail(all[2:11])
	if c := level("outbox", 2); c.Data.Mails.GivenUp != 10 || c.Data.Mails.Stuck {
		t.Errorf("%+v", c.Data.Mails)
	}
	now = now.Add(time.Hour)
	level("outbox", 2) // nobody has tried the last one
	last := all[11]
	last.State, last.Answer, last.Next = connector.MailWaiting, "connection refused", last.At
	put(func(tx connector.Tx) error { _, err := tx.SetMail(t.Context(), last); return err })
	level("outbox", 4)
	fail([]connector.Mail{last})
	now = now.Add(23*time.Hour + time.Minute)
	level("outbox", 1) // the last one is not a day ago
	if s.reports().Organizations == nil || !slices.Equal(s.reports().Organizations, []string{"acme"}) {
		t.Errorf("%+v", s.reports())
	}
}
