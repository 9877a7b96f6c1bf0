package console

import (
	"net/http"

	"usherd/connector"
	"usherd/connector/report"
)

// lastFull is the last full run of a source that has ended, nil where the last ones are all of another kind.
func (v *visit) lastFull(source string) (*connector.Run, error) {
	list, err := v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Source: source, Limit: recent})
	for _, r := range list {
		if r.Mode == connector.ModeFull && !r.Finished.IsZero() && r.Result != connector.ResultFailed && r.Result != connector.ResultCancelled {
			return r, err
		}
	}
	return nil, err
}

// heldGroups fills in what became of groups that the run left as they were.
func (v *visit) heldGroups(p *runPage, r *connector.Run) error {
	h := r.GroupHold
	if h == nil {
		return nil
	}
	p.GroupHold, p.Groups = &groupCard{Reason: v.told(h.Reason), Counts: p.Groups}, nil
	last, err := v.lastFull(r.Source)
	if err != nil {
		return err
	}
	switch {
	case last != nil && last.ID != r.ID && last.Started.After(r.Started):
		p.GroupHold.Later = v.runAddress(last)
	case h.Digest != "":
		p.GroupHold.Command = "usherd sync --org " + r.Org + " --source " + r.Source + " --accept-groups " + h.Digest
		if v.may(decide) {
			p.Actions = append(p.Actions, actionLink{Text: v.t("runs.groupheld.link", nil), Address: v.link("/runs/" + p.ID + "/groups")})
		}
	}
	return nil
}

// groupCounts are what a run found of groups.
func (v *visit) groupCounts(g connector.GroupCounts) (list []fact) {
	for _, x := range []struct {
		name string
		n    int
	}{{"created", g.Created}, {"updated", g.Updated}, {"deleted", g.Deleted}, {"members_added", g.MembersAdded}, {"members_removed", g.MembersRemoved}} {
		if x.n > 0 {
			list = append(list, fact{report.Word(v.lang, "group", x.name), v.number(x.n), ""})
		}
	}
	return list
}

// theGroups is the run that the path names, and answers where it holds no groups that can be accepted.
func (v *visit) theGroups() (*connector.Run, bool) {
	r, ok := v.theRun()
	if ok && (r.GroupHold == nil || r.GroupHold.Digest == "") {
		v.say(http.StatusConflict, "runs.groupheld.no", nil)
		return nil, false
	}
	return r, ok
}

func (v *visit) askGroups() {
	r, ok := v.theGroups()
	if !ok {
		return
	}
	c := confirm{
		Effect: []string{v.told(r.GroupHold.Reason), v.t("runs.groupheld.effect", nil)}, Button: v.t("runs.groupheld.button", nil), Danger: true, Reason: true,
		Back: v.link("/runs/" + r.ID.String()),
	}
	for _, x := range v.groupCounts(r.Groups) {
		c.Effect = append(c.Effect, x.Name+": "+x.Value)
	}
	v.show(http.StatusOK, "confirm", frame{Title: v.t("runs.groupheld.link", nil), Crumbs: v.runCrumbs(r)}, c)
}

// doGroups starts a full run: the groups are changed only where it finds exactly what this one has found.
func (v *visit) doGroups() {
	r, ok := v.theGroups()
	if !ok {
		return
	}
	id, err := v.s.o.Runner.AcceptGroups(v.r.Context(), v.id(), r.Source, r.GroupHold.Digest, v.session.Actor())
	v.begun("runs.groupheld.done", id, err)
}
