package console

import (
	"net/http"
	"net/url"

	"usherd/connector"
)

// help is a page on which a remedy can be carried out, or its cause seen. It is called errors.help.NAME.
type help struct {
	// at is where it is for a failure, with parameters in pairs; "" = there is no such page for this one.
	at func(v *visit, f *connector.Failure) (path string, pairs []string)
}

func always(path string) help {
	return help{func(*visit, *connector.Failure) (string, []string) { return path, nil }}
}

// helps are all of them by name.
var helps = map[string]help{
	"approvals": always("/approvals"),
	"fields":    always("/users/fields"),
	"domains":   always("/domains"),
	"config":    always("/config"),
	"candidates": {func(_ *visit, f *connector.Failure) (string, []string) {
		return "/claims/candidates", []string{"domain", f.Domain}
	}},
	"organization": {func(v *visit, _ *connector.Failure) (string, []string) {
		return "/organizations/" + v.id(), nil
	}},
	"seats":   {(*visit).helpSeats},
	"holders": {(*visit).helpHolders},
	"account": {func(_ *visit, f *connector.Failure) (string, []string) {
		if f.UserID.IsZero() {
			return "", nil
		}
		return "/users/" + f.UserID.String(), nil
	}},
	"search":  {(*visit).helpSearch},
	"source":  {(*visit).helpSource},
	"mapping": {func(v *visit, f *connector.Failure) (string, []string) { return v.helpTab(f, "/mapping"), nil }},
	"scope":   {func(v *visit, f *connector.Failure) (string, []string) { return v.helpTab(f, "/scope"), nil }},
	"explain": {func(v *visit, f *connector.Failure) (string, []string) {
		return v.helpTab(f, "/explain"), []string{"entry", f.Subject}
	}},
	"idp":      {(*visit).helpIDP},
	"attempts": {(*visit).helpAttempts},
}

// remedies are the pages that help with each reason, the one that helps first first. Every reason of the catalogue is here: with none,
// it is mended elsewhere, by the other organization.
var remedies = map[connector.Reason][]string{
	connector.PartnerIDMissing:       {"organization", "config"},
	connector.AccountInactive:        {"account", "search"},
	connector.AccountDeactivated:     {"account", "search", "organization"},
	connector.AccountPendingApproval: {"approvals", "account"},
	connector.AccountNotVerified:     {"domains", "account"},
	connector.RequiredMissing:        {"fields", "explain", "mapping", "source"},
	connector.NoSeat:                 {"seats", "holders"},
	connector.MemberStatusPresent:    {"source", "mapping", "attempts"},
	connector.EmailInvalid:           {"explain", "mapping", "source"},
	connector.UserNameTaken:          {"search", "source"},
	connector.EmailTaken:             {"search", "source"},
	connector.AmbiguousMatch:         {"search", "explain", "source"},
	connector.DomainClaimedElsewhere: {"domains"},
	connector.DomainNotAllowed:       {"config", "source"},
	connector.DomainNotVerified:      {"domains"},
	connector.PackageUnknown:         {"seats", "mapping", "source"},
	connector.AttributeInvalid:       {"fields", "explain", "mapping", "source"},
	connector.AttributeTooLong:       {"fields", "explain", "mapping", "source"},
	connector.NoAccount:              {"search", "scope", "idp"},
	connector.SSONotAllowed:          {"idp", "config"},
	connector.NobodyToClaim:          {"candidates"},
	connector.SyncedElsewhere:        nil,
	connector.SSOElsewhere:           nil,
	connector.ProtectedUser:          nil,

	"protocol_error":               {"attempts", "idp"},
	"user_name_missing":            {"attempts", "idp"},
	"certificate_not_configured":   {"idp", "config"},
	"only_post_supported":          {"idp"},
	"post_data_incorrect":          {"attempts", "idp"},
	"certificate_mismatch":         {"idp", "config"},
	"configuration_unavailable":    {"config"},
	"name_qualifier_mismatch":      {"idp"},
	"idp_unreachable":              {"idp"},
	"artifact_not_resolved":        {"idp"},
	"assertion_invalid":            {"attempts", "idp"},
	"wrong_recipient":              {"idp"},
	"certificate_expired":          {"idp", "config"},
	"account_locked":               {"account", "search"},
	"account_expired":              {"account", "source"},
	"assertion_expired":            {"attempts", "idp"},
	"assertion_unsigned":           {"idp"},
	"role_not_allowed":             {"idp", "config"},
	"security_token_invalid":       {"idp"},
	"signature_invalid":            {"attempts", "idp"},
	"issuer_untrusted":             {"idp", "config"},
	"name_id_format_wrong":         {"idp"},
	"authn_request_not_generated":  {"idp", "config"},
	"logout_request_not_generated": {"idp", "config"},
	"in_response_to_mismatch":      {"idp"},
	"response_invalid":             {"attempts", "idp"},
	"request_invalid":              {"attempts", "idp"},
}

// helpsWith are the pages that help with a failure and that this administrator may see.
func (v *visit) helpsWith(f *connector.Failure) (list []actionLink) {
	for _, name := range remedies[f.Reason] {
		path, pairs := helps[name].at(v, f)
		if path == "" || !v.mayGet(path) {
			continue
		}
		list = append(list, actionLink{Text: v.t("errors.help."+name, nil), Address: v.link(path, pairs...)})
	}
	return list
}

// mayGet reports whether there is a page at a path, and this administrator may see it.
func (v *visit) mayGet(path string) bool {
	_, pattern := v.s.mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
	for _, r := range v.s.routes {
		if r.pattern == pattern {
			return v.may(r.permission)
		}
	}
	return false
}

func (v *visit) helpSeats(f *connector.Failure) (path string, pairs []string) {
	if _, ok := v.org.Settings.Package(f.Package); ok {
		return "/seats/" + f.Package, nil
	}
	return "/seats", nil
}

// helpHolders are those who hold the seats of a package.
func (v *visit) helpHolders(f *connector.Failure) (path string, pairs []string) {
	if _, ok := v.org.Settings.Package(f.Package); ok {
		return "/users", []string{"package", f.Package}
	}
	return "", nil
}

// helpSearch looks among inactive people, too, for whoever the failure is about.
func (v *visit) helpSearch(f *connector.Failure) (path string, pairs []string) {
	if f.Subject != "" && v.may(inClear) { // the address has the name
		return "/users", []string{"q", f.Subject, "active", "any"}
	}
	return "/users", []string{"active", "any"}
}

// helpSource is the page of whoever brings the person.
func (v *visit) helpSource(f *connector.Failure) (path string, pairs []string) {
	if f.Source == "" {
		return "/sources", nil
	}
	if v.org.Settings.Template(f.Source) != nil {
		return "/templates/" + f.Source, nil
	}
	s := v.org.Settings.Source(f.Source)
	if s == nil {
		return "", nil
	}
	switch s.Kind { //nolint:exhaustive // the others have no page of their own but that
	case connector.SCIM:
		return "/scim/clients/" + s.ID, nil
	case connector.SignIn:
		return "/sso/idps/" + s.ID, nil
	}
	return "/sources/" + s.ID, nil
}

// helpTab is a part of the page of a directory.
func (v *visit) helpTab(f *connector.Failure, end string) string {
	s := v.org.Settings.Source(f.Source)
	if s == nil || s.Kind != connector.Directory {
		return ""
	}
	for _, t := range sourceTabs {
		if "/"+t.end == end && t.has(s, v.configured(s.ID)) {
			return "/sources/" + s.ID + end
		}
	}
	return ""
}

func (v *visit) helpIDP(f *connector.Failure) (path string, pairs []string) {
	if s := v.org.Settings.Source(f.Source); s != nil && s.Kind == connector.SignIn {
		return "/sso/idps/" + s.ID, nil
	}
	return "/sso", nil
}

// helpAttempts are the sign-ins that came to the same.
func (v *visit) helpAttempts(f *connector.Failure) (path string, pairs []string) {
	if s := v.org.Settings.Source(f.Source); s != nil && s.Kind != connector.SignIn {
		return "", nil
	}
	return "/sso/attempts", []string{"reason", string(f.Reason), "idp", f.Source}
}
