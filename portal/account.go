package portal

import (
	"net/http"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/policy"
	"usherd/page"
)

// accounts are the pages for people whose account does not work.
func (s *Server) accounts() {
	s.mux.HandleFunc("GET /account/{org}", s.of((*visit).account))
	s.mux.HandleFunc("POST /account/{org}", s.of((*visit).askAccount))
	s.mux.HandleFunc("GET /account/{org}/sent", s.of((*visit).accountSent))
	s.mux.HandleFunc("GET /account/{org}/inactive", s.of((*visit).accountInactive))
}

func accountPath(org string) string { return "/account/" + org }

// accountPage is the form in which somebody gives an address.
type accountPage struct {
	page.Help
	Email string
	Fault string // what is wrong with Email; "" = nothing
}

func (v *visit) account() { v.show(http.StatusOK, "account", accountPage{Help: v.help()}) }

// emailRate is how often one address may be asked about, whoever asks.
var emailRate = page.Rate{PerSecond: 1.0 / 60, Burst: 4}

// askAccount takes an address. What becomes of it is decided when the mail is sent: a stranger is answered the same, and
// after the same work, whether anybody has the address or not. Only an organization that wants it told has it told at once.
func (v *visit) askAccount() {
	form, ok := v.form()
	if !ok || !v.welcome("account") {
		return
	}
	email := strings.TrimSpace(form.Get("email"))
	if err := policy.CheckAddress(email); err != nil {
		v.show(http.StatusUnprocessableEntity, "account", accountPage{Help: v.help(), Email: email, Fault: v.t("account.fault", nil)})
		return
	}
	if !v.allowed("email "+v.org.Settings.ID+" "+connector.Fold(email), emailRate) {
		return
	}
	if v.org.Settings.DiscloseAccountStatus && v.disclose(email) {
		return
	}
	now := v.s.o.Now()
	err := v.s.o.Store.Write(v.r.Context(), func(tx connector.Tx) error {
		return tx.PutMail(v.r.Context(), connector.Mail{
			ID: connector.NewID(now), Org: v.org.Settings.ID, Kind: connector.AccountMail, To: email, Language: v.lang, At: now,
		})
	})
	if err != nil {
		v.accident("account", err)
		return
	}
	v.seeOther(accountPath(v.org.Settings.ID) + "/sent")
}

// disclose tells at once how the account of an address is, and reports whether that was all: whose address is to be proven
// is sent a mail like everybody else.
func (v *visit) disclose(email string) bool {
	users, err := v.s.o.Store.UsersByKey(v.r.Context(), v.org.Settings.ID, []connector.UserKey{{Kind: connector.Email, Value: connector.Fold(email)}})
	if err != nil {
		v.accident("account", err)
		return true
	}
	switch {
	case len(users) != 1:
		v.refuse(connector.CodeNoAccount)
	case users[0].State == connector.Inactive:
		v.refuse(connector.CodeDeactivated)
	case users[0].PendingApproval:
		v.say(http.StatusOK, "account.pending", nil)
	case users[0].State == connector.NotVerified:
		return false
	default:
		v.tell(http.StatusOK, v.onward(v.notice("account.ready", nil)))
	}
	return true
}

// refuse tells a failure of a sign-in.
func (v *visit) refuse(code connector.Code) {
	f := failure.SignInFailure(code)
	f.Org, f.At = v.org.Settings.ID, v.s.o.Now()
	f.Ref = connector.NewRef(f.Org, connector.NewID(f.At).String())
	v.card(f)
}

func (v *visit) accountSent() {
	n := v.notice("account.sent", nil)
	n.Next, n.NextText = v.s.path+accountPath(v.org.Settings.ID), v.t("account.again", nil)
	v.tell(http.StatusOK, n)
}

// accountInactive is where an application, or a link of somebody who has been deactivated since, leads. It says the same to
// everybody.
func (v *visit) accountInactive() { v.refuse(connector.CodeDeactivated) }
