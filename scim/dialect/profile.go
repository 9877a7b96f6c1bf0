package dialect

import (
	"net/http"
	"strings"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// Profile is what a client means where clients differ. The zero value is of no use: see Profiles.
type Profile struct {
	Name  string
	About string // for people who choose one
	// Strict is whether the client is taken at its word: nothing is normalised but the case of names.
	Strict bool
	Rules  patch.Rules
	// NoContentGroup is whether a PATCH of a group is answered with 204 and no body.
	NoContentGroup bool
	// EmailFilter is whether "email" in a filter means emails.value.
	EmailFilter bool
}

// meanings is what "remove members" means without a value, with null and with [], and a PUT of a group without
// members.
type meanings struct {
	absent, null, none patch.Emptying
	putClears          bool
}

// The rows of the table: what most clients mean, and those for whom removing members without naming them would
// be an accident.
var (
	most    = meanings{absent: patch.EmptyAndNote, none: patch.Nothing}
	careful = meanings{none: patch.Nothing}
)

var profiles = fill([]profile{
	{Profile{Name: "strict", About: "taken at its word, as RFC 7644 has it", Strict: true}, meanings{absent: patch.Empty, null: patch.Empty, putClears: true}},
	{Profile{Name: "generic", About: "any client that is not known"}, most},
	{Profile{Name: "entra", About: "Microsoft Entra ID", NoContentGroup: true}, careful},
	{Profile{Name: "okta", About: "Okta", NoContentGroup: true}, most},
	{Profile{Name: "authentik", About: "authentik", NoContentGroup: true}, careful},
	{Profile{Name: "keycloak", About: "Keycloak with its SCIM extension; nothing tells it from others, so it has to be set"}, meanings{absent: patch.Empty, null: patch.Empty, none: patch.Nothing, putClears: true}},
	{Profile{Name: "google", About: "Google Workspace"}, most},
	{Profile{Name: "onelogin", About: "OneLogin"}, careful},
	{Profile{Name: "jumpcloud", About: "JumpCloud"}, careful},
	{Profile{Name: "ping", About: "PingFederate and PingOne", EmailFilter: true}, most},
	{Profile{Name: "rippling", About: "Rippling"}, most},
})

type profile struct {
	Profile
	meanings
}

// fill puts the rules into profiles, and into each the names of those that would allow what it refuses.
func fill(rows []profile) []Profile {
	var absent, null []string
	for _, p := range rows {
		if p.absent >= patch.Empty {
			absent = append(absent, p.Name)
		}
		if p.null >= patch.Empty {
			null = append(null, p.Name)
		}
	}
	all := make([]Profile, len(rows))
	for i, p := range rows {
		lenient := !p.Strict
		p.Rules = patch.Rules{
			RemoveAbsent: p.absent, RemoveAbsentBy: either(absent),
			RemoveNull: p.null, RemoveNullBy: either(null),
			RemoveNone: p.none, PutClears: p.putClears,
			BuildElement: lenient, MissingIsGone: lenient, IgnoreUnknown: lenient, SkipMembers: lenient,
			NoOperations: lenient, IgnoreActiveNull: lenient, FilterSingle: lenient,
		}
		all[i] = p.Profile
	}
	return all
}

// either joins names: "a, b or c".
func either(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Profiles returns all profiles, strict and generic first.
func Profiles() []Profile { return append([]Profile{}, profiles...) }

// ByName returns the profile of that name.
func ByName(name string) (Profile, bool) {
	for _, p := range profiles {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// manyMembers is from how many members on a group is not sent back after a PATCH, unless it was asked for.
const manyMembers = 1000

// PatchStatus is the status of the answer to a PATCH that succeeded: 200 with the resource, or 204. members is how
// many the group has; asked is whether the request has attributes or excludedAttributes (RFC 7644 section 3.5.2: then
// the resource has to come back).
func (p Profile) PatchStatus(t *schema.Type, members int, asked bool) int {
	noContent := p.NoContentGroup || members > manyMembers && !p.Strict
	if t.Name == "Group" && noContent && !asked {
		return http.StatusNoContent
	}
	return http.StatusOK
}
