package console

import (
	"net/http"
	"strconv"

	"usherd/connector"
	"usherd/connector/provision"
)

// subscriberPage is one subscriber with every attempt.
type subscriberPage struct {
	subscriberRow
	Card    *failCard
	User    string // address of the account; "" = there is none
	Proven  bool
	Came    *instant
	Actions []actionLink
	History []attemptRow
}

// attemptRow is one thing that happened to a subscriber.
type attemptRow struct {
	At        *instant
	What      string
	By        string
	Status    pill
	Email     string
	Code      string
	Reason    string
	Ref       string
	HasFailed bool
}

// lastAttempts is how much of the history the page shows.
const lastAttempts = 100

// theSubscriber is the one that the path names; where there is none, that is answered.
func (v *visit) theSubscriber() (*connector.Subscriber, bool) {
	id, _ := connector.ParseID(v.r.PathValue("subscriber")) // none is nobody's
	s, err := v.s.o.Store.Subscriber(v.r.Context(), v.id(), id)
	if err != nil {
		v.accident("subscriber", err)
	}
	return s, err == nil
}

func (v *visit) subscriber() {
	s, ok := v.theSubscriber()
	if !ok {
		return
	}
	f := frame{v: v}
	p := subscriberPage{subscriberRow: v.subscriberRow(s), Proven: !s.ProvenAt.IsZero(), Came: f.At(s.CreatedAt), Actions: v.subscriberActions(s)}
	if s.Failure != nil {
		card := v.failCard(*s.Failure, s.Failure.At)
		p.Card = &card
	}
	if !s.User.IsZero() {
		p.User = v.link("/users/" + s.User.String())
	}
	events, err := v.s.o.Store.SubscriberEvents(v.r.Context(), v.id(), s.ID, lastAttempts)
	if err != nil {
		v.accident("subscriber", err)
		return
	}
	for i := range events {
		p.History = append(p.History, v.attemptRow(&events[i]))
	}
	v.show(http.StatusOK, "subscriber", frame{Title: p.Person, Crumbs: v.provisioningCrumbs()}, p)
}

func (v *visit) attemptRow(e *connector.SubscriberEvent) attemptRow {
	f := frame{v: v}
	row := attemptRow{
		At: f.At(e.At), What: v.t("provisioning.step."+string(e.What), nil), By: e.Actor, Status: v.statusPill(e.Status), Email: v.personal(e.Email),
		Reason: string(e.Reason), Ref: e.Ref, HasFailed: e.Code != 0,
	}
	if row.HasFailed {
		row.Code = strconv.Itoa(int(e.Code))
	}
	return row
}

func (v *visit) provisioningCrumbs() []crumb {
	return []crumb{{v.t("nav.provisioning", nil), v.link("/provisioning")}}
}

// subscriberActions are what this administrator can do for a subscriber who has come that far.
func (v *visit) subscriberActions(s *connector.Subscriber) []actionLink {
	at := func(name string, danger bool) actionLink {
		return actionLink{v.t("provisioning."+name+".link", nil), v.link("/provisioning/" + s.ID.String() + "/" + name), danger}
	}
	var list []actionLink
	if v.org.Settings.Template(s.Template) != nil && v.may(handle) {
		if s.Status != connector.Provisioned {
			list = append(list, at("retry", false))
		}
		if len(v.org.Settings.Packages) > 0 {
			list = append(list, at("package", false))
		}
	}
	if v.may(remove) {
		list = append(list, at("delete", true))
	}
	return list
}

// activationPage asks for the address with which somebody is tried again.
type activationPage struct {
	Effect, Email, Button, Back, Fault string
	Card                               *failCard
}

func (v *visit) subscriberFrame(s *connector.Subscriber, title string) frame {
	return frame{Title: v.t(title, nil), Crumbs: append(v.provisioningCrumbs(), crumb{v.personal(s.Shown()), v.link("/provisioning/" + s.ID.String())})}
}

func (v *visit) askActivation() {
	if s, ok := v.theSubscriber(); ok {
		v.showActivation(http.StatusOK, s, v.subscriberForm().Document(s).Email, "")
	}
}

// showActivation shows the form, with what was wrong with the address that was entered.
func (v *visit) showActivation(status int, s *connector.Subscriber, email, fault string) {
	p := activationPage{Effect: v.t("provisioning.retry.effect", nil), Email: email, Button: v.t("provisioning.retry.button", nil), Back: v.link("/provisioning/" + s.ID.String()), Fault: fault}
	if t := v.org.Settings.Template(s.Template); t != nil && t.Untrusted {
		p.Effect = v.t("provisioning.retry.proves", nil)
	}
	if s.Failure != nil {
		card := v.failCard(*s.Failure, s.Failure.At)
		p.Card = &card
	}
	v.show(status, "activation", v.subscriberFrame(s, "provisioning.retry.link"), p)
}

func (v *visit) doActivation() {
	s, ok := v.theSubscriber()
	if !ok {
		return
	}
	email := v.value("email")
	after, err := v.org.Writer.RetrySubscriber(v.r.Context(), v.subscriberCommand(s), email)
	if connector.KindOf(err) == connector.Invalid {
		v.showActivation(http.StatusUnprocessableEntity, s, email, v.words(err))
		return
	}
	v.subscriberChanged(after, err, "retry")
}

func (v *visit) subscriberCommand(s *connector.Subscriber) provision.SubscriberCommand {
	return provision.SubscriberCommand{ID: s.ID, Actor: v.session.Actor()}
}

// subscriberChanged shows what a change of a subscriber has come to.
func (v *visit) subscriberChanged(s *connector.Subscriber, err error, what string) {
	if err != nil {
		v.accident("subscriber", err)
		return
	}
	back := v.link("/provisioning/" + s.ID.String())
	if s.Failure != nil {
		v.show(http.StatusConflict, "refused", v.subscriberFrame(s, "provisioning."+what+".link"), refused{v.failCard(*s.Failure, s.Failure.At), back})
		return
	}
	v.done(back, "good", "provisioning."+what+".done", map[string]string{"Name": v.personal(s.Shown()), "Status": v.statusPill(s.Status).Text})
}

func (v *visit) askSubscriberPackage() {
	s, ok := v.theSubscriber()
	if !ok {
		return
	}
	packages, err := v.packageChoices(v.packageOf(s))
	if err != nil {
		v.accident("package", err)
		return
	}
	v.show(http.StatusOK, "confirm", v.subscriberFrame(s, "provisioning.package.link"), confirm{
		Effect: []string{v.t("provisioning.package.effect", nil)}, Button: v.t("provisioning.package.button", nil), Back: v.link("/provisioning/" + s.ID.String()),
		Choices: append(packages, choice{Value: templatesPackage, Text: v.t("provisioning.package.templates", nil)}),
	})
}

func (v *visit) doSubscriberPackage() {
	s, ok := v.theSubscriber()
	if !ok {
		return
	}
	after, err := v.org.Writer.SetSubscriberPackage(v.r.Context(), v.subscriberCommand(s), packageChosen(v.value("choice")))
	v.subscriberChanged(after, err, "package")
}

func (v *visit) askForget() {
	s, ok := v.theSubscriber()
	if !ok {
		return
	}
	effect := []string{v.t("provisioning.delete.effect", nil)}
	if !s.User.IsZero() {
		effect = append(effect, v.t("provisioning.delete.account", nil))
	}
	v.show(http.StatusOK, "confirm", v.subscriberFrame(s, "provisioning.delete.link"), confirm{
		Effect: effect, Button: v.t("provisioning.delete.button", nil), Danger: true, Back: v.link("/provisioning/" + s.ID.String()),
	})
}

func (v *visit) doForget() {
	s, ok := v.theSubscriber()
	if !ok {
		return
	}
	if err := v.org.Writer.DeleteSubscriber(v.r.Context(), v.subscriberCommand(s)); err != nil {
		v.accident("subscriber", err)
		return
	}
	v.done(v.link("/provisioning"), "good", "provisioning.delete.done", map[string]string{"Name": v.personal(s.Shown())})
}
