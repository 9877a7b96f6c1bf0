package console

import (
	"net/http"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/connector/provision"
)

// approvePage shows what an approval would do, and asks how many people it is about.
type approvePage struct {
	Hold    *holdCard
	People  string // address of the list
	Actions []option
	Confirm bool // the number of people is to be typed
	Fault   string
	Back    string
	Entered approval
}

// approval is what was entered.
type approval struct{ Action, Only, Except, Count, Reason string }

// typedFrom is how many people have to be held for the number to be typed.
const typedFrom = 25

func (v *visit) askApprove() {
	if r, ok := v.theRun(); ok {
		v.showApprove(r, approval{}, http.StatusOK, "")
	}
}

func (v *visit) showApprove(r *connector.Run, entered approval, status int, fault string) {
	p := approvePage{
		Hold: v.holdCard(r), People: v.link("/runs/"+r.ID.String(), "tab", "held"), Confirm: r.Counts.Held >= typedFrom, Fault: fault,
		Back: v.link("/runs/" + r.ID.String()), Entered: entered,
	}
	if err := v.org.Writer.CheckHold(r); err != nil {
		v.accident("approve", err)
		return
	}
	for _, a := range []connector.Action{connector.Created, connector.Updated, connector.Reactivated, connector.Deactivated, connector.Removed} {
		p.Actions = append(p.Actions, option{string(a), v.t("words.action."+string(a), nil), string(a) == entered.Action})
	}
	v.show(status, "approve", frame{Title: v.t("runs.approve.link", nil), Crumbs: v.runCrumbs(r)}, p)
}

func (v *visit) runCrumbs(r *connector.Run) []crumb {
	return append(v.runsCrumb(), crumb{r.Source + " · " + r.ID.Short(), v.link("/runs/" + r.ID.String())})
}

// names are the people whom somebody has named, one a line.
func names(text string) (list []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// maxNamed bounds how many people are named one by one.
const maxNamed = 1000

func (v *visit) doApprove() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	x := approval{v.value("action"), v.value("only"), v.value("except"), v.value("count"), v.value("reason")}
	part := connector.Part{Only: names(x.Only), Except: names(x.Except), Action: connector.Action(x.Action)}
	fault := ""
	switch {
	case r.Counts.Held >= typedFrom && x.Count != strconv.Itoa(r.Counts.Held):
		fault = v.t("runs.approve.count", map[string]string{"Held": v.number(r.Counts.Held)})
	case len(part.Only) > 0 && (len(part.Except) > 0 || part.Action != ""):
		fault = v.t("runs.approve.either", nil)
	case len(part.Only)+len(part.Except) > maxNamed:
		fault = v.t("runs.approve.toomany", map[string]string{"Most": v.number(maxNamed)})
	}
	if fault != "" {
		v.showApprove(r, x, http.StatusUnprocessableEntity, fault)
		return
	}
	if err := v.org.Writer.CheckHold(r); err != nil {
		v.accident("approve", err)
		return
	}
	id, first, err := v.s.o.Runner.Approve(v.r.Context(), r, part, v.session.Actor())
	if err == nil && first {
		v.done(v.link("/runs/"+r.ID.String()), "info", "runs.approve.first", nil)
		return
	}
	v.begun("runs.approve.done", id, err)
}

func (v *visit) askReject() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	if err := v.org.Writer.CheckHold(r); err != nil {
		v.accident("reject", err)
		return
	}
	v.show(http.StatusOK, "confirm", frame{Title: v.t("runs.reject.link", nil), Crumbs: v.runCrumbs(r)}, confirm{
		Effect: []string{v.told(r.Hold.Reason), v.t("runs.reject.effect", nil)}, Button: v.t("runs.reject.button", nil), Danger: true, Reason: true, Back: v.link("/runs/" + r.ID.String()),
	})
}

func (v *visit) doReject() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	err := v.org.Writer.CheckHold(r)
	if err == nil {
		err = v.org.Writer.Reject(v.r.Context(), r, v.session.Actor())
	}
	v.begun("runs.reject.done", r.ID, err)
}

func (v *visit) askRollback() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	v.show(http.StatusOK, "confirm", frame{Title: v.t("runs.rollback.link", nil), Crumbs: v.runCrumbs(r)}, confirm{
		Effect: []string{v.s.pages.Count(v.lang, "runs.rollback.people", r.Counts.Changed()), v.t("runs.rollback.effect", nil)},
		Button: v.t("runs.rollback.button", nil), Back: v.link("/runs/" + r.ID.String()),
	})
}

// doRollback plans what putting back would do: the plan waits for approval like any other.
func (v *visit) doRollback() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	id, err := v.s.o.Runner.Rollback(v.r.Context(), v.id(), provision.RollbackRequest{Run: r.ID, Actor: v.session.Actor()})
	v.begun("runs.rollback.done", id, err)
}
