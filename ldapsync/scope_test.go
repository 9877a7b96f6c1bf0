package ldapsync

import "testing"

func TestScope(t *testing.T) {
	t.Parallel()
	const base = "DC=lab,DC=test"
	people := Config{Bases: []string{base}, IncludeOUs: []string{"OU=People,DC=lab,DC=test"}}
	nested := Config{
		Bases:      []string{base},
		IncludeOUs: []string{"OU=People,DC=lab,DC=test", "OU=Keep,OU=Temp,OU=People,DC=lab,DC=test"},
		ExcludeOUs: []string{"ou=temp, ou=people, dc=lab, dc=test"},
	}
	excluded := Config{Bases: []string{base}, ExcludeOUs: []string{`OU=Service\, old,DC=lab,DC=test`}}
	for _, c := range []struct {
		config Config
		dn     string
		want   string
	}{
		{Config{Bases: []string{base}}, "CN=Ann,DC=lab,DC=test", ""},
		{Config{Bases: []string{base}}, "CN=Ann,DC=lab2,DC=test", "it stands below none of the bases"},
		{Config{Bases: []string{"DC=other", base}}, "CN=Ann,DC=lab,DC=test", ""},
		{people, "CN=Ann,OU=Sales,OU=PEOPLE,DC=LAB,DC=test", ""},
		{people, "CN=Ann,OU=NotPeople,DC=lab,DC=test", "it stands in none of include_ous"},
		{nested, "CN=Ann,OU=People,DC=lab,DC=test", ""},
		{nested, "CN=Ann,OU=x,OU=Temp,OU=People,DC=lab,DC=test", "it stands in ou=temp, ou=people, dc=lab, dc=test, which exclude_ous leaves out"},
		{nested, "CN=Ann,OU=Keep,OU=Temp,OU=People,DC=lab,DC=test", ""},
		{nested, "CN=Ann,OU=Other,DC=lab,DC=test", "it stands in none of include_ous"},
		{excluded, "CN=Ann,OU=People,DC=lab,DC=test", ""},
		{excluded, `CN=Ann,OU=Service\2C old,DC=lab,DC=test`, `it stands in OU=Service\, old,DC=lab,DC=test, which exclude_ous leaves out`},
	} {
		s, err := newScope(&c.config)
		if err != nil {
			t.Fatal(err)
		}
		folded, err := foldDN(c.dn)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.outside([]byte(folded)); got != c.want {
			t.Errorf("outside(%q) = %q, want %q", c.dn, got, c.want)
		}
	}
}

func BenchmarkScope(b *testing.B) {
	s, err := newScope(&Config{
		Bases:      []string{"DC=lab,DC=example,DC=test"},
		IncludeOUs: []string{"OU=People,DC=lab,DC=example,DC=test"},
		ExcludeOUs: []string{"OU=Service,OU=People,DC=lab,DC=example,DC=test", "OU=Old,OU=People,DC=lab,DC=example,DC=test"},
	})
	if err != nil {
		b.Fatal(err)
	}
	dn := []byte(`CN=Anna Bauer (u0000001),OU=Sales,OU=People,DC=lab,DC=example,DC=test`)
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = appendDN(buf[:0], dn)
		if s.outside(buf) != "" {
			b.Fatal("out of scope")
		}
	}
}
