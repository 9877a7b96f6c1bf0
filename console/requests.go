package console

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/report"
)

func (s *Server) requests() {
	s.list("/scim/requests", (*visit).scimRequests, "client", "status", "method", "since")
	s.body("requests", requestsPage{})
	s.page("/scim/requests/export.csv", export, (*visit).exportRequests)
	s.page("/scim/requests/{request}", see, (*visit).scimRequest)
	s.body("request", requestPage{})
}

// requestsPage is the log of requests.
type requestsPage struct {
	Person                            string
	Clients, Statuses, Methods, Since []option
	Export                            string
	Rows                              []requestRow
	Columns                           columns
	Pager                             pager
	Filtered                          bool // some are left out
	Looking                           bool // it goes on looking on the next page
}

// requestRow is one request.
type requestRow struct {
	Cols            columns // that are shown
	Address, Client string
	At              *instant
	Status          pill
	ScimType        string
	Asked           string // method, path, query
	Person          string
	Took            string
	Quirks          []string
}

// requestMethods are those that clients use.
var requestMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// requestStatuses are what the list can be narrowed to, with the statuses that each means.
var requestStatuses = []struct {
	name   string
	bounds [2]int
}{
	{"2xx", [2]int{200, 299}},
	{"4xx", [2]int{400, 499}},
	{"4xx-5xx", [2]int{400, 599}},
	{"5xx", [2]int{500, 599}},
	{"401", [2]int{401, 401}},
	{"404", [2]int{404, 404}},
	{"409", [2]int{409, 409}},
	{"412", [2]int{412, 412}},
	{"429", [2]int{429, 429}},
}

// windows are how far back a list can be asked for.
var windows = []struct {
	name string
	back time.Duration
}{{"1h", time.Hour}, {"1d", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour}}

// since is from when on the list is asked for, zero for all of it.
func (v *visit) since() time.Time {
	for _, x := range windows {
		if x.name == v.query("since") {
			return v.now.Add(-x.back)
		}
	}
	return time.Time{}
}

// windowOptions are the windows to choose from.
func (v *visit) windowOptions() []option {
	list := make([]option, len(windows))
	for i, x := range windows {
		list[i] = option{x.name, v.t("scim.since."+x.name, nil), x.name == v.query("since")}
	}
	return list
}

// askedRequests are those that the filters ask for.
func (v *visit) askedRequests() (*connector.RequestChoice, error) {
	c := &connector.RequestChoice{Method: v.query("method")}
	c.RequestQuery = connector.RequestQuery{Org: v.id(), Source: v.query("client"), Since: v.since()}
	for _, x := range requestStatuses {
		if x.name == v.query("status") {
			c.Status = x.bounds
		}
	}
	return c, c.About(v.r.Context(), v.s.o.Store, v.query("q"))
}

func (v *visit) scimRequests() {
	q, err := v.askedRequests()
	before, wrong := v.afterID()
	if wrong != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	p := requestsPage{Person: v.query("q"), Since: v.windowOptions(), Export: v.here("/scim/requests/export.csv"), Columns: v.columns(columnsOfRequests)}
	next := ""
	if err == nil {
		next, err = scan(before, func(from connector.ID, limit int) ([]connector.Request, error) {
			q.Before, q.Limit = from, limit
			return v.s.o.Store.Requests(v.r.Context(), q.RequestQuery)
		}, func(r connector.Request) (connector.ID, bool) {
			fits := q.Fits(&r)
			if fits {
				row := v.requestRow(&r)
				row.Cols = p.Columns
				p.Rows = append(p.Rows, row)
			}
			return r.ID, fits
		})
	}
	if err != nil {
		v.accident("requests", err)
		return
	}
	for _, s := range v.org.Settings.Sources {
		if _, pushes := v.org.Clients[s.ID]; pushes {
			p.Clients = append(p.Clients, option{s.ID, s.ID, s.ID == q.Source})
		}
	}
	for _, x := range requestStatuses {
		p.Statuses = append(p.Statuses, option{x.name, x.name, x.name == v.query("status")})
	}
	for _, m := range requestMethods {
		p.Methods = append(p.Methods, option{m, m, m == v.query("method")})
	}
	p.Filtered = q.Source != "" || v.query("status") != "" || v.query("method") != "" || v.query("since") != "" || p.Person != ""
	p.Looking = len(p.Rows) == 0 && next != ""
	p.Pager = v.pager(next, len(p.Rows))
	v.show(http.StatusOK, "requests", frame{Title: v.t("scim.requests", nil), State: v.t("scim.requestsstate", nil), Crumbs: v.scimCrumb()}, p)
}

func (v *visit) requestRow(r *connector.Request) requestRow {
	f := frame{v: v}
	return requestRow{
		Address: v.link("/scim/requests/" + r.ID.String()), Client: r.Source, At: f.At(r.At), Status: statusPill(r.Status), ScimType: r.ScimType, Asked: report.Cut(v.asked(r), mostAsked),
		Person: v.personal(r.Person), Took: v.milliseconds(r.Duration), Quirks: r.Quirks,
	}
}

// mostAsked is how many columns a request takes in a list.
const mostAsked = 120

// asked is method, path and query as people read them, without what all paths of the organization begin with. What was looked for may
// be a person.
func (v *visit) asked(r *connector.Request) string {
	text := r.Method + " " + strings.TrimPrefix(r.Path, "/scim/"+r.Org+"/v2")
	switch query, err := url.QueryUnescape(r.Query); {
	case r.Query == "":
		return text
	case !v.may(inClear):
		return text + "?•••"
	case err == nil:
		return text + "?" + query
	}
	return text + "?" + r.Query
}

// requestColumns are those of the file: new ones are only added at the end.
var requestColumns = []string{
	"id", "at", "client", "method", "path", "query", "status", "scim_type", "person", "user_id", "duration_ms", "profile", "quirks", "ref", "bytes_in", "bytes_out", "remote",
}

func (v *visit) exportRequests() {
	q, err := v.askedRequests()
	if err != nil {
		v.accident("requests", err)
		return
	}
	v.sheet("scim_requests", "scim requests", requestColumns, v.requestCells(q))
}

// exportPage is how many rows are read at once for a file.
const exportPage = 1000

func (v *visit) requestCells(q *connector.RequestChoice) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for q.Limit = exportPage; ; {
			list, err := v.s.o.Store.Requests(v.r.Context(), q.RequestQuery)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range list {
				if r := &list[i]; q.Fits(r) && !yield(v.requestCell(r), nil) {
					return
				}
			}
			if len(list) < exportPage {
				return
			}
			q.Before = list[len(list)-1].ID
		}
	}
}

func (v *visit) requestCell(r *connector.Request) []string {
	query := r.Query
	if query != "" && !v.may(inClear) {
		query = "•••"
	}
	return []string{
		r.ID.String(), stamp(r.At), r.Source, r.Method, r.Path, query, strconv.Itoa(r.Status), r.ScimType, v.personal(r.Person), r.User.String(),
		strconv.FormatFloat(float64(r.Duration.Microseconds())/1000, 'f', 3, 64), r.Profile, strings.Join(r.Quirks, " "), r.Ref,
		strconv.FormatInt(r.BytesIn, 10), strconv.FormatInt(r.BytesOut, 10), r.Remote,
	}
}

// requestPage is one request with all that is known of it.
type requestPage struct {
	requestRow
	Whole    string // what was asked
	Profile  string
	Ref      string
	Failure  string // address of the open failure, "" = there is none
	User     string // address of the person, "" = none, or not known
	Remote   string
	In, Out  string
	Detail   string // what the answer says went wrong
	Notes    []quirkRow
	Question string // bodies; "" = not stored
	Answer   string
	Hidden   bool // there are bodies, which this administrator does not see
	Stored   bool // there are bodies
	Copy     string
	OfPerson string // address of the log about the same person
	ClientAt string
}

func (v *visit) scimRequest() {
	id, err := connector.ParseID(v.r.PathValue("request"))
	if err != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	r, ok, err := v.s.o.Store.Request(v.r.Context(), v.id(), id)
	switch {
	case err != nil:
		v.accident("request", err)
		return
	case !ok:
		v.say(http.StatusNotFound, "scim.forgotten", nil)
		return
	}
	p := requestPage{
		requestRow: v.requestRow(&r), Whole: v.asked(&r), Profile: r.Profile, Ref: r.Ref, Remote: r.Remote, In: v.printer().Sprintf("%d", r.BytesIn), Out: v.printer().Sprintf("%d", r.BytesOut),
		ClientAt: v.link("/scim/clients/" + r.Source), Stored: len(r.Asked)+len(r.Answered) > 0,
	}
	if err := v.fillRequest(&p, &r); err != nil {
		v.accident("request", err)
		return
	}
	crumbs := append(v.scimCrumb(), crumb{v.t("scim.requests", nil), v.link("/scim/requests")})
	v.show(http.StatusOK, "request", frame{Title: r.Method + " " + strings.TrimPrefix(r.Path, "/scim/"+r.Org+"/v2"), State: p.At.Title, Crumbs: crumbs}, p)
}

// fillRequest fills in whom it was about, what the answer says, and the bodies.
func (v *visit) fillRequest(p *requestPage, r *connector.Request) error {
	if !r.User.IsZero() {
		p.User = v.link("/users/" + r.User.String())
		p.OfPerson = v.link("/scim/requests", "q", r.User.String())
	} else if r.Person != "" && v.may(inClear) {
		p.OfPerson = v.link("/scim/requests", "q", r.Person)
	}
	for _, id := range r.Quirks {
		p.Notes = append(p.Notes, quirkRow{Quirk: id, Text: v.quirk(id)})
	}
	if p.Stored && v.may(inClear) {
		p.Question, p.Answer = readable(r.Asked), readable(r.Answered)
		p.Detail = detailOf(r)
	}
	p.Hidden = p.Stored && !v.may(inClear)
	if r.Status < http.StatusBadRequest {
		return nil
	}
	p.Copy = strings.Join(slices.DeleteFunc([]string{
		r.Method + " " + r.Path + " → " + strconv.Itoa(r.Status) + " " + r.ScimType, p.Detail, r.Ref, r.ID.String(), r.At.UTC().Format(time.DateTime + "Z"),
	}, func(line string) bool { return line == "" }), "\n")
	if r.Ref == "" {
		return nil
	}
	switch _, err := v.s.o.Store.OpenItem(v.r.Context(), v.id(), r.Ref); {
	case err == nil:
		p.Failure = v.link("/failures/" + r.Ref)
	case connector.KindOf(err) != connector.NotFound:
		return err
	}
	return nil
}

// detailOf is what an answer that is an error says of it (RFC 7644 section 3.12).
func detailOf(r *connector.Request) string {
	var e struct{ Detail string }
	if r.Status < http.StatusBadRequest || json.Unmarshal(r.Answered, &e) != nil {
		return ""
	}
	return e.Detail
}

// readable is a body with a line for each value, where it is whole.
func readable(body []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, body, "", "  ") != nil {
		return strings.ToValidUTF8(string(body), "�")
	}
	return out.String()
}
