package report_test

import (
	"encoding/base64"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var start = time.Date(2026, 11, 22, 3, 0, 4, 0, time.UTC)

func id(n byte) connector.ID {
	return connector.ID{0x01, 0x93, 0x4f, 6: 0x70, 8: 0x80, 12: 0x1a, 13: 0x2b, 14: 0x3c, 15: n}
}

func anchor(n byte) connector.Anchor {
	return connector.Anchor{Kind: connector.EntryUUID, Raw: string([]byte{n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})}
}

func set(field, before, after string) connector.FieldChange {
	f := connector.FieldChange{Field: field}
	if before != "" {
		f.Before = strings.Split(before, "|")
	}
	if after != "" {
		f.After = strings.Split(after, "|")
	}
	return f
}

func user(n byte, name, pkg string, state connector.State) *connector.User {
	return &connector.User{ID: id(n), Org: "acme", Profile: connector.Profile{connector.UserName: {name}}, State: state, Package: pkg}
}

func refusal(n byte, reason connector.Reason, subject string) connector.Failure {
	return connector.Failure{
		Code: connector.CodeCreation, Reason: reason, Org: "acme", Source: "corp-ad", Subject: subject,
		Ref: connector.NewRef(id(n).String()), At: start.Add(time.Minute),
	}
}

// sampleRun is a full run in which a bit of everything happened, with values that people really have
// and some that an attacker would choose.
func sampleRun() (*connector.Run, []*connector.Change) {
	run := &connector.Run{
		ID: id(0x4d), Org: "acme", Source: "corp-ad", Mode: connector.ModeFull, Actor: "schedule", Result: connector.ResultHeld,
		Counts: connector.Counts{Created: 2, Updated: 2, Reactivated: 1, Unchanged: 4708, Skipped: 61, Failed: 4, Held: 82},
		Skips:  map[connector.SkipReason]int{connector.SkipProtected: 12, connector.SkipNewButDisabled: 49},
		Seats: []connector.SeatCount{
			{Package: "standard", Name: "Standard", Seats: 200, Used: 200, Waiting: 7},
			{Package: "basic", Name: "Basic", Seats: 5000, Used: 4312},
			{Package: "guests", Name: "客户 Guests", Seats: connector.Unlimited, Used: 31},
		},
		Warnings: []string{"12 referrals ignored", "the attribute <mobile> may not be read by the bind account"},
		Server:   "ldaps://dc1.example.com", Entries: 4860, Revision: "41",
		Hold: &connector.Hold{
			Reason: "82 removals are more than 10 and more than 5 % of 1,000 users", Digest: "ab12", Expires: start.Add(24 * time.Hour), Status: connector.HoldOpen,
		},
		Started: start, Finished: start.Add(103 * time.Second),
		Phases: []connector.Phase{
			{Name: "connect", Took: 200 * time.Millisecond},
			{Name: "search", Took: 18 * time.Second},
			{Name: "compare", Took: 2100 * time.Millisecond},
			{Name: "apply", Took: 81 * time.Second},
			{Name: "report", Took: 400 * time.Millisecond},
		},
	}
	return run, sampleChanges()
}

func sampleChanges() []*connector.Change {
	photo := base64.StdEncoding.EncodeToString(make([]byte, 12345))
	seat := refusal(9, connector.NoSeat, "olu")
	seat.Package = "standard"
	missing := refusal(10, connector.RequiredMissing, "")
	missing.Fields = []string{connector.GivenName, connector.Email}
	evil := refusal(11, connector.EmailInvalid, "<script>alert(1)</script>")
	evil.Fields, evil.Detail = []string{connector.Email}, `the address holds "<" and a control character`
	upd := refusal(12, connector.AmbiguousMatch, "zoë")
	upd.Code, upd.UserID, upd.Detail = connector.CodeUpdate, id(12), "also carried by CN=Zoë B,OU=Old,DC=example,DC=com"
	list := []*connector.Change{
		{
			Action: connector.Created, Subject: "ann.larsson@example.com", DN: "CN=Ann Larsson,OU=Sales,DC=example,DC=com", Anchor: anchor(1),
			After: user(1, "ann.larsson", "standard", connector.Active), TakeSeat: "standard",
			Fields: []connector.FieldChange{
				set("userName", "", "ann.larsson@example.com"), set("givenName", "", "Ann"), set("familyName", "", "Larsson"),
				set("email", "", "ann.larsson@example.com"), set("photo", "", photo), set(connector.FieldState, "", "active"),
				set(connector.FieldPackage, "", "standard"),
			},
			Transitions: []connector.Transition{{To: connector.Active, Signal: "created"}},
		},
		{
			Action: connector.Created, Subject: "王小明", DN: "CN=王小明,OU=上海,DC=example,DC=com", Anchor: anchor(2),
			After:  user(2, "王小明", "guests", connector.NotVerified),
			Fields: []connector.FieldChange{set("userName", "", "王小明"), set("displayName", "", "=HYPERLINK(\"http://evil\")"), set(connector.FieldState, "", "not_verified")},
		},
		{
			Action: connector.Updated, Subject: "jörg.müller", DN: "CN=Jörg Müller,OU=IT,DC=example,DC=com", Anchor: anchor(3),
			After: user(3, "jörg.müller", "basic", connector.Active),
			Fields: []connector.FieldChange{
				set("department", "Support", "Engineering"), set("mobilePhone", "+49 170 1", ""), set("otherEmails", "a@example.com|b@example.com", "b@example.com|c@example.com"),
				set("title", "", "<img src=x onerror=alert(1)>"), set("custom.badge", "17", "18"),
			},
			Warnings: []string{"mobile number dropped: not a number"},
		},
		{
			Action: connector.Updated, Subject: "nina", Anchor: anchor(4), After: user(4, "nina", "basic", connector.Verified),
			Fields: []connector.FieldChange{set(connector.FieldPackage, "standard", "basic")}, FreeSeat: "standard", TakeSeat: "basic",
		},
		{
			Action: connector.Reactivated, Subject: "piotr.zieliński", DN: "CN=Piotr Zieliński,OU=Sales,DC=example,DC=com", Anchor: anchor(5),
			After:       user(5, "piotr", "basic", connector.Active),
			Fields:      []connector.FieldChange{set(connector.FieldState, "inactive", "active"), set(connector.FieldDeactivatedReason, "disabled", "")},
			Transitions: []connector.Transition{{From: connector.Inactive, To: connector.Active, Signal: "enabled"}},
		},
		{Action: connector.Failed, Subject: "olu", DN: "CN=Olu,OU=Sales,DC=example,DC=com", Anchor: anchor(9), Failures: []connector.Failure{seat}},
		{Action: connector.Failed, DN: "CN=No Name,OU=Sales,DC=example,DC=com", Anchor: anchor(10), Failures: []connector.Failure{missing}},
		{Action: connector.Failed, Subject: "<script>alert(1)</script>", DN: "CN=\x1b[31mevil,DC=example,DC=com", Anchor: anchor(11), Failures: []connector.Failure{evil}},
		{Action: connector.Failed, Subject: "zoë", DN: "CN=Zoë A,OU=New,DC=example,DC=com", Anchor: anchor(12), Failures: []connector.Failure{upd}},
		{Action: connector.Skipped, Subject: "boss", DN: "CN=Boss,DC=example,DC=com", Anchor: anchor(13), Skip: connector.SkipProtected},
		{Action: connector.Unchanged, Subject: "same", Anchor: anchor(14)},
	}
	for i := range byte(82) {
		name := "leaver" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		list = append(list, &connector.Change{
			Action: connector.Deactivated, Subject: name + "@example.com", DN: "CN=" + name + ",OU=Leavers,DC=example,DC=com", Anchor: anchor(20 + i),
			After: user(20+i, name, "basic", connector.Inactive), FreeSeat: "basic", Removal: true, Held: true,
			Fields: []connector.FieldChange{set(connector.FieldState, "active", "inactive"), set(connector.FieldDeactivatedReason, "", "gone")},
		})
	}
	for _, c := range list {
		c.Org, c.Source = "acme", "corp-ad"
	}
	return list
}

func stream(list []*connector.Change) func() iter.Seq2[*connector.Change, error] {
	return func() iter.Seq2[*connector.Change, error] {
		return func(yield func(*connector.Change, error) bool) {
			for _, c := range list {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

func sample(lang string) report.Report {
	run, list := sampleRun()
	return report.Report{Run: run, Changes: stream(list), Origin: origin, Lang: lang, Now: start.Add(90 * time.Minute)}
}

func origin(_, _, attribute string) (report.Origin, bool) {
	o, ok := map[string]report.Origin{
		"department":  {File: "usherd.yaml", Line: 42, Expression: "department", Attributes: []string{"department"}},
		"displayName": {File: "usherd.yaml", Line: 47, Expression: `trim(givenName + " " + sn)`, Attributes: []string{"givenName", "sn"}},
		"givenName":   {File: "usherd.yaml", Line: 38, Expression: "givenName", Attributes: []string{"givenName"}},
		"mobilePhone": {File: "usherd.yaml", Line: 51, Expression: `phone(mobile)`, Attributes: []string{"mobile"}},
	}[attribute]
	return o, ok
}
