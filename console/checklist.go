package console

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/policy"
)

// checklist are steps to go through, each with how it stands in this organization, or for one person.
type checklist struct {
	Title string
	Steps []checkStep
}

type checkStep struct {
	Text    string
	Answers []fact // how it stands now
}

// askedPerson is somebody who may have no account, and what is known of it.
type askedPerson struct {
	Row     *userRow // nil = there is no account
	Several bool     // more than one account goes by what was typed
	Cards   []aboutCard
	Copy    string // for whoever helps

	user     *connector.User
	items    []connector.OpenItem
	attempts []connector.Attempt
}

// aboutCard is an open failure of the person.
type aboutCard struct {
	Card    failCard
	Address string
}

// lastTried is how many of the last attempts to sign in are looked at.
const lastTried = 50

// fillChecklists answers the two checklists of code 31: for whom ?user= names by user name, e-mail or id, else for the organization.
func (v *visit) fillChecklists(p *errorPage, d *failure.Description) (err error) {
	if d.Never == nil {
		return nil
	}
	if p.Asked = v.query("user"); p.Asked != "" {
		if p.About, err = v.askedPerson(p.Asked); err != nil {
			return err
		}
	}
	never, before := failure.ChecklistSteps()
	p.Checklists = []checklist{{Title: d.NeverTitle}, {Title: d.BeforeTitle}}
	for n, of := range []struct{ names, texts []string }{{never, d.Never}, {before, d.Before}} {
		for i, text := range of.texts {
			answers, err := v.checked(of.names[i], p.About)
			if err != nil {
				return err
			}
			p.Checklists[n].Steps = append(p.Checklists[n].Steps, checkStep{text, answers})
		}
	}
	return nil
}

// askedPerson looks for the account, the open failures and the last attempts to sign in of a person.
func (v *visit) askedPerson(key string) (*askedPerson, error) {
	a := &askedPerson{}
	u, err := v.s.o.Store.FindUser(v.r.Context(), v.id(), key)
	switch connector.KindOf(err) { //nolint:exhaustive // the others are faults of ours
	case connector.NotFound:
	case connector.Conflict:
		a.Several = true
	default:
		if err != nil {
			return nil, err
		}
		row := v.userRow(u)
		a.user, a.Row, key = u, &row, u.UserName()
	}
	q := connector.ItemQuery{Org: v.id(), About: a.user, Limit: perPage}
	if a.user == nil {
		q.Subject = key
	}
	if a.items, _, err = v.s.o.Store.OpenItems(v.r.Context(), q); err != nil {
		return nil, err
	}
	if a.user == nil { // the store finds parts of names, too
		a.items = slices.DeleteFunc(a.items, func(i connector.OpenItem) bool { return connector.Fold(i.Subject) != connector.Fold(key) })
	}
	a.attempts, err = v.s.o.Store.Attempts(v.r.Context(), connector.AttemptQuery{Org: v.id(), Person: key, Limit: lastTried})
	v.tell(a)
	return a, err
}

// tell puts what is known of the person in words, and into lines for whoever helps, which are in English.
func (v *visit) tell(a *askedPerson) {
	lines := []string{"organization " + v.id()}
	if u := a.user; u != nil {
		line := "account " + u.ID.String() + ": " + string(u.State)
		if u.PendingApproval {
			line += ", waits for approval"
		}
		if u.Package != "" {
			line += ", package " + u.Package
		}
		lines = append(lines, line)
	} else if !a.Several {
		lines = append(lines, "no account")
	}
	for i := range a.items {
		x := &a.items[i]
		a.Cards = append(a.Cards, aboutCard{v.failCard(x.Failure, x.FirstSeen), v.link("/failures/" + x.Ref)})
		lines = append(lines, v.s.catalogue.Line(x.Failure, failure.Languages()[0]))
	}
	for i := range a.attempts[:min(len(a.attempts), 3)] {
		x := &a.attempts[i]
		line := "sign-in by " + x.Source + " at " + x.At.UTC().Format(time.DateTime+"Z") + ": "
		if x.Code == 0 {
			line += "ok"
		} else {
			line += strings.TrimSpace(strconv.Itoa(int(x.Code))+" "+string(x.Reason)) + ", ref " + x.Ref
		}
		lines = append(lines, line)
	}
	a.Copy = strings.Join(append(lines, v.now.UTC().Format(time.DateTime+"Z")), "\n")
}

// checked is how a step of a checklist stands, for one person where about is not nil.
func (v *visit) checked(step string, about *askedPerson) ([]fact, error) {
	switch step {
	case "seats":
		return v.checkedSeats(about)
	case "approvals":
		if about != nil {
			return v.checkedApproval(about), nil
		}
		n, err := v.pendingAccounts()
		return []fact{{v.t("overview.pending", nil), atMost(n), v.link("/approvals")}}, err
	case "required":
		return v.checkedFields(about)
	case "member_status":
		return v.checkedMember(about)
	case "partner_id":
		answer := fact{Value: v.t("errors.nopartner", nil), Address: v.link("/organizations/" + v.id())}
		if v.org.Settings.PartnerID != "" {
			answer.Value = v.t("errors.partner", nil)
		}
		return []fact{answer}, nil
	}
	if about != nil && about.user != nil {
		return v.checkedState(step, about), nil
	}
	if about != nil {
		return []fact{{Value: v.t("errors.search", nil), Address: v.link("/users", "active", "any", "q", v.query("user"))}}, nil
	}
	return []fact{{Value: v.t("errors.search", nil), Address: v.link("/users", "active", "any")}}, nil
}

// checkedSeats says whether the person has a seat or waits for one, and else which are free.
func (v *visit) checkedSeats(about *askedPerson) (list []fact, err error) {
	if about != nil {
		for i := range about.items {
			if x := &about.items[i]; x.Reason == connector.NoSeat {
				list = append(list, fact{v.packageName(x.Package), v.t("errors.noseat", nil), v.link("/seats/" + x.Package + "#waiting")})
			}
		}
		if u := about.user; u != nil && u.Package != "" && len(list) == 0 {
			return []fact{{v.packageName(u.Package), v.t("errors.seat", nil), v.link("/seats/" + u.Package)}}, nil
		}
	}
	tiles, err := v.seatTiles()
	for _, t := range tiles {
		list = append(list, fact{t.Text, t.Number + " " + t.Note, t.Address})
	}
	return list, err
}

func (v *visit) checkedApproval(about *askedPerson) []fact {
	switch {
	case about.user == nil:
		return []fact{{Value: v.t("errors.noaccount", nil), Address: v.link("/approvals")}}
	case about.user.PendingApproval && v.may(handle):
		return []fact{{Value: v.t("errors.waits", nil), Address: about.Row.Address + "/approve"}}
	case about.user.PendingApproval:
		return []fact{{Value: v.t("errors.waits", nil), Address: v.link("/approvals")}}
	}
	return []fact{{Value: v.t("errors.nowait", nil)}}
}

// checkedFields says which required fields are missing: as the source's record was refused for them, or in the account.
func (v *visit) checkedFields(about *askedPerson) ([]fact, error) {
	if about == nil {
		return v.checkedOpen(connector.RequiredMissing)
	}
	var list []fact
	for i := range about.items {
		if x := &about.items[i]; x.Reason == connector.RequiredMissing {
			list = append(list, fact{v.t("errors.missing", nil), v.labels(x.Fields), v.link("/failures/" + x.Ref)})
		}
	}
	if list != nil || about.user == nil {
		return append(list, fact{Value: v.t("fields.title", nil), Address: v.link("/users/fields")}), nil
	}
	var missing []string
	for _, name := range policy.Required(v.org.Settings) {
		if about.user.Profile.Get(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return []fact{{Value: v.t("errors.complete", nil), Address: v.link("/users/fields")}}, nil
	}
	return []fact{{v.t("errors.missing", nil), v.labels(missing), v.link("/users/fields")}}, nil
}

func (v *visit) labels(names []string) string {
	labels := make([]string, len(names))
	for i, name := range names {
		labels[i] = v.s.catalogue.Label(name, v.lang)
	}
	return strings.Join(labels, ", ")
}

// checkedOpen counts the open failures of the organization with a reason.
func (v *visit) checkedOpen(r connector.Reason) ([]fact, error) {
	f, err := v.openWith(r)
	if f.Value == "" {
		f = fact{Name: v.t("errors.open", nil), Value: "0"}
	}
	return []fact{f}, err
}

// checkedMember counts the last attempts to sign in that carried Member Status, and the failures that sources met for it.
func (v *visit) checkedMember(about *askedPerson) (list []fact, err error) {
	var attempts []connector.Attempt
	var person string
	if about != nil {
		attempts, person = about.attempts, v.query("user")
		for i := range about.items {
			if x := &about.items[i]; x.Reason == connector.MemberStatusPresent {
				list = append(list, fact{v.t("errors.open", nil), v.s.catalogue.When(x.Reason, v.lang), v.link("/failures/" + x.Ref)})
			}
		}
	} else {
		if list, err = v.checkedOpen(connector.MemberStatusPresent); err != nil {
			return nil, err
		}
		if attempts, err = v.s.o.Store.Attempts(v.r.Context(), connector.AttemptQuery{Org: v.id(), Limit: lastTried}); err != nil {
			return nil, err
		}
	}
	n := 0
	for i := range attempts {
		if attempts[i].Reason == connector.MemberStatusPresent {
			n++
		}
	}
	answer := fact{Name: v.s.pages.Count(v.lang, "errors.attempts", len(attempts)), Value: v.number(n)}
	if len(attempts) > 0 {
		answer.Address = v.link("/sso/attempts", "reason", string(connector.MemberStatusPresent), "q", person)
	}
	return append(list, answer), nil
}

// checkedState are the steps for an account that worked before: found, in which state, and how it works again.
func (v *visit) checkedState(step string, about *askedPerson) []fact {
	row := about.Row
	switch {
	case step == "inactive":
		return []fact{{v.t("users.statehead", nil), row.State.Text, row.Address}}
	case step == "search":
		return []fact{{v.t("errors.found", nil), row.Name, row.Address}}
	case about.user.State != connector.Inactive:
		return []fact{{Value: v.t("errors.notinactive", nil)}}
	case v.may(handle):
		return []fact{{Value: v.t("users.reactivate.link", nil), Address: row.Address + "/reactivate"}}
	}
	return []fact{{Value: v.t("errors.inactive", nil), Address: row.Address}}
}
