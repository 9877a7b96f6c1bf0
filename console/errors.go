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
	Reasons    []reasonRow
	Titles     []otherTitle
}

// otherTitle is the title in another language.
type otherTitle struct{ Lang, Name, Value string }

// checklist are steps to go through, each with how it stands in this organization.
type checklist struct {
	Title string
	Steps []checkStep
}

type checkStep struct {
	Text    string
	Answers []fact // how it stands now
}

// reasonRow is one reason with what helps.
type reasonRow struct {
	Reason, When, Message string
	Remedy                []string
	Open                  fact // the open failures with it
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
		row := reasonRow{Reason: string(r.Reason), When: r.When, Message: r.Message, Remedy: r.Remedy}
		if row.Open, err = v.openWith(r.Reason); err != nil {
			v.accident("errors", err)
			return
		}
		p.Reasons = append(p.Reasons, row)
	}
	if p.Checklists, err = v.checklists(&d); err != nil {
		v.accident("errors", err)
		return
	}
	v.show(http.StatusOK, "error", frame{Title: d.Title, Crumbs: []crumb{{v.t("nav.errors", nil), v.link("/errors")}}}, p)
}

// openWith is how many failures of the organization have a reason, with a way to them.
func (v *visit) openWith(r connector.Reason) (fact, error) {
	items, _, err := v.s.o.Store.OpenItems(v.r.Context(), connector.ItemQuery{Org: v.id(), Reason: r, Limit: maxCounted + 1})
	if err != nil || len(items) == 0 {
		return fact{}, err
	}
	return fact{v.t("errors.open", nil), atMost(len(items)), v.link("/failures", "reason", string(r))}, nil
}

// checklists are the two of code 31, answered for the organization.
func (v *visit) checklists(d *failure.Description) ([]checklist, error) {
	if d.Never == nil {
		return nil, nil
	}
	never, before := failure.ChecklistSteps()
	lists := []checklist{{Title: d.NeverTitle}, {Title: d.BeforeTitle}}
	for n, of := range []struct{ names, texts []string }{{never, d.Never}, {before, d.Before}} {
		for i, text := range of.texts {
			answers, err := v.checked(of.names[i])
			if err != nil {
				return nil, err
			}
			lists[n].Steps = append(lists[n].Steps, checkStep{text, answers})
		}
	}
	return lists, nil
}

// checked is how a step of a checklist stands.
func (v *visit) checked(step string) (list []fact, err error) {
	switch step {
	case "seats":
		tiles, err := v.seatTiles()
		for _, t := range tiles {
			list = append(list, fact{t.Text, t.Number + " " + t.Note, t.Address})
		}
		return list, err
	case "approvals":
		n, err := v.pendingAccounts()
		return []fact{{v.t("overview.pending", nil), atMost(n), v.link("/approvals")}}, err
	case "required", "member_status":
		f, err := v.openWith(map[string]connector.Reason{"required": connector.RequiredMissing, "member_status": connector.MemberStatusPresent}[step])
		if f.Value == "" {
			f = fact{Name: v.t("errors.open", nil), Value: "0"}
		}
		return []fact{f}, err
	}
	return []fact{{Value: v.t("errors.search", nil), Address: v.link("/users", "active", "any")}}, nil
}
