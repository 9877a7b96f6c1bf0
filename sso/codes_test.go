package sso_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/mapping"
	"usherd/connector/provision"
)

var update = flag.Bool("update", false, "write the tables into CODES.md")

// code is one of the numbers as it comes, or does not come, about at this door.
type code struct {
	status int // of HTTP; 0 = it does not come about
	here   string
	do     func(w *world) *answer
}

// sent posts a response whose draft is edited before the identity provider signs it.
func sent(edits ...string) func(*world) *answer {
	return func(w *world) *answer {
		b := w.browser()
		request, relay := b.login("")
		key, cert := signer()
		return b.post(w.signed(strings.NewReplacer(edits...).Replace(w.draft(ann, request)), key, cert), relay)
	}
}

// posted posts a form.
func posted(body string) func(*world) *answer {
	return func(w *world) *answer {
		r := httptest.NewRequest(http.MethodPost, "/saml/acme/corp/acs", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.browser().do(r)
	}
}

// onlyKnown has an identity provider that creates nobody; the person is deactivated where she has an account.
func onlyKnown(known bool) func(*world) *answer {
	return func(w *world) *answer {
		if known {
			w.codeOf(w.signIn(ann))
			w.deactivate("ann")
		}
		w.org.Sources[0].OnlyKnown = true
		return w.signIn(ann)
	}
}

func begun(query string) func(*world) *answer {
	return func(w *world) *answer { return w.browser().get("/saml/acme/corp/login" + query) }
}

// unreadable is an identity provider that is not known for the reason of a code.
func unreadable(code connector.Code) func(*world) *answer {
	return func(w *world) *answer { w.code = code; return begun("")(w) }
}

// signedBy brings a response that somebody else than the identity provider has signed.
func signedBy(w *world, edit func(string) string) *answer {
	b := w.browser()
	request, relay := b.login("")
	return b.post(edit(w.draft(ann, request)), relay)
}

var codes = map[connector.Code]code{
	1: {403, "the version is not 2.0, or the identity provider reports that it has signed nobody in (its status stands in the attempt); with 429 too many responses come from one address at a time", sent("status:Success", "status:Responder")},
	2: {403, "the assertion has no NameID, or an empty one. Where it has one and the mapping gives no User Name, it is 31 or 32 with `required_missing`", sent(">e-0001<", "><")},
	3: {403, "the person is unknown and `saml.create` is false", onlyKnown(false)},
	4: {503, "metadata or `certificate_files` without a certificate that signs", unreadable(4)},
	5: {405, "the response came otherwise than by POST", func(w *world) *answer { return w.browser().get("/saml/acme/corp/acs?SAMLResponse=x") }},
	6: {400, "no form, no SAMLResponse or several, no base64, too long", posted("SAMLResponse=!")},
	7: {404, "there is no such organization, or none such identity provider: which of the two is not told", func(w *world) *answer { return w.browser().get("/saml/nobody/corp/login") }},
	8: {403, "a certificate stands in the signature that is not configured", func(w *world) *answer {
		return signedBy(w, func(draft string) string { key, cert := stranger(); return w.signed(draft, key, cert) })
	}},
	9:  {503, "metadata or certificates cannot be read, or an error of ours, which the log tells under the reference of the page", unreadable(9)},
	10: {403, "NameQualifier is not the identity provider, or SPNameQualifier not this service", sent("<saml:NameID ", `<saml:NameID SPNameQualifier="https://other.test" `)},
	11: {503, "the metadata of the identity provider could not be fetched yet. Once they were, they stay in force while it does not answer", unreadable(11)},
	12: {400, "the response came as an artifact: artifacts are not resolved, responses are taken by HTTP-POST only", posted("SAMLart=AAQ")},
	13: {403, "the assertion lacks an element that has to be there, has one that is not known, cannot be opened, or was used before", sent("AudienceRestriction>", "OneTimeUse>")},
	14: {403, "Destination or Recipient is another address than ours", sent(`Recipient="`+door, `Recipient="https://other.test`)},
	15: {403, "the certificate that it is signed with is over, or not yet good", func(w *world) *answer {
		return signedBy(w, func(draft string) string {
			key, cert := old()
			w.idp.Certificates = append(w.idp.Certificates, cert)
			return w.signed(draft, key, cert)
		})
	}},
	16: {here: "does not come about: an account is active or not, and has no lock besides"},
	17: {here: "does not come about: an account that is over at its source is inactive here, and 18 or 31"},
	18: {403, "the account is deactivated and `saml.create` is false; else it is 31 with `account_inactive`", onlyKnown(true)},
	19: {403, "a time of the assertion is over, or has not come", func(w *world) *answer {
		b := w.browser()
		request, relay := b.login("")
		late := w.response(ann, request)
		w.now = w.now.Add(10 * time.Minute)
		return b.post(late, relay)
	}},
	20: {403, "neither response nor assertion is signed", func(w *world) *answer { return signedBy(w, func(draft string) string { return draft }) }},
	21: {here: "does not come about: which roles may sign in is for the identity provider, or for the application, which is told the attributes"},
	22: {400, "the form is an answer of WS-Federation, which is not spoken here", posted("wresult=x")},
	23: {403, "the signature does not fit, or is made by a method that is not accepted", func(w *world) *answer {
		b := w.browser()
		request, relay := b.login("")
		return b.post(strings.ReplaceAll(w.response(ann, request), ">ann<", ">boss<"), relay)
	}},
	24: {403, "the issuer is not the identity provider of this address", sent("<saml:Issuer>"+idpID, "<saml:Issuer>https://evil.test")},
	25: {403, "the NameID has another format than `name_id_format`, is transient, or the identity provider has none of the format", sent("nameid-format:persistent", "nameid-format:transient")},
	26: {500, "the request cannot be made; with 429 too many sign-ins begin at a time", func(w *world) *answer { w.idp.SSOURL = "http://["; return begun("")(w) }},
	27: {here: "does not come about: there is no single logout"},
	28: {403, "the response answers no request that this browser has open, or nobody has asked and `idp_initiated` is false", func(w *world) *answer {
		return w.browser().post(w.response(ann, ""), "")
	}},
	29: {403, "no Response of SAML 2.0, a document type, a comment, too large, an element twice", posted("SAMLResponse=eA==")},
	30: {400, "`return` is no path of the application, or a request (such as one to sign out) came where responses go", posted("SAMLRequest=x")},
	31: {403, "the account cannot be created, or may not be used: see below", func(w *world) *answer { w.org.PartnerID = ""; return w.signIn(ann) }},
	32: {403, "the account cannot be updated, and nobody is let in by halves: see below", func(w *world) *answer {
		w.codeOf(w.signIn(ann))
		return w.signIn(ann.with("sn", ""))
	}},
}

// why is one of the reasons of 31 and 32 as it comes about at this door.
type why struct {
	here             string
	creation, change func(w *world) *answer // nil = it does not come about so
}

// after signs a person in, and then does something.
func after(change func(w *world), again person) func(*world) *answer {
	return func(w *world) *answer {
		w.codeOf(w.signIn(ann))
		if change != nil {
			change(w)
		}
		return w.signIn(again)
	}
}

func only(p person) func(*world) *answer {
	return func(w *world) *answer { return w.signIn(p) }
}

// bob signs in after ann, with something of hers.
func bob(edit func(*world), p person) func(*world) *answer {
	return func(w *world) *answer {
		w.codeOf(w.signIn(ann))
		if edit != nil {
			edit(w)
		}
		return w.signIn(p)
	}
}

// bobHimself is in, and comes again with something of hers.
func bobHimself(p person) func(*world) *answer {
	return func(w *world) *answer {
		w.codeOf(w.signIn(ann))
		w.codeOf(w.signIn(bobby))
		return w.signIn(p)
	}
}

var bobby = person{"nameid": "e-0002", "uid": "bob", "givenName": "Bob", "sn": "Ray", "mail": "bob@acme.test"}

// claimed has the domain elsewhere.test claimed by another organization.
func claimed(w *world) {
	w.t.Helper()
	d := connector.Domain{Org: "other", Name: "elsewhere.test", Token: "t", AddedAt: w.now, VerifiedAt: w.now}
	if err := errors.Join(w.db.AddDomain(w.t.Context(), d), w.db.ClaimDomain(w.t.Context(), d.Org, d.Name, w.now)); err != nil {
		w.t.Fatal(err)
	}
}

const ofClaims = "does not come about here: it is why somebody of another organization cannot be claimed"

var reasons = map[connector.Reason]why{
	connector.AccountInactive:        {"the account is deactivated; signing in never reactivates", after(func(w *world) { w.deactivate("ann") }, ann), nil},
	connector.AccountPendingApproval: {"the account waits for approval, also one that was just created", func(w *world) *answer { w.org.Approval = true; return w.signIn(ann) }, nil},
	connector.AccountNotVerified:     {"the domain of its address is not proven, also of one that was just created", only(ann.with("mail", "ann@elsewhere.test")), nil},
	connector.PartnerIDMissing: {
		"the organization has no `partner_id`", func(w *world) *answer { w.org.PartnerID = ""; return w.signIn(ann) },
		after(func(w *world) { w.org.PartnerID = "" }, ann.with("title", "Chief")),
	},
	connector.RequiredMissing: {
		"the mapping gives no User Name, First Name, Last Name, Email, or what the organization requires besides; never for `uid` or `updatetimestamp`",
		only(ann.with("sn", "").with("mail", "")), after(nil, ann.with("givenName", "")),
	},
	connector.NoSeat:              {"no seat of the package is free: a place on the waiting list is kept", only(ann.with("plan", "gold")), after(nil, ann.with("plan", "gold"))},
	connector.MemberStatusPresent: {"an attribute is called Member Status, however it is spelt", only(ann.with("Member Status", "active")), after(nil, ann.with("memberStatus", "1"))},
	connector.EmailInvalid:        {"the address is none", only(ann.with("mail", "ann")), after(nil, ann.with("mail", "ann@"))},
	connector.UserNameTaken:       {"somebody else has the user name; with `matching` by e-mail only also at creation", bob(byMail, bobby.with("uid", "ann")), bobHimself(bobby.with("uid", "ANN"))},
	connector.EmailTaken:          {"somebody else has the address; with `matching` by user name only also at creation", bob(byName, bobby.with("mail", "ann@acme.test")), bobHimself(bobby.with("mail", "Ann@acme.test"))},
	connector.AmbiguousMatch:      {"user name or address are those of an account that the identity provider knows by another NameID, or of two accounts", bob(nil, bobby.with("mail", "ann@acme.test")), nil},
	connector.DomainClaimedElsewhere: {
		"another organization has claimed the domain", func(w *world) *answer { claimed(w); return w.signIn(ann.with("mail", "ann@elsewhere.test")) },
		after(claimed, ann.with("mail", "ann@elsewhere.test")),
	},
	connector.NobodyToClaim:     {ofClaims, nil, nil},
	connector.DomainNotVerified: {ofClaims, nil, nil},
	connector.SyncedElsewhere:   {ofClaims, nil, nil},
	connector.SSOElsewhere:      {ofClaims, nil, nil},
	connector.ProtectedUser:     {ofClaims, nil, nil},
	connector.DomainNotAllowed:  {"does not come about here: templates allow domains, signing in does not ask", nil, nil},
	connector.PackageUnknown:    {"the mapping gives a package that the organization does not have", only(ann.with("plan", "lead")), after(nil, ann.with("plan", "lead"))},
	connector.AttributeInvalid:  {"a value is none of its kind, or has a line break or another control character", only(ann.with("title", "Head\nof IT")), after(nil, ann.with("title", "Head\nof IT"))},
	connector.AttributeTooLong:  {"a value is longer than may be", only(ann.with("title", strings.Repeat("x", 5000))), after(nil, ann.with("title", strings.Repeat("x", 5000)))},
}

func byMail(w *world) { w.org.Matching = []string{connector.Email} }
func byName(w *world) { w.org.Matching = []string{connector.UserName} }

// packaged lets the attribute plan name the package, of which gold has no seats.
func packaged(w *world) {
	w.org.Packages = append(w.org.Packages, connector.Package{ID: "gold"})
	w.rules = mapping.Config{Preset: mapping.SAML, Attributes: map[string]mapping.Rule{"package": {"plan"}}}
}

// refused asks of an answer that it is the page of a failure, in the four forms alike, and of the attempt that it is told the same way.
func (w *world) refused(a *answer, status int, code connector.Code, reason connector.Reason) {
	w.t.Helper()
	if a.StatusCode != status || !strings.Contains(a.text, fmt.Sprintf("(%d)</h1>", code)) || !strings.Contains(a.text, "Reason: "+string(reason)) {
		w.t.Errorf("%d, want %d %d %s: %s", a.StatusCode, status, code, reason, a.text)
	}
	if code == connector.CodeSSONot {
		return // of whom?
	}
	if got := w.attempts(); got[0].Code != code || got[0].Reason != reason || !strings.Contains(a.text, "Ref: "+got[0].Ref) {
		w.t.Errorf("kept is %+v", got[0])
	}
}

// Each number from 1 to 32 comes about at this door as CODES.md says, or not at all.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	for code := connector.Code(1); code <= connector.CodeUpdate; code++ {
		c, told := codes[code]
		if !told || (c.do == nil) != (c.status == 0) {
			t.Errorf("%d: it is not told whether it comes about", code)
		}
		if c.do == nil {
			continue
		}
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			reason, ok := map[connector.Code]connector.Reason{
				connector.CodeCreation: connector.PartnerIDMissing, connector.CodeUpdate: connector.RequiredMissing,
			}[code]
			if !ok {
				reason = failure.SignInFailure(code).Reason
			}
			w.refused(c.do(w), c.status, code, reason)
		})
	}
}

// Each reason of 31 and 32 comes about at this door as CODES.md says, or not at all.
func TestEveryReason(t *testing.T) {
	t.Parallel()
	for _, reason := range failure.Reasons(connector.CodeCreation) {
		y, told := reasons[reason]
		if !told {
			t.Errorf("%s: it is not told whether it comes about", reason)
		}
		for code, do := range map[connector.Code]func(*world) *answer{connector.CodeCreation: y.creation, connector.CodeUpdate: y.change} {
			if do == nil {
				continue
			}
			t.Run(fmt.Sprint(code, " ", reason), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, packaged)
				w.refused(do(w), http.StatusForbidden, code, reason)
			})
		}
	}
}

// CODES.md is made from what the tests do.
func TestCodesAreTold(t *testing.T) {
	t.Parallel()
	cat, err := failure.New()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| number | title | HTTP | here |\n| --- | --- | --- | --- |\n")
	for _, e := range cat.Codes("en") {
		status := "–"
		if c := codes[e.Code]; c.status != 0 {
			status = strconv.Itoa(c.status)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", e.Code, strings.TrimSuffix(e.Title, fmt.Sprintf(" (%d)", e.Code)), status, codes[e.Code].here)
	}
	b.WriteString("\n| reason | 31 | 32 | here |\n| --- | --- | --- | --- |\n")
	mark := map[bool]string{true: "–", false: "yes"}
	for _, r := range failure.Reasons(connector.CodeCreation) {
		y := reasons[r]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r, mark[y.creation == nil], mark[y.change == nil], y.here)
	}
	const path, begin, end = "CODES.md", "<!-- codes:begin -->\n\n", "\n<!-- codes:end -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), begin)
	is, tail, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no %s and %s", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(head+begin+b.String()+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if is != b.String() {
		t.Errorf("%s is not fresh, run go test ./sso -run TestCodesAreTold -update; it should be\n%s", path, b.String())
	}
}

func (w *world) deactivate(name string) {
	w.t.Helper()
	if _, err := w.prov.Deactivate(w.t.Context(), provision.Command{User: w.user(name).ID, Actor: "admin"}); err != nil {
		w.t.Fatal(err)
	}
}
