package console

import (
	"net/http"
	"strconv"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/page"
)

func (s *Server) errors() {
	s.page("/errors", see, (*visit).errors)
	s.body("errors", errorsPage{})
	s.page("/errors/{code}", see, (*visit).errorCode)
	s.body("error", errorPage{})
}

// errorsPage lists the numbers that people may be told.
type errorsPage struct{ Rows []errorRow }

type errorRow struct {
	Code, Title, Address string
	Reasons              []string
}

func (v *visit) errors() {
	var p errorsPage
	for _, e := range v.s.catalogue.Codes(v.lang) {
		p.Rows = append(p.Rows, v.errorRow(e))
	}
	v.show(http.StatusOK, "errors", frame{Title: v.t("nav.errors", nil), State: v.t("errors.state", nil)}, p)
}

func (v *visit) errorRow(e failure.Entry) errorRow {
	code := strconv.Itoa(int(e.Code))
	row := errorRow{Code: code, Title: e.Title, Address: v.link("/errors/" + code)}
	for _, r := range e.Reasons {
		row.Reasons = append(row.Reasons, string(r))
	}
	return row
}

// errorPage is everything about one number.
type errorPage struct {
	Checklists []checklist // of 31
	Asked      string      // the person for whom they are answered, as it was typed; "" = for the organization
	About      *askedPerson
	Recent     []fact // how many of the open failures with the number were seen of late
	Reasons    []reasonRow
	Titles     []otherTitle
}

// otherTitle is the title in another language.
type otherTitle struct{ Lang, Name, Value string }

// reasonRow is one reason with what helps.
type reasonRow struct {
	Reason, When, Message string
	Remedy                []string
	Links                 []actionLink // pages where that is done
	Open                  fact         // the open failures with it
}

func (v *visit) errorCode() {
	code, err := strconv.Atoi(v.r.PathValue("code"))
	d, ok := v.s.catalogue.Describe(connector.Code(code), v.lang)
	if err != nil || !ok {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	var p errorPage
	for _, lang := range failure.Languages() {
		if other := v.s.catalogue.Title(d.Code, lang); lang != v.lang {
			p.Titles = append(p.Titles, otherTitle{lang, page.LanguageName(lang), other})
		}
	}
	for _, r := range d.Reasons {
		row := reasonRow{Reason: string(r.Reason), When: r.When, Message: r.Message, Remedy: r.Remedy, Links: v.helpsWith(&connector.Failure{Code: d.Code, Reason: r.Reason})}
		if row.Open, err = v.openWith(r.Reason); err != nil {
			v.accident("errors", err)
			return
		}
		p.Reasons = append(p.Reasons, row)
	}
	if err = v.fillChecklists(&p, &d); err == nil {
		p.Recent, err = v.seenOfLate(d.Code)
	}
	if err != nil {
		v.accident("errors", err)
		return
	}
	v.show(http.StatusOK, "error", frame{Title: d.Title, Crumbs: []crumb{{v.t("nav.errors", nil), v.link("/errors")}}}, p)
}

// seenOfLate are how many of the open failures with a number were seen within a day, and within a week.
func (v *visit) seenOfLate(code connector.Code) (list []fact, err error) {
	for _, days := range []int{1, 7} {
		counts, err := v.s.o.Store.SeenItems(v.r.Context(), v.id(), v.now.AddDate(0, 0, -days))
		if err != nil {
			return nil, err
		}
		n := 0
		for _, c := range counts {
			if c.Code == code {
				n += c.Count
			}
		}
		list = append(list, fact{v.s.pages.Count(v.lang, "errors.within", days), v.number(n), v.link("/failures", "code", strconv.Itoa(int(code)))})
	}
	return list, nil
}

// openWith is how many failures of the organization have a reason, with a way to them.
func (v *visit) openWith(r connector.Reason) (fact, error) {
	items, _, err := v.s.o.Store.OpenItems(v.r.Context(), connector.ItemQuery{Org: v.id(), Reason: r, Limit: maxCounted + 1})
	if err != nil || len(items) == 0 {
		return fact{}, err
	}
	return fact{v.t("errors.open", nil), atMost(len(items)), v.link("/failures", "reason", string(r))}, nil
}
