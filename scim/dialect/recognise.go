package dialect

import (
	"strings"

	"usherd/scim/body"
)

// agents are how the User-Agent of clients begins that say who they are.
var agents = []struct{ prefix, profile string }{
	{"Okta SCIM Client", "okta"},
	{"authentik@", "authentik"},
	{"Google-Auto-Provisioning", "google"},
}

const (
	microsoftGroup = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
	legacyCore     = "urn:scim:schemas:core:2.0"
)

// Recognise guesses by a request which profile its client needs, and says by what. The body is as it was sent; nil
// where there is none. Most requests tell nothing: then it is generic and the reason "", and what another request
// has told stays. It never says strict or keycloak: these are set. A guess widens no rights.
func Recognise(userAgent string, body map[string]any) (p Profile, reason string) {
	name, reason := recognise(userAgent, body)
	p, _ = ByName(name)
	return p, reason
}

func recognise(userAgent string, sent map[string]any) (name, reason string) {
	for _, a := range agents {
		if len(userAgent) >= len(a.prefix) && strings.EqualFold(userAgent[:len(a.prefix)], a.prefix) {
			return a.profile, "User-Agent begins with " + a.prefix
		}
	}
	for _, urn := range texts(body.Member(sent, "schemas")) {
		switch {
		case strings.EqualFold(urn, microsoftGroup):
			return "entra", "the group schema of Microsoft"
		case userAgent == "" && strings.EqualFold(urn, legacyCore):
			return "onelogin", "no User-Agent, and the schema " + legacyCore
		}
	}
	list, _ := body.Member(sent, "Operations").([]any)
	for _, v := range list {
		op, _ := v.(map[string]any)
		switch body.Member(op, "op") {
		case "Add", "Remove", "Replace":
			return "entra", "operations are written with a capital: Add, Remove, Replace"
		}
	}
	return "generic", ""
}

// texts returns those of a list that are text.
func texts(list any) []string {
	all, _ := list.([]any)
	var out []string
	for _, v := range all {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
