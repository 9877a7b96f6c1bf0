package console

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
)

// FailureStore is what the pages about failures read and close.
type FailureStore interface {
	OpenItem(ctx context.Context, org, ref string) (connector.OpenItem, error)
	CountItems(ctx context.Context, q connector.ItemQuery, most int) (n int, more bool, err error)
	OpenItemsByRef(ctx context.Context, org string, refs []string) ([]connector.OpenItem, error)
	Dismiss(ctx context.Context, org, ref string) error
}

func (s *Server) failures() {
	s.list("/failures", (*visit).failures, "code", "reason", "source")
	s.body("failures", failuresPage{})
	s.page("/failures/export.csv", export, (*visit).exportFailures)
	s.page("/failures/{ref}", see, (*visit).failure)
	s.body("failure", failurePage{})
	s.action("/failures/{ref}/retry", need{permission: handle}, (*visit).askRetry, (*visit).doRetry)
	s.action("/failures/{ref}/dismiss", need{permission: decide}, (*visit).askDismiss, (*visit).doDismiss)
}

// failuresPage is the list of who has no account, or no update, and why.
type failuresPage struct {
	Query, Source, Reason string
	Codes, Sources        []option
	Kinds                 []kindTile // how many are open for which reason, with no filter at all
	Filtered              bool
	Rows                  []failureRow
	Pager                 pager
	Export                string
	Columns               columns
	Deeds                 []option // what can be done to many of them
	All                   string   // what the box says that chooses all that match
}

// kindTile is what is open for one reason.
type kindTile struct {
	tile
	Retry string // address where all of them are chosen to be tried again; "" = this administrator may not, or there is nobody to ask
}

// failureRow is one person with one failure.
type failureRow struct {
	ID                      string
	Address, Person, Source string
	Title, Reason, Message  string
	ByReason                string // the list with this reason alone
	First, Last             *instant
	Times                   string
	LastRun                 string // address of the run that met it last; "" = it was no run
	Again                   string // when it is tried again by itself
}

func (v *visit) failures() {
	q := v.askedItems(perPage)
	q.After = v.after()
	p := failuresPage{
		Query: q.Subject, Source: q.Source, Reason: string(q.Reason), Filtered: q.Subject != "" || q.Source != "" || q.Reason != "" || q.Code != 0,
		Export: v.here("/failures/export.csv"), Columns: v.columns(columnsOfFailures),
	}
	for _, s := range v.org.Settings.Sources {
		p.Sources = append(p.Sources, option{s.ID, s.ID, s.ID == p.Source})
	}
	items, next, err := v.s.o.Store.OpenItems(v.r.Context(), q)
	if err == nil {
		err = v.fillKinds(&p, q)
	}
	if p.Deeds = v.deedsFor(failing); err == nil && len(p.Deeds) > 0 {
		p.All, err = v.allItems(q, len(items), next)
	}
	if err != nil {
		v.accident("failures", err)
		return
	}
	for i := range items {
		p.Rows = append(p.Rows, v.failureRow(&items[i]))
	}
	p.Pager = v.pager(next, len(items))
	v.show(http.StatusOK, "failures", frame{Title: v.t("nav.failures", nil), State: v.t("failures.state", nil)}, p)
}

// countedItems is to how many a list is counted.
const countedItems = 10_000

// allItems says how many failures there are that the filters ask for, of which a page shows so many.
func (v *visit) allItems(q connector.ItemQuery, shown int, next string) (string, error) {
	n, more := shown, false
	if next != "" || q.After != "" {
		var err error
		if n, more, err = v.s.o.Store.CountItems(v.r.Context(), q, countedItems); err != nil {
			return "", err
		}
	}
	if more {
		return v.t("failures.select.over", map[string]string{"Most": v.number(countedItems)}), nil
	}
	return v.s.pages.Count(v.lang, "failures.select.all", n), nil
}

// askedItems are the failures that the filters of the page ask for. A number that none has finds nothing.
func (v *visit) askedItems(limit int) connector.ItemQuery {
	q := connector.ItemQuery{
		Org: v.id(), Source: v.query("source"), Reason: connector.Reason(v.query("reason")), Subject: v.query("q"), Limit: limit,
	}
	if text := v.query("code"); text != "" {
		if code, err := strconv.Atoi(text); err == nil && code > 0 {
			q.Code = connector.Code(code)
		} else {
			q.Code = -1
		}
	}
	return q
}

// fillKinds counts what is open by number and reason, each with the way to its list: where to begin with many.
func (v *visit) fillKinds(p *failuresPage, q connector.ItemQuery) error {
	counts, err := v.s.o.Store.SeenItems(v.r.Context(), v.id(), time.Time{})
	codes := map[connector.Code]bool{}
	for _, n := range counts {
		code := strconv.Itoa(int(n.Code))
		if !codes[n.Code] {
			codes[n.Code] = true
			p.Codes = append(p.Codes, option{code, v.s.catalogue.Title(n.Code, v.lang), n.Code == q.Code})
		}
		t := tile{
			Text: string(n.Reason), Number: v.number(n.Count), Note: v.s.catalogue.Title(n.Code, v.lang), Share: -1,
			Address: v.link("/failures", "code", code, "reason", string(n.Reason)),
		}
		if n.Reason == q.Reason && (n.Code == q.Code || q.Code == 0) {
			t.Kind = "warn"
		}
		k := kindTile{tile: t}
		if v.may(handle) && v.asksAny() {
			k.Retry = t.Address
		}
		p.Kinds = append(p.Kinds, k)
	}
	if q.Code != 0 && !codes[q.Code] { // none of them is open, or there is no such number
		p.Codes = append(p.Codes, option{v.query("code"), v.query("code"), true})
	}
	return err
}

// itemColumns are those of the file: new ones are only added at the end.
var itemColumns = []string{"ref", "person", "source", "code", "reason", "title", "fields", "package", "domain", "first_seen", "last_seen", "times", "run", "user_id"}

// exportFailures sends the failures that the filters ask for, masked for whoever sees personal data masked.
func (v *visit) exportFailures() { v.sheet("failures", "failures", itemColumns, v.itemCells()) }

func (v *visit) itemCells() iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for i, err := range v.filteredItems() {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(v.cellsOfItem(i), nil) {
				return
			}
		}
	}
}

func (v *visit) cellsOfItem(i *connector.OpenItem) []string {
	cells := []string{
		i.Ref, v.personal(i.Subject), i.Source, strconv.Itoa(int(i.Code)), string(i.Reason), v.s.catalogue.Title(i.Code, failure.Languages()[0]),
		strings.Join(i.Fields, " "), i.Package, i.Domain, stamp(i.FirstSeen), stamp(i.LastSeen), strconv.Itoa(i.Count), "", "",
	}
	if !i.LastRun.IsZero() {
		cells[12] = i.LastRun.String()
	}
	if !i.UserID.IsZero() {
		cells[13] = i.UserID.String()
	}
	return cells
}

// triedAgain says when a failure is tried again by itself, which depends on how its source brings people.
func (v *visit) triedAgain(i *connector.OpenItem) string {
	if i.Reason == connector.NoSeat && i.Package != "" {
		return v.t("failures.again.seat", map[string]string{"Package": v.packageName(i.Package)})
	}
	s := v.org.Settings.Source(i.Source)
	if s == nil {
		return ""
	}
	switch s.Kind { //nolint:exhaustive // the others are tried again by nobody
	case connector.Directory:
		if next := v.nextRun(i.Source); next.After(v.now) {
			return v.t("failures.again.at", map[string]string{"When": v.relative(next)})
		}
		return v.t("failures.again.run", nil)
	case connector.SCIM:
		return v.t("failures.again.scim", nil)
	case connector.SignIn:
		return v.t("failures.again.sso", nil)
	case connector.Template:
		return v.t("failures.again.person", nil)
	case connector.SiteLink, connector.Import:
		return v.t("failures.again.file", nil)
	}
	return ""
}

func (v *visit) failureRow(i *connector.OpenItem) failureRow {
	f := frame{v: v}
	card := v.failCard(i.Failure, i.FirstSeen)
	row := failureRow{
		ID: i.ID.String(), Address: v.link("/failures/" + i.Ref), Person: v.personal(i.Subject), Source: i.Source, Title: card.Title, Reason: card.Reason, Message: card.Message,
		ByReason: v.with("reason", card.Reason), First: f.At(i.FirstSeen), Last: f.At(i.LastSeen), Times: v.number(i.Count),
		Again: v.triedAgain(i),
	}
	if !i.LastRun.IsZero() {
		row.LastRun = v.runAddress(&connector.Run{ID: i.LastRun})
	}
	return row
}

// failurePage is one failure with what helps.
type failurePage struct {
	failureRow
	Card    failCard
	DN      string
	Fields  []string
	User    string // address of the account, "" = there is none
	Answers string // address of the checklists, answered for the person; "" = the number has none
	Actions []actionLink
}

// theFailure is the open item that the path names, and answers where there is none.
func (v *visit) theFailure() (connector.OpenItem, bool) {
	item, err := v.s.o.Store.OpenItem(v.r.Context(), v.id(), v.r.PathValue("ref"))
	if err != nil {
		v.accident("failure", err)
	}
	return item, err == nil
}

func (v *visit) failure() {
	i, ok := v.theFailure()
	if !ok {
		return
	}
	p := failurePage{failureRow: v.failureRow(&i), Card: v.failCard(i.Failure, i.FirstSeen), DN: v.personal(i.DN)}
	for _, name := range i.Fields {
		p.Fields = append(p.Fields, v.s.catalogue.Label(name, v.lang))
	}
	if !i.UserID.IsZero() {
		p.User = v.link("/users/" + i.UserID.String())
	}
	switch {
	case i.Code != connector.CodeCreation:
	case !i.UserID.IsZero():
		p.Answers = v.link("/errors/31", "user", i.UserID.String())
	case v.may(inClear): // the address has the name
		p.Answers = v.link("/errors/31", "user", i.Subject)
	}
	if v.may(handle) && v.asks(i.Source) {
		p.Actions = append(p.Actions, actionLink{Text: v.t("failures.retry.link", nil), Address: v.link("/failures/" + i.Ref + "/retry")})
	}
	if v.may(decide) {
		p.Actions = append(p.Actions, actionLink{v.t("failures.dismiss.link", nil), v.link("/failures/" + i.Ref + "/dismiss"), true})
	}
	v.show(http.StatusOK, "failure", frame{Title: p.Person, Crumbs: v.failuresCrumb()}, p)
}

func (v *visit) failuresCrumb() []crumb {
	return []crumb{{v.t("nav.failures", nil), v.link("/failures")}}
}

// asks reports whether a source can be asked for one person: the others bring people by themselves.
func (v *visit) asks(source string) bool { return canAsk(v.org.Settings, source) }

func canAsk(o *connector.Organization, source string) bool {
	s := o.Source(source)
	return s != nil && s.Kind == connector.Directory
}

// asksAny reports whether any source can be asked for one person.
func (v *visit) asksAny() bool {
	return slices.ContainsFunc(v.org.Settings.Sources, func(s connector.SourceSettings) bool { return v.asks(s.ID) })
}

func (v *visit) askRetry() {
	i, ok := v.theFailure()
	if !ok {
		return
	}
	c := confirm{Effect: []string{v.t("failures.retry.effect", nil)}, Button: v.t("failures.retry.button", nil), Back: v.link("/failures/" + i.Ref)}
	if !v.asks(i.Source) {
		c.Button, c.Fault = "", v.t("failures.retry.cannot", nil)
	}
	v.show(http.StatusOK, "confirm", v.failureFrame(&i, "failures.retry.link"), c)
}

func (v *visit) failureFrame(i *connector.OpenItem, title string) frame {
	return frame{Title: v.t(title, nil), Crumbs: append(v.failuresCrumb(), crumb{v.personal(i.Subject), v.link("/failures/" + i.Ref)})}
}

// doRetry asks the directory for the one person, and decides anew.
func (v *visit) doRetry() {
	i, ok := v.theFailure()
	if !ok {
		return
	}
	p, err := v.s.o.Runner.Retry(v.r.Context(), v.id(), i.Source, i.Key(), v.session.Actor())
	switch {
	case err != nil:
		v.accident("retry", err)
	case p.Change == nil:
		v.done(v.link("/failures/"+i.Ref), "warn", "failures.retry.nobody", nil)
	case len(p.Change.Failures) > 0:
		f := p.Change.Failures[0]
		v.show(http.StatusConflict, "refused", v.failureFrame(&i, "failures.retry.link"), refused{v.failCard(f, f.At), v.link("/failures")})
	default:
		v.done(v.link("/failures"), "good", "failures.retry.done", map[string]string{"Name": v.personal(i.Subject)})
	}
}

func (v *visit) askDismiss() {
	i, ok := v.theFailure()
	if !ok {
		return
	}
	v.show(http.StatusOK, "confirm", v.failureFrame(&i, "failures.dismiss.link"), confirm{
		Effect: []string{v.t("failures.dismiss.effect", nil)}, Button: v.t("failures.dismiss.button", nil), Danger: true, Reason: true, Back: v.link("/failures/" + i.Ref),
	})
}

func (v *visit) doDismiss() {
	i, ok := v.theFailure()
	if !ok {
		return
	}
	if err := v.s.o.Store.Dismiss(v.r.Context(), v.id(), i.Ref); err != nil {
		v.accident("dismiss", err)
		return
	}
	v.done(v.link("/failures"), "good", "failures.dismiss.done", map[string]string{"Name": v.personal(i.Subject)})
}
