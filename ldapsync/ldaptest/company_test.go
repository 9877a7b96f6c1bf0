package ldaptest

import (
	"strings"
	"testing"
)

func TestPeopleAreUnique(t *testing.T) {
	t.Parallel()
	const n = 20000
	cns, logons, mails := map[string]bool{}, map[string]bool{}, map[string]int{}
	var disabled, expired, noName, noMail, other, shared int
	count := func(c *int, is bool) {
		if is {
			*c++
		}
	}
	for p := range People(PeopleOptions{People: n, Seed: 7}) {
		cns[p.CN], logons[p.LogonName] = true, true
		mails[p.Mail]++
		count(&shared, p.Mail != "" && mails[p.Mail] == 2)
		count(&disabled, p.Disabled)
		count(&expired, p.Expired)
		count(&noName, p.Surname == "")
		count(&noMail, p.Mail == "")
		count(&other, strings.HasSuffix(p.Mail, "@nordlys-labs.example"))
		for _, c := range []byte(p.Mail) {
			if c >= 0x80 || c == ' ' {
				t.Fatalf("address %q", p.Mail)
			}
		}
	}
	if len(cns) != n || len(logons) != n {
		t.Errorf("%d names and %d logon names of %d people", len(cns), len(logons), n)
	}
	for what, c := range map[string]int{"disabled": disabled, "expired": expired, "without surname": noName, "without mail": noMail, "of the other domain": other, "sharing a mail": shared} {
		if c == 0 || c > n/10 {
			t.Errorf("%d people %s", c, what)
		}
	}
}

func TestCompanyLives(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{ActiveDirectory, OpenLDAP, DS389} {
		s := start(t, Options{Kind: kind, MaxPageSize: -1})
		c, err := s.Populate(PeopleOptions{People: 300, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			name string
			do   func(int) ([]string, error)
			n    int
		}{{"hire", c.Hire, 20}, {"fire", c.Fire, 30}, {"move", c.Move, 40}, {"rename", c.Rename, 50}, {"disable", c.Disable, 10}, {"fire again", c.Fire, 5}} {
			dns, err := step.do(step.n)
			if err != nil || len(dns) != step.n {
				t.Fatalf("kind %d: %s: %d, %v", kind, step.name, len(dns), err)
			}
		}
		r, err := bound(t, s).Search(request(s.Base(), "(employeeID=*)", "department"))
		if err != nil || len(r.Entries) != 285 || c.Size() != 285 {
			t.Errorf("kind %d: %d people, %d in the company, %v", kind, len(r.Entries), c.Size(), err)
		}
		members := 0
		for _, d := range c.g.departments {
			e, ok := s.Entry(c.group(d.name))
			if !ok {
				t.Fatalf("no group of %s", d.name)
			}
			for _, m := range e["member"] {
				members++
				who, ok := s.Entry(m)
				if !ok || who["department"][0] != d.name {
					t.Errorf("kind %d: member %q of %s is %v", kind, m, d.name, who["department"])
				}
			}
		}
		if members != 285 {
			t.Errorf("kind %d: %d members", kind, members)
		}
		if got := c.Find("head", 5); got != nil {
			t.Errorf("found %v", got)
		}
	}
}
