package console

import (
	"net/http"

	"usherd/connector"
)

func (s *Server) approvals() {
	s.page("/approvals", see, (*visit).approvals)
	s.body("approvals", approvalsPage{})
}

// approvalsPage is what somebody has to decide: runs that are held, and accounts that wait.
type approvalsPage struct {
	Runs     []heldRow
	Accounts []accountRow
	Pager    pager // of the accounts
}

// heldRow is a run that waits.
type heldRow struct {
	runRow
	Hold *holdCard
}

// accountRow is somebody who waits, with what can be done.
type accountRow struct {
	userRow
	Since   *instant
	Actions []actionLink
}

func (v *visit) approvals() {
	var p approvalsPage
	held, err := v.s.o.Store.OpenHolds(v.r.Context(), v.id(), "")
	if err != nil {
		v.accident("approvals", err)
		return
	}
	for _, r := range held {
		if r.Hold.Open(v.now) && v.query("after") == "" {
			p.Runs = append(p.Runs, heldRow{v.runRow(r), v.holdCard(r)})
		}
	}
	users, next, err := v.s.o.Store.ListUsers(v.r.Context(), connector.UserQuery{Org: v.id(), Pending: true, After: v.after(), Limit: perPage})
	if err != nil {
		v.accident("approvals", err)
		return
	}
	f := frame{v: v}
	for _, u := range users {
		row := accountRow{userRow: v.userRow(u), Since: f.At(u.CreatedAt)}
		for _, a := range []string{"approve", "reject"} {
			if v.may(handle) {
				row.Actions = append(row.Actions, actionLink{v.t("users."+a+".link", nil), v.link("/users/" + u.ID.String() + "/" + a), a == "reject"})
			}
		}
		p.Accounts = append(p.Accounts, row)
	}
	p.Pager = v.pager(next, len(users))
	v.show(http.StatusOK, "approvals", frame{Title: v.t("nav.approvals", nil), State: v.t("approvals.state", nil)}, p)
}
