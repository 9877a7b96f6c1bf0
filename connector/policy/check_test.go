package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func ann() connector.Profile {
	return connector.Profile{
		connector.UserName: {"ann"}, connector.GivenName: {"Ann"}, connector.FamilyName: {"Lee"},
		connector.Email: {"ann@example.com"},
	}
}

func org() *connector.Organization {
	return &connector.Organization{
		ID: "acme", PartnerID: "P1",
		Packages: []connector.Package{{ID: "basic", Seats: 5}, {ID: "pro", Seats: connector.Unlimited}},
	}
}

func record(name string) *connector.Record {
	return &connector.Record{DN: "CN=Ann,OU=Staff", Attributes: []connector.Attribute{{Name: name, Values: [][]byte{[]byte("x")}}}}
}

// held makes a Holder of "kind:value" -> who.
func held(keys map[string]string) func(connector.UserKey) (string, bool) {
	return func(k connector.UserKey) (string, bool) {
		who, ok := keys[k.Kind+":"+k.Value]
		return who, ok
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Input)
		want   []connector.Failure // Code, Org, Source and Subject are filled in below
	}{
		"a whole person": {func(*Input) {}, nil},
		"no partner id": {
			func(in *Input) { in.Org.PartnerID = " " },
			[]connector.Failure{{Reason: connector.PartnerIDMissing}},
		},
		"a record with member status": {
			func(in *Input) { in.Record = record("Member-Status;lang-en") },
			[]connector.Failure{{Reason: connector.MemberStatusPresent, Fields: []string{"memberStatus"}, Detail: `the record carries "Member-Status;lang-en"`}},
		},
		"an asked-for member status without a value": {
			func(in *Input) {
				in.Record = &connector.Record{Attributes: []connector.Attribute{{Name: "memberStatus"}}}
			}, nil,
		},
		"a mapping that gives member status": {
			func(in *Input) { in.Profile["custom.Member Status"] = []string{"x"} },
			[]connector.Failure{{Reason: connector.MemberStatusPresent, Fields: []string{"memberStatus"}, Detail: `the mapping gives "custom.Member Status"`}},
		},
		"everything required is missing": {
			func(in *Input) {
				in.Org.Required = []string{"department", "uid", "custom.updateTimestamp", "email", "department"}
				in.Profile = connector.Profile{connector.UserName: {"ann"}, connector.GivenName: {" \t "}}
			},
			[]connector.Failure{{Reason: connector.RequiredMissing, Fields: []string{"givenName", "familyName", "email", "department"}}},
		},
		"what is faulty is not missing too": {
			func(in *Input) {
				delete(in.Profile, connector.FamilyName)
				in.Faults = []connector.AttributeFault{
					{Attribute: connector.FamilyName, Reason: connector.AttributeTooLong, Detail: "at most 128 characters"},
					{Attribute: "hireDate", Reason: connector.AttributeInvalid, Detail: "no date"},
					{Attribute: "photo", Reason: connector.AttributeInvalid},
				}
			},
			[]connector.Failure{
				{Reason: connector.AttributeInvalid, Fields: []string{"hireDate", "photo"}, Detail: "hireDate: no date"},
				{Reason: connector.AttributeTooLong, Fields: []string{"familyName"}, Detail: "familyName: at most 128 characters"},
			},
		},
		"an address that is none, held or not": {
			func(in *Input) {
				in.Profile[connector.Email] = []string{"n/a"}
				in.Holder = held(map[string]string{"email:n/a": "Bo"})
			},
			[]connector.Failure{{Reason: connector.EmailInvalid, Fields: []string{"email"}, Detail: "the address has no @: it must look like ann@example.com"}},
		},
		"names and addresses of others, case-folded": {
			func(in *Input) {
				in.Profile[connector.UserName] = []string{"ANN"}
				in.Profile[connector.Email] = []string{"Ann@Example.com"}
				in.Profile[connector.OtherEmails] = []string{"a@example.com", "b@example.com", "free@example.com"}
				in.Holder = held(map[string]string{
					"userName:ann": "Bo", "email:ann@example.com": "Cy", "email:a@example.com": "Cy", "email:b@example.com": "",
				})
			},
			[]connector.Failure{
				{Reason: connector.UserNameTaken, Fields: []string{"userName"}, Detail: "also carried by Bo"},
				{Reason: connector.EmailTaken, Fields: []string{"email", "otherEmails"}, Detail: "also carried by Cy; also carried by another user"},
			},
		},
		"domains of others": {
			func(in *Input) {
				in.Profile[connector.OtherEmails] = []string{"a@Bücher.example", "b@mine.example"}
				in.Domains = map[string]connector.DomainStanding{
					"example.com": {ClaimedElsewhere: true}, "xn--bcher-kva.example": {ClaimedElsewhere: true}, "mine.example": {Verified: true},
				}
			},
			[]connector.Failure{{
				Reason: connector.DomainClaimedElsewhere, Fields: []string{"email", "otherEmails"}, Domain: "example.com",
				Detail: "domains claimed by other organizations: example.com, xn--bcher-kva.example",
			}},
		},
		"a package of nobody": {
			func(in *Input) { in.Package = "gold" },
			[]connector.Failure{{Reason: connector.PackageUnknown, Package: "gold", Detail: "the organization has basic, pro"}},
		},
		"a package where there are none": {
			func(in *Input) { in.Package, in.Org.Packages = "gold", nil },
			[]connector.Failure{{Reason: connector.PackageUnknown, Package: "gold", Detail: "the organization has no packages"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := Input{Org: org(), Source: &connector.SourceSettings{ID: "ad"}, Profile: ann(), Package: "pro", Code: connector.CodeUpdate}
			tt.change(&in)
			for i := range tt.want {
				f := &tt.want[i]
				f.Code, f.Org, f.Source, f.Subject = connector.CodeUpdate, "acme", "ad", in.Profile.Subject()
			}
			if diff := cmp.Diff(tt.want, Check(in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllFailuresComeAtOnceInOrder(t *testing.T) {
	t.Parallel()
	o := org()
	o.PartnerID = ""
	in := Input{
		Org: o, Record: record("MEMBERSTATUS"), Package: "gold", Code: connector.CodeCreation,
		Profile: connector.Profile{
			connector.UserName: {"ann"}, connector.Email: {"x@y@z"}, connector.OtherEmails: {"a@taken.example"},
		},
		Faults: []connector.AttributeFault{
			{Attribute: "fax", Reason: connector.AttributeTooLong}, {Attribute: "photo", Reason: connector.AttributeInvalid},
		},
		Domains: map[string]connector.DomainStanding{"taken.example": {ClaimedElsewhere: true}},
		Holder:  func(connector.UserKey) (string, bool) { return "Bo", true },
	}
	want := []connector.Reason{
		connector.PartnerIDMissing, connector.MemberStatusPresent, connector.RequiredMissing, connector.AttributeInvalid,
		connector.AttributeTooLong, connector.EmailInvalid, connector.UserNameTaken, connector.EmailTaken,
		connector.DomainClaimedElsewhere, connector.PackageUnknown,
	}
	var got []connector.Reason
	for _, f := range Check(in) {
		got = append(got, f.Reason)
		if f.Code != connector.CodeCreation || f.Subject != "ann" || f.Org != "acme" || f.Source != "" {
			t.Errorf("%s is not filled: %+v", f.Reason, f)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSubjectIsTheDNWhereNothingElseNamesThePerson(t *testing.T) {
	t.Parallel()
	got := Check(Input{Org: org(), Record: record("cn"), Profile: connector.Profile{}})
	if len(got) != 1 || got[0].Subject != "CN=Ann,OU=Staff" {
		t.Errorf("got %+v", got)
	}
}

func TestDetailsAreBounded(t *testing.T) {
	t.Parallel()
	p := ann()
	for i := range 1000 {
		p[connector.OtherEmails] = append(p[connector.OtherEmails], strings.Repeat("x", 65+i)+"@example.com")
	}
	got := Check(Input{Org: org(), Profile: p})
	if len(got) != 1 || len(got[0].Detail) > 500 || !strings.HasSuffix(got[0].Detail, "; and more") {
		t.Errorf("got %+v", got)
	}
}

func TestMemberStatusInAnySpelling(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"memberStatus": true, "Member Status": true, "MEMBER_STATUS": true, "member-status2": true, "custom.memberStatus": true,
		"http://example.com/claims/MemberStatus": true, "urn:example:User:memberStatus": true, "memberStatus;x-a": true,
		"memberStatuses": false, "status": false, "": false, "xmemberStatus": false, "memberOf": false, "mémberStatus": false,
	}
	for name, want := range tests {
		if got := isMemberStatus(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	in := Input{
		Org: org(), Source: &connector.SourceSettings{ID: "ad"}, Record: record("mail"), Profile: ann(), Package: "pro",
		Code: connector.CodeCreation, Holder: func(connector.UserKey) (string, bool) { return "", false },
	}
	b.ReportAllocs()
	for b.Loop() {
		if Check(in) != nil {
			b.Fatal("refused")
		}
	}
}
