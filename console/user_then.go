package console

import (
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

// userThen is the form that asks why somebody was as it was at a time.
type userThen struct {
	Value string // of the field, in UTC
	Fault string // what is wrong with it; "" = nothing
	At    string // that the page is about, in UTC; "" = now
	Now   string // address of the page of now
}

// localInstants are the forms in which browsers send the field; times are in UTC, as the page says.
var localInstants = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05.999", time.RFC3339}

// thenAsked reads the time that the address asks about; zero = now. What is no time that is over is told in the form.
func (v *visit) thenAsked(u *connector.User) (at time.Time, form userThen) {
	text := v.query("at")
	form = userThen{Value: text, Now: v.link("/users/" + u.ID.String())}
	if text == "" {
		return at, form
	}
	for _, layout := range localInstants {
		if t, err := time.Parse(layout, text); err == nil {
			at = t.UTC()
			break
		}
	}
	switch {
	case at.IsZero():
		form.Value, form.Fault = "", v.t("users.then.bad", nil)
		return at, form
	case at.After(v.now):
		form.Fault = v.t("users.then.future", nil)
	case at.Before(u.CreatedAt):
		form.Fault = v.t("users.then.before", map[string]string{"At": u.CreatedAt.UTC().Format(time.DateTime)})
	}
	// The field has whole seconds: up, so that who sends it again still sees the change that the address was about.
	form.Value = at.Add(time.Second - time.Nanosecond).Truncate(time.Second).Format("2006-01-02T15:04:05")
	if form.Fault != "" {
		return time.Time{}, form
	}
	return at, form
}

// explained tells why somebody is as it is, or was at the time that the address asks about.
func (v *visit) explained(u *connector.User) (*provision.Explanation, userThen, error) {
	at, form := v.thenAsked(u)
	say, err := report.Explain(v.lang)
	if err != nil {
		return nil, form, err
	}
	e, err := v.org.Writer.Explain(v.r.Context(), provision.ExplainRequest{User: u.ID, Say: say, At: at, Words: func(f connector.Failure) (string, []string) {
		t := v.s.catalogue.TextWithContact(f, v.org.Settings.Contact, v.lang)
		return t.Title, t.Remedy
	}})
	if err == nil && e.Past {
		form.At = e.At.UTC().Format(time.DateTime)
	}
	return e, form, err
}

// asOf is somebody as an explanation tells of it.
func asOf(u *connector.User, e *provision.Explanation) *connector.User {
	was := &connector.User{
		ID: u.ID, Org: u.Org, State: e.State, Version: e.Version, CreatedAt: u.CreatedAt, UpdatedAt: e.At, PendingApproval: e.PendingApproval,
		Package: e.Package.ID, Profile: connector.Profile{},
	}
	for _, a := range e.Attributes {
		was.Profile[a.Name] = a.Values
	}
	if d := e.Deactivated; d != nil {
		was.DeactivatedBy, was.DeactivatedSource, was.DeactivatedReason = d.By, d.Source, d.Reason
		was.DeactivatedAt, was.DeleteAt, was.Resume = d.At, d.DeleteAt, d.Before
	}
	return was
}

// history reads what sources have of a person and its last changes, the latest first. What can be done is about now only.
func (v *visit) history(p *userPage, u *connector.User) error {
	links, err := v.s.o.Store.UserLinks(v.r.Context(), u.Org, u.ID)
	if err != nil {
		return err
	}
	if !p.Explanation.Past {
		p.Actions = append(v.actionsOf(u), v.asksOf(u, links)...)
		if p.Origin, err = v.originOf(links); err != nil {
			return err
		}
	}
	for _, r := range p.Explanation.Records {
		row := linkRow{r.Source, r.Anchor, v.personal(r.DN), v.standingWord(r.Standing)}
		if r.Later {
			row.Standing = v.t("users.then.later", nil)
		}
		p.Links = append(p.Links, row)
	}
	var last []connector.Event
	for e, err := range v.s.o.Store.UserEvents(v.r.Context(), u.Org, u.ID) {
		if err != nil {
			return err
		}
		if last = append(last, e); len(last) > lastEvents {
			last, p.Older = last[1:], true
		}
	}
	for _, e := range slices.Backward(last) {
		p.Events = append(p.Events, v.eventRow(p, u, &e))
	}
	return nil
}

func (v *visit) eventRow(p *userPage, u *connector.User, e *connector.Event) eventRow {
	f := frame{v: v}
	row := eventRow{
		At: f.At(e.At), Action: v.t("words.action."+string(e.Action), nil), Cause: e.Cause.Actor, Source: e.Source, Changes: v.differences(e.Fields),
		Why:  v.link("/users/"+u.ID.String()+"#why", "at", e.At.UTC().Format(time.RFC3339Nano)),
		Here: p.Explanation.Past && e.Version == p.Explanation.Version,
	}
	if row.Changes != nil { // what administrators write of somebody may name the person
		for _, r := range row.Changes.Rows {
			for i := range r.Before {
				r.Before[i] = p.Hide(r.Before[i])
			}
			for i := range r.After {
				r.After[i] = p.Hide(r.After[i])
			}
		}
	}
	if !e.Cause.Run.IsZero() {
		row.Run = v.runAddress(&connector.Run{ID: e.Cause.Run})
	}
	return row
}
