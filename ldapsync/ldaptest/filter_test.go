package ldaptest

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxPageSize: -1})
	b := s.Base()
	add(t, s, "CN=Anna,OU=P,"+b, Attrs{"mail": {"Anna.Berg@example.test"}, "telephoneNumber": {"+46 8-55"}, "userAccountControl": {"514"}})
	add(t, s, `CN=Bauer\, Max,OU=P,`+b, Attrs{"sn": {"Bäuer"}, "uSNmark": {"7"}, "manager": {"CN=Anna,OU=P," + b}, "userAccountControl": {"66048"}})
	add(t, s, "CN=PC1$,OU=P,"+b, Attrs{"objectClass": {"computer"}})
	add(t, s, "CN=Inner,OU=G,"+b, Attrs{"objectClass": {"group"}, "member": {"CN=Anna,OU=P," + b}})
	add(t, s, "CN=Outer,OU=G,"+b, Attrs{"objectClass": {"group"}, "member": {"cn=inner, ou=G," + b, `CN=Bauer\2C Max,OU=P,` + b}})
	if err := s.AddValues("CN=Inner,OU=G,"+b, "member", "CN=Outer,OU=G,"+b); err != nil { // a circle
		t.Fatal(err)
	}
	guid, _ := s.Anchor("CN=Anna,OU=P," + b)
	c := bound(t, s)
	for filter, want := range map[string]string{
		"(mail=anna.berg@EXAMPLE.test)":                        "CN=Anna",
		"(sn=BÄUER)":                                           `CN=Bauer\, Max`,
		"(mail=*BERG*test)":                                    "CN=Anna",
		"(mail=anna*x)":                                        "",
		"(&(mail=*)(!(sn=x)))":                                 "CN=Anna",
		"(|(cn=anna)(cn=pc1$))":                                "CN=Anna CN=PC1$",
		"(&(objectCategory=person)(objectClass=user))":         `CN=Anna CN=Bauer\, Max`,
		"(objectClass=user)":                                   `CN=Anna CN=Bauer\, Max CN=PC1$`,
		"(sAMAccountType=805306369)":                           "CN=PC1$",
		"(userAccountControl:1.2.840.113556.1.4.803:=2)":       "CN=Anna",
		"(userAccountControl:1.2.840.113556.1.4.804:=65538)":   `CN=Anna CN=Bauer\, Max`,
		"(&(sn=*)(userAccountControl>=66048))":                 `CN=Bauer\, Max`,
		"(&(mail=*)(userAccountControl<=1000))":                "CN=Anna",
		"(telephoneNumber=+46855)":                             "CN=Anna",
		"(manager=cn=ANNA , ou=p," + b + ")":                   `CN=Bauer\, Max`,
		`(distinguishedName=CN=Bauer\5c2C Max,OU=P,` + b + ")": `CN=Bauer\, Max`,
		"(memberOf=CN=Inner,OU=G," + b + ")":                   "CN=Anna CN=Outer",
		"(&(objectClass=user)(memberOf:" + ruleInChain + ":=CN=Outer,OU=G," + b + "))": `CN=Anna CN=Bauer\, Max`,
		"(member:" + ruleInChain + ":=CN=Anna,OU=P," + b + ")":                         "CN=Inner CN=Outer",
		"(objectGUID=" + ldap.EscapeFilter(string(guid[:])) + ")":                      "CN=Anna",
		"(msDS-User-Account-Control-Computed=*)":                                       "",
		"(!(msDS-User-Account-Control-Computed=0))":                                    "",
		"(!(nobody=has))":  "all",
		"(nobody=has)":     "",
		"(isDeleted=TRUE)": "",
	} {
		r, err := c.Search(request(b, filter, "1.1"))
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if want == "all" {
			if len(r.Entries) < 9 {
				t.Errorf("%s: %v", filter, names(r))
			}
			continue
		}
		if diff := cmp.Diff(want, strings.Join(names(r), " ")); diff != "" {
			t.Errorf("%s: %s", filter, diff)
		}
	}
}

func TestHiddenAttributesAreMissingAndUndefined(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	add(t, s, "CN=Anna,OU=P,"+s.Base(), Attrs{"mail": {"a@example.test"}})
	s.Hide("userAccountControl")
	c := bound(t, s)
	r, err := c.Search(request(s.Base(), "(cn=anna)"))
	if err != nil || len(r.Entries) != 1 {
		t.Fatal(r, err)
	}
	if v := r.Entries[0].GetAttributeValues("userAccountControl"); len(v) != 0 {
		t.Errorf("hidden attribute has %v", v)
	}
	for _, f := range []string{"(userAccountControl=512)", "(!(userAccountControl=514))"} {
		if r, err := c.Search(request(s.Base(), f)); err != nil || len(r.Entries) != 0 {
			t.Errorf("%s finds %v, %v", f, names(r), err)
		}
	}
	s.Hide()
	s.HideEntries(func(dn string) bool { return strings.HasPrefix(dn, "CN=Anna") })
	if r, err := c.Search(request(s.Base(), "(cn=anna)")); err != nil || len(r.Entries) != 0 {
		t.Errorf("hidden entry: %v, %v", names(r), err)
	}
	s.SetRights(admin, Rights{})
	if r, err := c.Search(request(s.Base(), "(userAccountControl=512)")); err != nil || len(r.Entries) != 1 {
		t.Errorf("rights of one's own: %v, %v", r, err)
	}
}

func TestAttributeSelection(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Kind: OpenLDAP, Bases: []string{"dc=example,dc=test"}})
	add(t, s, `cn=Bauer\, Anna,ou=p,dc=example,dc=test`, Attrs{"mail": {"a@example.test"}, "cn;lang-de": {"Bäuerin"}})
	c := bound(t, s)
	for list, want := range map[string]string{
		"":                 "cn cn;lang-de mail objectClass",
		"*":                "cn cn;lang-de mail objectClass",
		"1.1":              "",
		"CN":               "cn cn;lang-de",
		"+":                "createTimestamp entryCSN entryDN entryUUID hasSubordinates modifyTimestamp structuralObjectClass",
		"mail entryuuid +": "createTimestamp entryCSN entryDN entryUUID hasSubordinates mail modifyTimestamp structuralObjectClass",
	} {
		r, err := c.Search(request(s.Base(), "(mail=*)", strings.Fields(list)...))
		if err != nil || len(r.Entries) != 1 {
			t.Fatal(r, err)
		}
		if want := `cn=Bauer\2C Anna,ou=p,dc=example,dc=test`; r.Entries[0].DN != want {
			t.Errorf("DN %s, want %s", r.Entries[0].DN, want)
		}
		have := map[string]bool{}
		for _, a := range r.Entries[0].Attributes {
			have[a.Name] = true
		}
		for n := range strings.FieldsSeq(want) {
			if !have[n] {
				t.Errorf("%q: %s is missing", list, n)
			}
			delete(have, n)
		}
		if len(have) > 0 {
			t.Errorf("%q: %v too many", list, have)
		}
	}
	only := request(s.Base(), "(mail=*)", "mail")
	only.TypesOnly = true
	if r, err := c.Search(only); err != nil || len(r.Entries[0].Attributes) != 1 || len(r.Entries[0].Attributes[0].Values) != 0 {
		t.Errorf("types only: %v %v", r, err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, filter := range []string{"(cn=*)", "(&(a=b*c*d)(!(e>=1))(|(f<=2)(g~=h)))", "(m:1.2.840.113556.1.4.803:=2)"} {
		p, err := ldap.CompileFilter(filter)
		if err != nil {
			f.Fatal(err)
		}
		w := writer{long: true}
		w.int(tagInt, 7)
		at := w.open(opSearch)
		w.str(tagOctets, "DC=example,DC=test")
		w.int(tagEnum, 2)
		w.int(tagEnum, 0)
		w.int(tagInt, 0)
		w.int(tagInt, 0)
		w.bool(false)
		w.b = append(w.b, p.Bytes()...)
		list := w.open(tagSequence)
		w.str(tagOctets, "member;range=0-*")
		w.shut(list)
		w.shut(at)
		c := w.open(0xa0)
		w.b = append(w.b, ldap.NewControlPaging(100).Encode().Bytes()...)
		w.shut(c)
		f.Add(w.b)
	}
	s, err := Start(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	if err := s.Add("CN=Anna,OU=P,DC=example,DC=test", Attrs{"mail": {"a@example.test"}}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b)
		if err != nil || m.op != opSearch {
			return
		}
		req, err := parseSearch(m.body)
		if err != nil {
			return
		}
		q := &query{c: &conn{s: s, pages: map[string]*page{}}, m: m, req: req}
		if q.readControls().code != 0 || q.start().code != 0 {
			return
		}
		var w writer
		for _, e := range s.tree.slots {
			if q.visible(e) {
				q.entry(&w, e, nil)
			}
		}
		for r := (reader{b: w.b}); r.more(); {
			r.want(tagSequence)
			if r.bad {
				t.Fatal("the answer is malformed")
			}
		}
	})
}
