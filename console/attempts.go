package console

import (
	"iter"
	"net/http"
	"strconv"
	"time"

	"usherd/connector"
)

func (s *Server) attempts() {
	s.list("/sso/attempts", (*visit).signInAttempts, "idp", "result", "code", "reason", "since")
	s.body("attempts", attemptsPage{})
	s.page("/sso/attempts/export.csv", export, (*visit).exportAttempts)
	s.page("/sso/attempts/{attempt}", see, (*visit).signInAttempt)
	s.body("attempt", attemptPage{})
}

// attemptsPage is who has tried to sign in.
type attemptsPage struct {
	Person, Code         string
	IDPs, Results, Since []option
	Export               string
	Rows                 []signInRow
	Columns              columns
	Pager                pager
	Filtered, Looking    bool
}

// signInRow is one attempt.
type signInRow struct {
	Cols         columns // that are shown
	Address, IDP string
	At           *instant
	Result       pill
	Reason       string
	ByReason     string // the list with this number alone; "" = the person is in
	Person, Ref  string
	Took         string
	Clock        string // how far ours was past the time at which the response was issued; "" = not known
	Tried        bool   // by an administrator: nobody signed in
}

// results of attempts, to choose from.
const (
	resultIn      = "in"
	resultRefused = "refused"
)

// askedAttempts are those that the filters ask for.
func (v *visit) askedAttempts() *connector.AttemptChoice {
	c := &connector.AttemptChoice{Reason: connector.Reason(v.query("reason")), In: v.query("result") == resultIn}
	c.AttemptQuery = connector.AttemptQuery{Org: v.id(), Source: v.query("idp"), Person: v.query("q"), Failed: v.query("result") == resultRefused, Since: v.since()}
	if text := v.query("code"); text != "" {
		code, err := strconv.Atoi(text)
		if err != nil || code <= 0 {
			code = -1 // nobody's
		}
		c.Code, c.Failed = connector.Code(code), true
	}
	return c
}

func (v *visit) signInAttempts() {
	before, err := v.afterID()
	if err != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	q := v.askedAttempts()
	p := attemptsPage{Person: q.Person, Code: v.query("code"), Since: v.windowOptions(), Export: v.here("/sso/attempts/export.csv"), Columns: v.columns(columnsOfAttempts)}
	next, err := scan(before, func(from connector.ID, limit int) ([]connector.Attempt, error) {
		q.Before, q.Limit = from, limit
		return v.s.o.Store.Attempts(v.r.Context(), q.AttemptQuery)
	}, func(x connector.Attempt) (connector.ID, bool) {
		fits := q.Fits(&x)
		if fits {
			row := v.signInRow(&x)
			row.Cols = p.Columns
			p.Rows = append(p.Rows, row)
		}
		return x.ID, fits
	})
	if err != nil {
		v.accident("attempts", err)
		return
	}
	for _, s := range v.org.Settings.Sources {
		if v.org.SignOns[s.ID] != nil {
			p.IDPs = append(p.IDPs, option{s.ID, s.ID, s.ID == q.Source})
		}
	}
	for _, x := range []string{resultIn, resultRefused} {
		p.Results = append(p.Results, option{x, v.t("sso.result."+x, nil), x == v.query("result")})
	}
	for _, name := range []string{"idp", "q", "result", "code", "reason", "since"} {
		p.Filtered = p.Filtered || v.query(name) != ""
	}
	p.Looking = len(p.Rows) == 0 && next != ""
	p.Pager = v.pager(next, len(p.Rows))
	v.show(http.StatusOK, "attempts", frame{Title: v.t("sso.attempts", nil), State: v.t("sso.attemptsstate", nil), Crumbs: v.ssoCrumb()}, p)
}

func (v *visit) signInRow(x *connector.Attempt) signInRow {
	f := frame{v: v}
	row := signInRow{
		Address: v.link("/sso/attempts/" + x.ID.String()), IDP: x.Source, At: f.At(x.At), Result: pill{v.t("sso.result.in", nil), "good"}, Reason: string(x.Reason),
		Person: v.personal(x.Person), Ref: x.Ref, Took: v.milliseconds(x.Took),
	}
	if skew, known := x.Skew(); known {
		row.Clock = v.skew(skew)
	}
	if x.Test != nil {
		row.Tried, row.Result = true, pill{v.t("sso.trial.in", nil), "info"}
	}
	if x.Code != 0 {
		key := "sso.result.refused"
		if row.Tried {
			key = "sso.trial.refused"
		}
		row.Result = pill{v.t(key, nil) + " (" + strconv.Itoa(int(x.Code)) + ")", "bad"}
		row.ByReason = v.link("/sso/attempts", "code", strconv.Itoa(int(x.Code)), "reason", string(x.Reason))
	}
	return row
}

// attemptColumns are those of the file: new ones are only added at the end.
var attemptColumns = []string{"id", "at", "idp", "code", "reason", "person", "user_id", "ref", "remote", "duration_ms", "refused_at_step", "test", "clock_difference_ms"}

func (v *visit) exportAttempts() {
	v.sheet("sign_ins", "sign-ins", attemptColumns, v.signInCells(v.askedAttempts()))
}

func (v *visit) signInCells(q *connector.AttemptChoice) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for q.Limit = exportPage; ; {
			list, err := v.s.o.Store.Attempts(v.r.Context(), q.AttemptQuery)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range list {
				if x := &list[i]; q.Fits(x) && !yield(v.signInCell(x), nil) {
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

func (v *visit) signInCell(x *connector.Attempt) []string {
	step, clock := "", ""
	if skew, known := x.Skew(); known {
		clock = strconv.FormatInt(skew.Milliseconds(), 10)
	}
	for _, s := range x.Steps {
		if s.Result == stepRefused {
			step = s.Name
		}
	}
	return []string{
		x.ID.String(), stamp(x.At), x.Source, strconv.Itoa(int(x.Code)), string(x.Reason), v.personal(x.Person), x.User.String(), x.Ref, x.Remote,
		strconv.FormatFloat(float64(x.Took.Microseconds())/1000, 'f', 3, 64), step, strconv.FormatBool(x.Test != nil), clock,
	}
}

// attemptPage is one attempt with its steps.
type attemptPage struct {
	signInRow
	Card     *failCard // nil = the person is in
	Code     string    // address of what is known of the number
	User     string    // address of the person; "" = none, or not known
	OfPerson string    // address of the attempts of the same person
	Remote   string
	Steps    []signInStep
	IDPAt    string // address of the identity provider; "" = the configuration has it no more
	Test     *trialShown
}

// signInStep is one step on the way of a sign-in.
type signInStep struct {
	Name, Detail string
	Result       pill
}

// How a step went, as the door notes it.
const (
	stepOK      = "ok"
	stepRefused = "refused"
	stepSkipped = "skipped"
)

func (v *visit) signInAttempt() {
	id, err := connector.ParseID(v.r.PathValue("attempt"))
	if err != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	x, ok, err := v.s.o.Store.Attempt(v.r.Context(), v.id(), id)
	switch {
	case err != nil:
		v.accident("attempt", err)
		return
	case !ok:
		v.say(http.StatusNotFound, "sso.forgotten", nil)
		return
	}
	p := attemptPage{signInRow: v.signInRow(&x), Remote: x.Remote, Test: v.trialShown(&x)}
	if v.org.SignOns[x.Source] != nil {
		p.IDPAt = v.link("/sso/idps/" + x.Source)
	}
	if x.Code != 0 {
		card := v.failCard(connector.Failure{Code: x.Code, Reason: x.Reason, Org: x.Org, Source: x.Source, Subject: v.personal(x.Person), Ref: x.Ref, At: x.At}, time.Time{})
		p.Card, p.Code = &card, v.link("/errors/"+strconv.Itoa(int(x.Code)))
	}
	if !x.User.IsZero() {
		p.User = v.link("/users/" + x.User.String())
	}
	if x.Person != "" && v.may(inClear) {
		p.OfPerson = v.link("/sso/attempts", "q", x.Person)
	}
	kinds := map[string]string{stepOK: "good", stepRefused: "bad", stepSkipped: "off"}
	for _, s := range x.Steps {
		p.Steps = append(p.Steps, signInStep{v.t("sso.step."+s.Name, nil), v.told(s.Detail), pill{v.t("sso.went."+s.Result, nil), kinds[s.Result]}})
	}
	crumbs := append(v.ssoCrumb(), crumb{v.t("sso.attempts", nil), v.link("/sso/attempts")})
	title := v.t("sso.attempt", map[string]string{"IDP": x.Source})
	v.show(http.StatusOK, "attempt", frame{Title: title, State: p.At.Title, Crumbs: crumbs}, p)
}
