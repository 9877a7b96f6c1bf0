package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"usherd/api"
	"usherd/console"
)

// pagesByAPI says by which operations of the API a program sees or does what each page of the console shows or does. The first one of a
// path at which something is done is the one that does it.
var pagesByAPI = map[string][]string{
	"/{$}":                               {"getCounts", "getSystem", "listSources", "listRuns", "listSeats", "listFailures", "listSignIns", "listClients"},
	"/runs":                              {"listRuns"},
	"/runs/export.csv":                   {"listRuns"},
	"/runs/compare":                      {"compareRuns", "compareRevisions"},
	"/runs/start":                        {"startRun", "tryPerson"},
	"/runs/{run}":                        {"retryFailures", "dismissFailures", "getRunReport", "followRun"},
	"/runs/{run}/export/{file}":          {"getRunReport"},
	"/runs/{run}/approve":                {"approveRun"},
	"/runs/{run}/reject":                 {"rejectRun"},
	"/runs/{run}/groups":                 {"startRun"},
	"/runs/{run}/rollback":               {"rollBackRun"},
	"/approvals":                         {"listRuns", "listUsers"},
	"/failures":                          {"retryFailures", "dismissFailures", "listFailures", "getCounts"},
	"/failures/export.csv":               {"listFailures"},
	"/failures/{ref}":                    {"getFailure"},
	"/failures/{ref}/retry":              {"retryFailure"},
	"/failures/{ref}/dismiss":            {"dismissFailure"},
	"/provisioning":                      {"changeSubscribers", "listSubscribers", "getCounts"},
	"/provisioning/export.csv":           {"listSubscribers"},
	"/provisioning/{subscriber}":         {"getSubscriber"},
	"/provisioning/{subscriber}/retry":   {"retrySubscriber"},
	"/provisioning/{subscriber}/package": {"setSubscriberPackage"},
	"/provisioning/{subscriber}/delete":  {"deleteSubscriber"},
	"/users":                             {"changeUsers", "listUsers", "listSeats", "getCounts"},
	"/users/export.csv":                  {"listUsers"},
	"/users/fields":                      {"listFields"},
	"/users/fields/check":                {"checkPerson"},
	"/users/invite":                      {"invite"},
	"/users/{user}":                      {"getUser", "getUserHistory", "explainUser"},
	"/users/{user}/approve":              {"approveUser"},
	"/users/{user}/deactivate":           {"deactivateUser"},
	"/users/{user}/delete":               {"deleteUser"},
	"/users/{user}/invite":               {"invite"},
	"/users/{user}/package":              {"setUserPackage"},
	"/users/{user}/reactivate":           {"reactivateUser"},
	"/users/{user}/reject":               {"rejectUser"},
	"/users/{user}/retry":                {"tryPerson"},
	"/selections/{selection}":            {"changeUsers", "changeSubscribers", "retryFailures", "dismissFailures", "invite"},
	"/selections/{selection}/export.csv": {"listUsers", "listSubscribers"},
	"/claims":                            {"listClaims"},
	"/claims/export.csv":                 {"listClaims"},
	"/claims/candidates":                 {"listCandidates"},
	"/claims/start":                      {"claimUsers", "previewClaims"},
	"/claims/{claim}":                    {"getClaim"},
	"/claims/{claim}/remind":             {"remindClaim"},
	"/claims/{claim}/decide":             {"decideClaim"},
	"/domains":                           {"listDomains"},
	"/domains/add":                       {"addDomain"},
	"/domains/of/{domain}":               {"getDomain"},
	"/domains/of/{domain}/effect":        {"previewDomain"},
	"/domains/of/{domain}/check":         {"checkDomain"},
	"/domains/of/{domain}/claim":         {"claimDomain"},
	"/domains/of/{domain}/release":       {"releaseDomain"},
	"/domains/of/{domain}/remove":        {"removeDomain"},
	"/seats":                             {"listSeats"},
	"/seats/{package}":                   {"listSeats", "listWaiting", "listSeatDays"},
	"/seats/{package}/waiting.csv":       {"listWaiting"},
	"/sources":                           {"listSources"},
	"/sources/{source}":                  {"getSource", "listRuns"},
	"/sources/{source}/run":              {"startRun"},
	"/sources/{source}/preview":          {"startRun"},
	"/sources/{source}/connection":       {"getSourceConfiguration"},
	"/sources/{source}/scope":            {"getSourceConfiguration"},
	"/sources/{source}/mapping":          {"getSourceConfiguration"},
	"/sources/{source}/schedule":         {"getSourceConfiguration"},
	"/sources/{source}/safety":           {"getSourceConfiguration"},
	"/sources/{source}/test":             {"testSource"},
	"/sources/{source}/explain":          {"tryPerson"},
	"/sources/{source}/browse":           {"browseSource"},
	"/scim":                              {"listClients"},
	"/scim/clients/{client}":             {"listClients"},
	"/scim/requests":                     {"listRequests"},
	"/scim/requests/export.csv":          {"listRequests"},
	"/scim/requests/{request}":           {"getRequest"},
	"/sso":                               {"listIdentityProviders"},
	"/sso/idps/{idp}":                    {"getIdentityProvider"},
	"/sso/idps/{idp}/test":               {"testSource"},
	"/sso/idps/{idp}/sign-in":            {"trySignIn"},
	"/sso/attempts":                      {"listSignIns"},
	"/sso/attempts/export.csv":           {"listSignIns"},
	"/sso/attempts/{attempt}":            {"getSignIn"},

	"/templates":              {"listTemplates"},
	"/templates/{template}":   {"getTemplate"},
	"/organizations":          {"getOrganization"},
	"/organizations/{org}":    {"getOrganization"},
	"/tokens":                 {"listTokens"},
	"/tokens/export.csv":      {"listTokens"},
	"/tokens/new":             {"createToken"},
	"/tokens/{token}/rotate":  {"rotateToken"},
	"/tokens/{token}/revoke":  {"revokeToken"},
	"/errors":                 {"listErrors"},
	"/errors/{code}":          {"getError"},
	"/audit":                  {"listAudit"},
	"/audit/verify":           {"checkAudit"},
	"/audit/export.jsonl":     {"listAudit"},
	"/audit/export.csv":       {"listAudit"},
	"/reports":                {"listReports"},
	"/reports/retry":          {"retryReports"},
	"/reports/{report}/retry": {"retryReport"},
	"/config":                 {"getConfiguration"},
	"/config/revisions":       {"listRevisions"},
	"/config/diff":            {"compareRevisions"},
	"/system":                 {"getSystem"},
	"/system/diagnostics":     {"getDiagnostics"},
}

// pagesOnly says why a path of the console has no operation.
var pagesOnly = map[string]string{
	"/reauth":       "a token does not sign in",
	"/logout":       "a token does not sign in",
	"/preferences":  "a program has no language, no colours and no pace",
	"/search":       "it asks the lists, each of which a program searches itself",
	"/help/{topic}": "it is about the pages; the document of the API describes itself",
	"/help":         "it is about the pages; the document of the API describes itself",
}

// reads are operations that only read, although a page does with a POST what they do: it writes into the audit trail, too.
var reads = []string{"getDiagnostics"}

// Everything that the console does, the API does, or there is a reason why not; what a page does by POST, an operation does that is no GET.
func TestPagesHaveOperations(t *testing.T) {
	t.Parallel()
	methods := operationMethods(t)
	s, err := console.New(console.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, pattern := range s.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		seen[path] = true
		list := pagesByAPI[path]
		if (list == nil) == (pagesOnly[path] == "") {
			t.Errorf("%s: say by which operations a program does it, or why it does not", pattern)
			continue
		}
		for _, id := range list {
			if methods[id] == "" {
				t.Errorf("%s: there is no operation %s", pattern, id)
			}
		}
		if method == http.MethodPost && list != nil && methods[list[0]] == http.MethodGet && !slices.Contains(reads, list[0]) {
			t.Errorf("%s: %s only reads: name what does it first", pattern, list[0])
		}
	}
	for path := range pagesByAPI {
		if !seen[path] {
			t.Errorf("the console has no path %s", path)
		}
	}
	for path := range pagesOnly {
		if !seen[path] {
			t.Errorf("the console has no path %s", path)
		}
	}
}

// operationMethods are the methods of all operations.
func operationMethods(t *testing.T) map[string]string {
	t.Helper()
	text, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, all := range doc.Paths {
		for method, op := range all {
			out[op.OperationID] = strings.ToUpper(method)
		}
	}
	return out
}
