package storetest

import (
	"strings"

	"usherd/connector"
)

// filterUsers asks for people by source, domain, open failures and grace period, alone and together, and counts them.
func filterUsers(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 9})
	var users []*connector.User
	for _, n := range []int{3, 1, 4, 2, 5} {
		pkg := ""
		if n > 2 {
			pkg = "gold"
		}
		c := Create(n, pkg, f.now)
		c.After.Profile.Set(connector.Email, strings.Repeat("x", n)+"@"+[]string{"a.test", "sub.a.test", "xa.test"}[n%3])
		c.Fields = connector.Diff(nil, c.After)
		f.save(c)
		users = append(users, c.After)
	}
	second := func(u *connector.User, raw string) { // another record of the same source, and one of hr
		for _, source := range []string{Source, "hr"} {
			c := &connector.Change{Action: connector.Unchanged, Org: Org, Source: source, Subject: raw, Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: raw}}
			c.Link = &connector.Link{Org: Org, Source: source, Anchor: c.Anchor, User: u.ID, Standing: connector.StandingEnabled, UpdatedAt: f.now}
			f.save(c)
		}
	}
	second(users[0], "three")
	second(users[3], "two")
	failing := func(u *connector.User, reasons ...connector.Reason) {
		c := &connector.Change{Action: connector.Failed, Org: Org, Source: Source, Subject: u.UserName(), Anchor: connector.AnchorOf(u.ID)}
		for _, r := range reasons {
			c.Failures = append(c.Failures, connector.Failure{Code: connector.CodeUpdate, Reason: r, UserID: u.ID, Subject: u.UserName()})
		}
		f.save(c)
	}
	failing(users[1], connector.EmailTaken, connector.UserNameTaken)
	failing(users[3], connector.EmailTaken)
	for i, days := range map[int]int{0: 2, 4: 1} {
		c := Deactivate(users[i], f.now)
		c.After.DeleteAt = f.now.AddDate(0, 0, days)
		c.Fields = connector.Diff(users[i], c.After)
		f.save(c)
	}
	for _, test := range []struct {
		q    connector.UserQuery
		want string
	}{
		{connector.UserQuery{Source: Source}, "31425"},
		{connector.UserQuery{Source: "hr"}, "32"},
		{connector.UserQuery{Source: "hr", State: connector.Active}, "2"},
		{connector.UserQuery{Source: "hr", State: connector.Inactive}, "3"},
		{connector.UserQuery{Source: "hr", Search: "user"}, "23"},
		{connector.UserQuery{Source: "hr", Failing: true}, "2"},
		{connector.UserQuery{Source: "nowhere"}, ""},
		{connector.UserQuery{Domain: "A.test."}, "314"},
		{connector.UserQuery{Domain: "sub.a.test"}, "14"},
		{connector.UserQuery{Domain: "a.test", Package: "gold"}, "34"},
		{connector.UserQuery{Domain: "test", Source: "hr"}, "32"},
		{connector.UserQuery{Failing: true}, "12"},
		{connector.UserQuery{Reason: connector.EmailTaken}, "12"},
		{connector.UserQuery{Reason: connector.UserNameTaken}, "1"},
		{connector.UserQuery{Reason: connector.UserNameTaken, Search: "user", Source: Source}, "1"},
		{connector.UserQuery{Reason: connector.NoSeat}, ""},
		{connector.UserQuery{Leaving: true}, "53"},
		{connector.UserQuery{Leaving: true, Source: "hr"}, "3"},
		{connector.UserQuery{Leaving: true, State: connector.Active}, ""},
		{connector.UserQuery{Leaving: true, Search: "user"}, "35"},
	} {
		test.q.Org = Org
		for _, n := range []int{1, 2, 100} {
			if got := f.pages(test.q, n); got != test.want {
				f.Errorf("%+v in pages of %d: got %q, want %q", test.q, n, got, test.want)
			}
		}
	}
	for _, test := range []struct {
		q          connector.UserQuery
		most, want int
		more       bool
	}{
		{connector.UserQuery{Source: Source}, 9, 5, false},
		{connector.UserQuery{Source: Source}, 3, 3, true},
		{connector.UserQuery{Source: "hr"}, 2, 2, false},
		{connector.UserQuery{Package: "gold"}, 9, 3, false},
		{connector.UserQuery{Failing: true}, 9, 2, false},
		{connector.UserQuery{Leaving: true}, 1, 1, true},
	} {
		test.q.Org = Org
		n, more, err := f.s.CountUsersOf(f.ctx, test.q, test.most)
		f.ok(err)
		if n != test.want || more != test.more {
			f.Errorf("%+v up to %d: %d, %v", test.q, test.most, n, more)
		}
	}
	_, _, err := f.s.CountUsersOf(f.ctx, connector.UserQuery{Org: Org}, 9)
	f.kind(err, connector.Invalid)
}
