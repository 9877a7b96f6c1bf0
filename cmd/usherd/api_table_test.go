package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// byAPI says by which operations of the API each command is done from afar.
var byAPI = map[string][]string{
	"plan":                 {"startRun", "tryPerson"},
	"sync":                 {"startRun", "tryPerson", "followRun"},
	"import":               {"importFile"},
	"sources":              {"listSources", "getSource", "getSourceConfiguration"},
	"runs":                 {"listRuns"},
	"report":               {"getRunReport"},
	"approve":              {"approveRun"},
	"reject":               {"rejectRun"},
	"rollback":             {"rollBackRun"},
	"users":                {"listUsers", "listDeletions"},
	"approvals":            {"listUsers"},
	"user show":            {"getUser", "getUserHistory"},
	"user explain":         {"explainUser"},
	"user approve":         {"approveUser", "changeUsers"},
	"user reject":          {"rejectUser", "changeUsers"},
	"user deactivate":      {"deactivateUser", "changeUsers"},
	"user reactivate":      {"reactivateUser", "changeUsers"},
	"user package":         {"setUserPackage"},
	"user delete":          {"deleteUser"},
	"user keep":            {"keepUser"},
	"user retry":           {"retryFailure", "retryFailures"},
	"invite":               {"invite"},
	"mail":                 {"listMails"},
	"mail retry":           {"retryMail", "retryMails"},
	"reports":              {"listReports"},
	"reports retry":        {"retryReport", "retryReports"},
	"subscribers announce": {"announceSubscribers"},
	"subscribers list":     {"listSubscribers"},
	"subscribers show":     {"getSubscriber"},
	"subscribers retry":    {"retrySubscriber", "changeSubscribers"},
	"subscribers package":  {"setSubscriberPackage", "changeSubscribers"},
	"subscribers delete":   {"deleteSubscriber", "changeSubscribers"},
	"subscribers errors":   {"listSubscribers"},
	"subscribers export":   {"listSubscribers"},
	"groups":               {"listGroups"},
	"group show":           {"getGroup", "listGroupMembers"},
	"failures":             {"listFailures", "getFailure", "dismissFailure", "dismissFailures"},
	"errors":               {"listErrors", "getError"},
	"seats":                {"listSeats", "listWaiting"},
	"domain add":           {"addDomain"},
	"domain list":          {"listDomains", "getDomain"},
	"domain preview":       {"previewDomain"},
	"domain check":         {"checkDomain"},
	"domain claim":         {"claimDomain"},
	"domain release":       {"releaseDomain"},
	"domain remove":        {"removeDomain"},
	"claim candidates":     {"listCandidates"},
	"claim preview":        {"previewClaims"},
	"claim start":          {"claimUsers"},
	"claim list":           {"listClaims"},
	"claim show":           {"getClaim"},
	"claim remind":         {"remindClaim"},
	"claim decide":         {"decideClaim"},
	"token create":         {"createToken"},
	"token list":           {"listTokens"},
	"token revoke":         {"revokeToken"},
	"token rotate":         {"rotateToken"},
	"scim clients":         {"listClients"},
	"scim log":             {"listRequests", "getRequest"},
	"sso attempts":         {"listSignIns", "listIdentityProviders", "getIdentityProvider"},
	"sso show":             {"getSignIn"},
	"audit":                {"listAudit"},
	"audit verify":         {"checkAudit"},
	"audit export":         {"listAudit"},
	"version":              {"getOrganization"},
}

// notByAPI says why a command has no operation.
var notByAPI = map[string]string{
	"demo":             "it is for one's own machine",
	"serve":            "it is the daemon",
	"check":            "it reads the files of the machine, secrets among them; what it asks of servers, testSource does",
	"reload":           "who may change the configuration is at the machine, and all organizations have one",
	"healthcheck":      "the daemon's own address tells it: /readyz",
	"console password": "no password goes over a network that need not",
	"reports test":     "recipients and webhooks may be of several organizations, and a token is of one",
	"api openapi":      "the document is served without a token",
	"scim check":       "it asks any other service from where one is",
	"backup":           "it is of all organizations",
	"restore":          "it is of all organizations, while no daemon runs",
	"migrate":          "it is of all organizations, while no daemon runs",
}

// onlyByAPI are operations that are no command's: what applications ask, and what pages of the console show beside what commands do.
var onlyByAPI = map[string]bool{
	"signIn": true, "resetPassword": true, "checkPerson": true, "listSeatDays": true, "compareRuns": true,
	"getConfiguration": true, "listRevisions": true, "compareRevisions": true, "getSystem": true, "getDiagnostics": true,
	"listTemplates": true, "getTemplate": true, "testSource": true, "browseSource": true, "trySignIn": true, "listFields": true, "getCounts": true,
}

// Everything that the command line does, the API does, or there is a reason why not; and nothing is in the table that there is not.
func TestCommandsHaveOperations(t *testing.T) {
	t.Parallel()
	operations := map[string]bool{} // to whether a command names it
	for id := range operationMethods(t) {
		operations[id] = onlyByAPI[id]
	}
	a := &app{env: func(string) (string, bool) { return "", false }}
	seen := map[string]bool{}
	for _, cmd := range working(a.root()) {
		name := strings.TrimPrefix(cmd.CommandPath(), "usherd ")
		seen[name] = true
		if (byAPI[name] == nil) == (notByAPI[name] == "") {
			t.Errorf("usherd %s: say by which operations it is done from afar, or why it is not", name)
		}
		for _, id := range byAPI[name] {
			if _, ok := operations[id]; !ok {
				t.Errorf("usherd %s: there is no operation %s", name, id)
			}
			operations[id] = true
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(byAPI)), slices.Collect(maps.Keys(notByAPI))) {
		if !seen[name] {
			t.Errorf("there is no command %q", name)
		}
	}
	for id, named := range operations {
		if !named {
			t.Errorf("no command does what operation %s does", id)
		}
	}
}

// working are the commands that do something, but for those of cobra itself.
func working(cmd *cobra.Command) (list []*cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.Name() == "completion" || c.Name() == "help" {
			continue
		}
		if c.RunE != nil && reflect.ValueOf(c.RunE).Pointer() != reflect.ValueOf(showHelp).Pointer() {
			list = append(list, c)
		}
		list = append(list, working(c)...)
	}
	return list
}
