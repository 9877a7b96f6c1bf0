package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/dialect"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

// The table of what a profile decides, as one reads it in the documents.
func TestProfiles(t *testing.T) {
	t.Parallel()
	const want = `
            absent       null    []       PUT     no match   no match   unknown   unknown  no ops   user group  email
            empties      empties          without builds     removes    attribute member                        filter
strict      empties      empties 400      clears  400        400        400       400      400      200  200    no
generic     and notes    400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  200    no
entra       400          400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  204    no
okta        and notes    400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  204    no
authentik   400          400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  204    no
keycloak    empties      empties nothing  clears  builds     nothing    ignored   skipped  nothing  200  200    no
google      and notes    400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  200    no
onelogin    400          400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  200    no
jumpcloud   400          400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  200    no
ping        and notes    400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  200    yes
rippling    and notes    400     nothing  keeps   builds     nothing    ignored   skipped  nothing  200  200    no
`
	head := strings.Join(strings.SplitAfter(want, "\n")[:3], "")
	var got strings.Builder
	got.WriteString(head)
	emptying := map[patch.Emptying]string{patch.Empty: "empties", patch.EmptyAndNote: "and notes", patch.Nothing: "nothing", patch.RefuseEmptying: "400"}
	word := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	for _, p := range dialect.Profiles() {
		r := p.Rules
		fmt.Fprintf(&got, "%-11s %-12s %-7s %-8s %-7s %-10s %-10s %-9s %-8s %-8s %-4d %-6d %s\n", p.Name, emptying[r.RemoveAbsent], emptying[r.RemoveNull], emptying[r.RemoveNone],
			word(r.PutClears, "clears", "keeps"), word(r.BuildElement, "builds", "400"), word(r.MissingIsGone, "nothing", "400"), word(r.IgnoreUnknown, "ignored", "400"),
			word(r.SkipMembers, "skipped", "400"), word(r.NoOperations, "nothing", "400"),
			p.PatchStatus(schema.User(), 0, false), p.PatchStatus(schema.Group(), 1000, false), word(p.EmailFilter, "yes", "no"))
		if q, ok := dialect.ByName(p.Name); !ok || q.Name != p.Name || p.About == "" || p.Strict != (p.Name == "strict") {
			t.Errorf("%+v", p)
		}
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
	if _, ok := dialect.ByName("unknown"); ok {
		t.Error("there is no such profile")
	}
}

// A big group is not sent back after a PATCH, unless the client is taken at its word or asked for it.
func TestPatchStatusOfBigGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profile string
		ty      *schema.Type
		members int
		asked   bool
		want    int
	}{
		{"generic", schema.Group(), 1000, false, 200},
		{"generic", schema.Group(), 1001, false, 204},
		{"generic", schema.Group(), 1001, true, 200},
		{"strict", schema.Group(), 1001, false, 200},
		{"entra", schema.Group(), 0, false, 204},
		{"entra", schema.Group(), 0, true, 200},
		{"entra", schema.User(), 1001, false, 200},
	} {
		if got := profileOf(t, c.profile).PatchStatus(c.ty, c.members, c.asked); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ agent, body, want string }{
		{"Okta SCIM Client 1.0.0", `{}`, "okta"},
		{"okta scim client", `{}`, "okta"},
		{"authentik@2026.2.1 (build=)", `{}`, "authentik"},
		{"Google-Auto-Provisioning", `{"schemas":["urn:scim:schemas:core:1.0"]}`, "google"},
		{"", `{"schemas":["x"],"Operations":[{"op":"replace"},{"op":"Add","path":"x"}]}`, "entra"},
		{"", `{"operations":[{"Op":"Remove"}]}`, "entra"},
		{"x", `{"Operations":[{"op":"REPLACE"}]}`, "generic"},
		{"x", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]}`, "entra"},
		{"", `{"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"]}`, "onelogin"},
		{"curl/8", `{"schemas":["urn:scim:schemas:core:2.0"]}`, "generic"},
		{"", `{"schemas":"urn:scim:schemas:core:2.0","Operations":7}`, "generic"},
		{"", `{"Operations":[7,null,{"op":null}]}`, "generic"},
		{"", `{}`, "generic"},
	} {
		p, reason := dialect.Recognise(c.agent, parse(t, c.body))
		if p.Name != c.want || (reason == "") != (c.want == "generic") {
			t.Errorf("%q %s: %s because of %q, not %s", c.agent, c.body, p.Name, reason, c.want)
		}
	}
	if p, _ := dialect.Recognise("", nil); p.Name != "generic" {
		t.Error(p.Name)
	}
}

// What is said of a request is one of a fixed list of ids, each with a text; where it was seen carries no value.
func TestQuirksHaveTexts(t *testing.T) {
	t.Parallel()
	texts := dialect.Texts()
	for id, text := range texts {
		if text == "" || dialect.Text(id) != text || strings.ToLower(id) != id {
			t.Errorf("%s: %q", id, text)
		}
	}
	_, quirks, err := dialect.Normalise(profileOf(t, "generic"), schema.User(), "PATCH", parse(t, message(
		`W[{"op":"Remove","path":"manager[value eq \"secret\"]"},{"op":"replace","path":"EMAILS[type eq \"secret\"].value","value":["secret"]},{"op":"replace","value":{"groups":[{"value":"secret"}]}}]`)))
	if err != nil || len(quirks) < 5 {
		t.Fatal(quirks, err)
	}
	for _, q := range quirks {
		if q.Text == "" || texts[q.ID] != q.Text || q.Count == 0 || strings.Contains(q.Where, "secret") {
			t.Errorf("%+v", q)
		}
	}
}

// However much a client makes wrong, what is told of it is bounded.
func TestQuirksAreBounded(t *testing.T) {
	t.Parallel()
	keys := make([]string, 5000)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"key%d%s":1`, i, strings.Repeat("x", 200))
	}
	_, quirks, err := dialect.Normalise(profileOf(t, "generic"), schema.User(), "POST", parse(t, "{"+strings.Join(keys, ",")+"}"))
	if err != nil || len(quirks) > 65 {
		t.Fatalf("%d quirks, %v", len(quirks), err)
	}
	total := 0
	for _, q := range quirks {
		if total += q.Count; len(q.Where) > 150 {
			t.Errorf("%d characters of a name are told", len(q.Where))
		}
	}
	if total != len(keys)+1 { // and that schemas is missing
		t.Errorf("%d counted", total)
	}
}

// A list of members of which nothing has to change is not copied: groups are big.
func TestPlainMembersAreNotCopied(t *testing.T) {
	t.Parallel()
	list := []any{map[string]any{"value": "u1", "type": "User"}, map[string]any{"value": "u2"}}
	sent := map[string]any{"schemas": []any{schema.GroupURN}, "displayName": "G", "members": list}
	normal, quirks, err := dialect.Normalise(profileOf(t, "entra"), schema.Group(), "POST", sent)
	if err != nil || len(quirks) > 0 {
		t.Fatal(quirks, err)
	}
	if got, ok := normal["members"].([]any); !ok || &got[0] != &list[0] {
		t.Error("the list was copied")
	}
}

// A path that would be too long in canonical form stays as it was sent.
func TestLongPathsStay(t *testing.T) {
	t.Parallel()
	const begin, end = `phoneNumbers[primary eq "True" or value eq "`, `].Display`
	nots := `"` + strings.Repeat(" and not(type pr)", 13) // to be written with a blank more
	path := begin + strings.Repeat("x", 4096-len(begin+nots+end)) + nots + end
	sent := parse(t, message(`W[{"op":"replace","path":`+fmt.Sprintf("%q", path)+`,"value":"x"}]`))
	normal, _, err := dialect.Normalise(profileOf(t, "generic"), schema.User(), "PATCH", sent)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sent["Operations"], normal["Operations"]); diff != "" {
		t.Error(diff)
	}
}
