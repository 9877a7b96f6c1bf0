package console

import (
	"net/http"

	"usherd/connector"
)

// trialPage leads to the identity provider: a form may not, under the policy of the pages.
type trialPage struct {
	Address string // good once
	Back    string
}

func (v *visit) askTrial() {
	x, c, ok := v.theIDP()
	if !ok {
		return
	}
	page := confirm{Effect: []string{v.t("sso.trial.effect", nil), v.t("sso.trial.kept", nil)}, Button: v.t("sso.trial.button", nil), Back: v.link("/sso/idps/" + x.ID)}
	if !c.Triable() {
		page = confirm{Fault: v.t("sso.trial.none", nil), Back: page.Back}
	}
	v.show(http.StatusOK, "confirm", v.idpFrame(x, "sso.trial.link"), page)
}

func (v *visit) tryIDP() {
	x, c, ok := v.theIDP()
	switch {
	case !ok:
		return
	case !c.Triable():
		v.askTrial()
		return
	}
	address, err := c.Try(v.r.Context(), v.session.Actor(), v.s.public.Scheme+"://"+v.s.public.Host+v.link("/sso/attempts"))
	if err != nil {
		v.accident("trial", err)
		return
	}
	v.show(http.StatusOK, "sign_in_test", v.idpFrame(x, "sso.trial.link"), trialPage{Address: address, Back: v.link("/sso/idps/" + x.ID)})
}

// trialShown is what was seen of a sign-in that was tried.
type trialShown struct {
	By      string
	Subject string
	Rows    []saidRow
	Left    string // how many there was no room for; "" = none
	Changes *diff
}

// saidRow is an attribute as the identity provider has sent it.
type saidRow struct {
	Name   string
	Values []string
}

func (v *visit) trialShown(x *connector.Attempt) *trialShown {
	if x.Test == nil {
		return nil
	}
	t := &trialShown{By: x.Test.By, Subject: v.personal(x.Test.Subject), Changes: v.differences(x.Test.Fields)}
	for _, a := range x.Test.Attributes {
		t.Rows = append(t.Rows, saidRow{a.Name, v.personals(a.Values)})
	}
	if x.Test.Left > 0 {
		t.Left = v.s.pages.Count(v.lang, "sso.trial.left", x.Test.Left)
	}
	return t
}
