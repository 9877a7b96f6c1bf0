package console

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/subscribers"
)

// SubscriberStore is what the pages about subscribers read.
type SubscriberStore interface {
	Subscriber(ctx context.Context, org string, id connector.ID) (*connector.Subscriber, error)
	Subscribers(ctx context.Context, q connector.SubscriberQuery) (list []*connector.Subscriber, next string, err error)
	CountSubscribers(ctx context.Context, org, template string) (map[connector.SubscriberStatus]int, error)
	SubscriberEvents(ctx context.Context, org string, id connector.ID, limit int) ([]connector.SubscriberEvent, error)
}

// SubscriberWriter changes subscribers.
type SubscriberWriter interface {
	RetrySubscriber(ctx context.Context, c provision.SubscriberCommand, email string) (*connector.Subscriber, error)
	SetSubscriberPackage(ctx context.Context, c provision.SubscriberCommand, pkg string) (*connector.Subscriber, error)
	DeleteSubscriber(ctx context.Context, c provision.SubscriberCommand) error
}

func (s *Server) provisioning() {
	s.list("/provisioning", (*visit).provisioning, "status", "reason", "template", "exclude")
	s.body("provisioning", provisioningPage{})
	s.page("/provisioning/export.csv", export, (*visit).exportProvisioning)
	s.page("/provisioning/{subscriber}", see, (*visit).subscriber)
	s.body("subscriber", subscriberPage{})
	s.action("/provisioning/{subscriber}/retry", need{permission: handle}, (*visit).askActivation, (*visit).doActivation)
	s.body("activation", activationPage{})
	s.action("/provisioning/{subscriber}/package", need{permission: handle}, (*visit).askSubscriberPackage, (*visit).doSubscriberPackage)
	s.action("/provisioning/{subscriber}/delete", need{permission: remove}, (*visit).askForget, (*visit).doForget)
}

// provisioningPage is the list of people whom upstream systems have announced, with how far each has come.
type provisioningPage struct {
	Query, Reason       string
	Templates, Statuses []option
	Exclude             bool // whoever is provisioned is left out
	Hidden              int  // how many of those are, where nothing else is asked for
	ShowAll             string
	Counts              []tile
	Rows                []subscriberRow
	Pager               pager
	Export              string
	Deeds               []option // what can be done to many of them
	Choose              string   // address to which the choice goes
	Columns             columns
	All                 string // what the box says that chooses all who match
	Here                string
	Any                 bool // there are some, though none may fit
	Templated           bool // the configuration has templates
}

// subscriberRow is one subscriber.
type subscriberRow struct {
	ID, Address, Name, Person, Email, Template, Package string
	Status                                              pill
	Unproven                                            bool   // the template does not believe the address, and nobody has proved it
	Next                                                string // when it goes on; "" = it is provisioned
	Copy                                                string // error text; "" = there is none
	Actions                                             []actionLink
	Title, Reason                                       string // of the failure; "" = there is none
	Tries                                               string
	Updated                                             *instant
}

// asked is what the filters of the page ask for.
func (v *visit) askedSubscribers(limit int) connector.SubscriberQuery {
	return connector.SubscriberQuery{
		Org: v.id(), Template: v.query("template"), Status: connector.SubscriberStatus(v.query("status")), Reason: connector.Reason(v.query("reason")),
		Search: v.query("q"), HideProvisioned: v.query("exclude") == "provisioned" && v.query("status") != string(connector.Provisioned), Limit: limit,
	}
}

func (v *visit) provisioning() {
	q := v.askedSubscribers(perPage)
	q.After = v.after()
	counts, err := v.s.o.Store.CountSubscribers(v.r.Context(), v.id(), q.Template)
	if err != nil {
		v.accident("provisioning", err)
		return
	}
	plain := q.Status == "" && q.Reason == "" && q.Search == ""
	if v.query("exclude") == "" && plain { // where something has failed, that is what is looked for
		q.HideProvisioned = counts[connector.SubscriberError] > 0
	}
	p := provisioningPage{
		Query: q.Search, Reason: string(q.Reason), Exclude: q.HideProvisioned, Export: v.asShown("/provisioning/export.csv", q), Templated: len(v.org.Settings.Templates) > 0,
		Deeds: v.deedsFor(announced), Choose: v.asShown("/provisioning", q), All: v.allMatching(q, counts), ShowAll: v.with("exclude", "none"), Here: v.asShown("/provisioning", q),
		Columns: v.columns(columnsOfSubscribers),
	}
	if q.HideProvisioned && plain {
		p.Hidden = counts[connector.Provisioned]
	}
	for _, t := range v.org.Settings.Templates {
		p.Templates = append(p.Templates, option{t.ID, t.Name, t.ID == q.Template})
	}
	for _, status := range connector.SubscriberStatuses() {
		text := v.statusPill(status)
		p.Statuses = append(p.Statuses, option{string(status), text.Text, status == q.Status})
		if n := counts[status]; n > 0 {
			p.Any = true
			p.Counts = append(p.Counts, tile{Text: text.Text, Number: v.number(n), Address: v.with("status", string(status)), Kind: text.Kind, Share: -1})
		}
	}
	list, next, err := v.s.o.Store.Subscribers(v.r.Context(), q)
	if err != nil {
		v.accident("provisioning", err)
		return
	}
	for _, s := range list {
		p.Rows = append(p.Rows, v.subscriberRow(s))
	}
	p.Pager = v.pager(next, len(p.Rows))
	v.show(http.StatusOK, "provisioning", frame{Title: v.t("nav.provisioning", nil), State: v.t("provisioning.state", nil)}, p)
}

// asShown is the address of a path for what the page shows: with the filter that it has set by itself.
func (v *visit) asShown(path string, q connector.SubscriberQuery) string {
	if !q.HideProvisioned || v.query("exclude") != "" {
		return v.here(path)
	}
	u, err := url.Parse(v.here(path))
	if err != nil {
		return path
	}
	values := u.Query()
	values.Set("exclude", "provisioned")
	u.RawQuery = values.Encode()
	return u.String()
}

// allMatching names all whom the filters ask for, by their number where the counts tell it.
func (v *visit) allMatching(q connector.SubscriberQuery, counts map[connector.SubscriberStatus]int) string {
	if q.Search != "" || q.Reason != "" {
		return v.t("people.select.all", nil)
	}
	n := 0
	for status, k := range counts {
		if (q.Status == "" || q.Status == status) && (!q.HideProvisioned || status != connector.Provisioned) {
			n += k
		}
	}
	return v.t("provisioning.select.alln", map[string]string{"N": v.number(n)})
}

// statusPill says how far a subscriber has come.
func (v *visit) statusPill(s connector.SubscriberStatus) pill {
	kind := "info"
	switch s {
	case connector.Provisioned:
		kind = "good"
	case connector.SubscriberError:
		kind = "bad"
	case connector.Provisioning, connector.Updating, connector.PendingClaim:
		kind = "wait"
	case connector.PendingEmailInput, connector.PendingEmailValidation:
	}
	return pill{v.t("provisioning.status."+string(s), nil), kind}
}

// form is how subscribers are written.
func (v *visit) subscriberForm() subscribers.Form {
	return subscribers.Form{Catalogue: v.s.catalogue, Lang: v.lang}
}

func (v *visit) subscriberRow(s *connector.Subscriber) subscriberRow {
	d := v.subscriberForm().Document(s)
	f := frame{v: v}
	row := subscriberRow{
		ID: d.ID, Address: v.link("/provisioning/" + d.ID), Name: v.personal(s.Name), Person: v.personal(d.Name), Email: v.personal(d.Email), Template: s.Template,
		Package: v.packageName(v.packageOf(s)), Status: v.statusPill(s.Status), Tries: strconv.Itoa(s.Tries), Updated: f.At(s.UpdatedAt),
	}
	t := v.org.Settings.Template(s.Template)
	row.Unproven = d.Email != "" && s.ProvenAt.IsZero() && t != nil && t.Untrusted
	row.Next = v.goesOn(s)
	row.Actions = v.subscriberActions(s)
	if s.Failure != nil {
		row.Title, row.Reason = d.Failure.Title, string(s.Failure.Reason)
		row.Copy = v.failCard(*s.Failure, s.Failure.At).Copy
	}
	return row
}

// goesOn says when a subscriber comes further; "" = it has come to the end.
func (v *visit) goesOn(s *connector.Subscriber) string {
	switch {
	case s.Status == connector.Provisioned:
		return ""
	case s.Status == connector.SubscriberError && s.Failure != nil && s.Failure.Reason == connector.NoSeat:
		return v.t("provisioning.next."+string(connector.Updating), nil)
	}
	return v.t("provisioning.next."+string(s.Status), nil)
}

// packageOf is the package that a subscriber has or is to have.
func (v *visit) packageOf(s *connector.Subscriber) string {
	if s.Package != "" {
		return s.Package
	}
	if source := v.org.Settings.Source(s.Template); source != nil && source.Package != "" {
		return source.Package
	}
	return v.org.Settings.DefaultPackage
}

// exportProvisioning sends what the filters ask for as a file, masked for whoever sees personal data masked.
func (v *visit) exportProvisioning() {
	v.sheet("provisioning", "provisioning", subscribers.Columns(), v.subscriberCells(v.filteredSubscribers()))
}

// filteredSubscribers are all whom the filters of the list ask for, in its order.
func (v *visit) filteredSubscribers() iter.Seq2[*connector.Subscriber, error] {
	q := v.askedSubscribers(exportStep)
	return func(yield func(*connector.Subscriber, error) bool) {
		for {
			list, next, err := v.s.o.Store.Subscribers(v.r.Context(), q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, s := range list {
				if !yield(s, nil) {
					return
				}
			}
			if q.After = next; next == "" {
				return
			}
		}
	}
}

func (v *visit) subscriberCells(list iter.Seq2[*connector.Subscriber, error]) iter.Seq2[[]string, error] {
	form := v.subscriberForm()
	return func(yield func([]string, error) bool) {
		for s, err := range list {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(v.maskedRow(s, form.Row(s)), nil) {
				return
			}
		}
	}
}

// maskedRow masks what tells of a person by name, for whoever sees that masked.
func (v *visit) maskedRow(s *connector.Subscriber, row []string) []string {
	if v.may(inClear) {
		return row
	}
	for i, name := range subscribers.Columns() {
		switch name {
		case subscribers.IDColumn, "name", "email":
			row[i] = mask(row[i])
		case "error":
			if s.Failure != nil {
				row[i] = string(s.Failure.Reason)
			}
		}
	}
	return row
}
