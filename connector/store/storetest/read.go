package storetest

import (
	"strings"
	"time"

	"usherd/connector"
)

// pages lists all users of a query in pages of n.
func (f *fixture) pages(q connector.UserQuery, n int) string {
	f.Helper()
	var names []string
	q.Limit = n
	for {
		users, next, err := f.s.ListUsers(f.ctx, q)
		f.ok(err)
		if len(users) > n {
			f.Fatalf("a page of %d", len(users))
		}
		for _, u := range users {
			names = append(names, strings.TrimPrefix(u.UserName(), "User00000"))
		}
		if next == "" {
			return strings.Join(names, "")
		}
		q.After = next
	}
}

func listUsers(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 9}, connector.Package{ID: "tin", Seats: 9})
	var users []*connector.User
	for _, n := range []int{3, 1, 4, 2, 5, 9, 7} {
		pkg := "gold"
		if n > 4 {
			pkg = "tin"
		}
		c := Create(n, pkg, f.now)
		c.After.PendingApproval = n == 2 || n == 3 || n == 5 || n == 9
		c.Fields = connector.Diff(nil, c.After)
		f.save(c)
		users = append(users, c.After)
	}
	three := Deactivate(users[0], f.now)
	nine := Deactivate(users[5], f.now)
	f.save(three, nine)
	f.save(Next(connector.Removed, nine.After, f.now, func(u *connector.User) {
		u.State, u.PendingApproval = connector.Deleted, false
	}))
	for _, test := range []struct {
		q    connector.UserQuery
		want string
	}{
		{connector.UserQuery{}, "123457"},
		{connector.UserQuery{State: connector.Active}, "12457"},
		{connector.UserQuery{State: connector.Inactive}, "3"},
		{connector.UserQuery{State: connector.Deleted}, "9"},
		{connector.UserQuery{State: connector.Verified}, ""},
		{connector.UserQuery{Package: "gold"}, "3142"},
		{connector.UserQuery{Package: "gold", State: connector.Active}, "142"},
		{connector.UserQuery{Package: "gold", State: connector.Inactive}, "3"},
		{connector.UserQuery{Package: "tin"}, "57"},
		{connector.UserQuery{Search: "user", Package: "tin", State: connector.Active}, "57"},
		{connector.UserQuery{Pending: true}, "325"},
		{connector.UserQuery{Pending: true, State: connector.Active}, "25"},
		{connector.UserQuery{Pending: true, State: connector.Inactive}, "3"},
		{connector.UserQuery{Pending: true, Package: "gold"}, "32"},
		{connector.UserQuery{Pending: true, Search: "USER"}, "235"},
		{connector.UserQuery{Pending: true, State: connector.Deleted}, ""},
		{connector.UserQuery{Sort: connector.ByUserName}, "123457"},
		{connector.UserQuery{Sort: connector.ByUserName, Descending: true}, "754321"},
		{connector.UserQuery{Sort: connector.ByUserName, Descending: true, Package: "gold"}, "4321"},
		{connector.UserQuery{Sort: connector.ByUserName, Pending: true}, "235"},
		{connector.UserQuery{Sort: connector.ByUserName, State: connector.Deleted}, "9"},
		{connector.UserQuery{Sort: connector.ByUserName, Descending: true, Search: "user"}, "123457"},
	} {
		test.q.Org = Org
		for _, n := range []int{1, 2, 100} {
			if got := f.pages(test.q, n); got != test.want {
				f.Errorf("%+v in pages of %d: got %q, want %q", test.q, n, got, test.want)
			}
		}
	}
	counts, err := f.s.CountUsers(f.ctx, Org)
	f.ok(err)
	f.equal(counts, map[connector.State]int{connector.Active: 5, connector.Inactive: 1, connector.Deleted: 1})
	_, _, err = f.s.ListUsers(f.ctx, connector.UserQuery{Org: Org, After: "nonsense"})
	f.kind(err, connector.Invalid)
	_, _, err = f.s.ListUsers(f.ctx, connector.UserQuery{Org: Org, Sort: connector.ByCreated})
	f.kind(err, connector.Invalid)
}

// sortUsers lists by names, of which two are the same and two are missing, and by the last change, alone and with filters.
func sortUsers(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 9})
	var first *connector.User
	for i, name := range []string{"", "Bo", "", "ämil", "Bo", "ann"} { // of 1 to 6
		c := Create(i+1, "", f.now)
		if i > 2 {
			c = Create(i+1, "gold", f.now)
		}
		c.After.Profile.Set(connector.DisplayName, name)
		c.Fields = connector.Diff(nil, c.After)
		f.save(c)
		if i == 0 {
			first = c.After
		}
	}
	f.now = f.now.Add(time.Hour)
	f.save(Next(connector.Updated, first, f.now, func(u *connector.User) { u.Profile.Set("employeeNumber", "7") }))
	for _, test := range []struct {
		q        connector.UserQuery
		up, down string
	}{
		{connector.UserQuery{Sort: connector.ByDisplayName}, "625413", "314526"},
		{connector.UserQuery{Sort: connector.ByDisplayName, Package: "gold"}, "654", "456"},
		{connector.UserQuery{Sort: connector.ByDisplayName, State: connector.Inactive}, "", ""},
		{connector.UserQuery{Sort: connector.ByLastModified}, "234561", "165432"},
		{connector.UserQuery{Sort: connector.ByLastModified, Source: Source, Package: "gold"}, "456", "654"},
		{connector.UserQuery{Sort: connector.ByLastModified, Leaving: true}, "", ""},
	} {
		test.q.Org = Org
		for _, n := range []int{1, 2, 100} {
			for _, want := range []string{test.up, test.down} {
				if got := f.pages(test.q, n); got != want {
					f.Errorf("%+v in pages of %d: got %q, want %q", test.q, n, got, want)
				}
				test.q.Descending = !test.q.Descending
			}
		}
	}
}

func searchUsers(f *fixture) {
	add := func(n int, display, email string) {
		c := Create(n, "", f.now)
		c.After.Profile.Set(connector.DisplayName, display)
		c.After.Profile.Set("employeeNumber", "E"+strings.Repeat("7", n))
		if email != "" {
			c.After.Profile.Set(connector.Email, email)
		}
		c.Fields = connector.Diff(nil, c.After)
		f.save(c)
	}
	add(1, "Ärna Berg", "user.one@example.com")
	add(2, "User Two", "b@example.com")
	add(3, "Zed", "b3@example.com")
	for _, test := range []struct{ search, want string }{
		{"uSEr", "123"}, // all by user name; the e-mail and the display name that match too do not repeat them
		{"user.", "1"},
		{"user t", "2"},
		{"ärNA", "1"},
		{"B", "32"},
		{"b3", "3"},
		{"e7", "123"},
		{"e777", "3"},
		{"nobody", ""},
		{"%", ""},
	} {
		for _, n := range []int{1, 100} {
			if got := f.pages(connector.UserQuery{Org: Org, Search: test.search}, n); got != test.want {
				f.Errorf("%q in pages of %d: got %q, want %q", test.search, n, got, test.want)
			}
		}
	}
}

func findUsers(f *fixture) {
	c := Create(1, "", f.now)
	c.After.Profile.Set("employeeNumber", "E17")
	c.Fields = connector.Diff(nil, c.After)
	f.save(c)
	f.create(2, "")
	for _, key := range []string{
		c.After.ID.String(), "USER000001", " user000001 ", strings.ToUpper(c.After.Profile.Get(connector.Email)),
		c.Anchor.String(), strings.ToUpper(c.Anchor.String()),
	} {
		u, err := f.s.FindUser(f.ctx, Org, key)
		f.ok(err)
		f.equal(u.ID, c.After.ID)
	}
	for _, key := range []string{"", "User", AnchorOf(9).String(), f.run.String()} {
		_, err := f.s.FindUser(f.ctx, Org, key)
		f.kind(err, connector.NotFound)
	}
	twin := Create(3, "", f.now)
	twin.After.Profile.Set("employeeNumber", "e17")
	twin.Fields = connector.Diff(nil, twin.After)
	f.save(twin)
	users, err := f.s.UsersByKey(f.ctx, Org, []connector.UserKey{{Kind: "employeeNumber", Value: "e17"}, {Kind: connector.UserName, Value: "user000001"}})
	f.ok(err)
	f.equal(len(users), 2)
	_, err = f.s.UsersByKey(f.ctx, Org, []connector.UserKey{{Kind: "title", Value: "x"}})
	f.kind(err, connector.Invalid)
}

func usersDue(f *fixture) {
	var changes []*connector.Change
	for n := range 3 {
		u := f.create(n, "")
		changes = append(changes, Deactivate(u, f.now.Add(time.Duration(-n)*time.Hour)))
	}
	f.save(changes...)
	week := f.now.Add(7 * 24 * time.Hour)
	due := func(source string, until time.Time, limit int, keep ...string) string {
		q := connector.DueQuery{Org: Org, Source: source, Until: until, Limit: limit, Keep: keep}
		users, next, err := f.s.UsersDue(f.ctx, q)
		f.ok(err)
		n, err := f.s.CountDue(f.ctx, q)
		f.ok(err)
		for q.After = next; q.After != ""; q.After = next {
			var more []*connector.User
			more, next, err = f.s.UsersDue(f.ctx, q)
			f.ok(err)
			users = append(users, more...)
		}
		f.equal(len(users), n)
		var names strings.Builder
		for _, u := range users {
			names.WriteString(strings.TrimPrefix(u.UserName(), "User00000"))
		}
		return names.String()
	}
	f.equal(due("", week.Add(-3*time.Hour), 9), "")
	f.equal(due("", week.Add(-time.Hour), 9), "21")
	f.equal(due(Source, week, 9), "210")
	f.equal(due(Source, week, 2), "210")
	f.equal(due("", week, 1), "210")
	f.equal(due("", week, 9, "ldap"), "210")
	f.equal(due("", week, 9, "ldap", Source), "") // the source has them enabled: they would come back
	_, _, err := f.s.UsersDue(f.ctx, connector.DueQuery{Org: Org, Until: week, After: "x"})
	f.kind(err, connector.Invalid)
	f.equal(due("ldap", week, 9), "")
	f.save(Next(connector.Removed, changes[2].After, f.now, setState(connector.Deleted)))
	f.save(Reactivate(changes[1].After, f.now))
	f.equal(due("", week, 9), "0")
}
