package console

import (
	"net/http"
	"strings"

	"usherd/connector"
	"usherd/connector/csvtable"
	"usherd/connector/provision"
)

// candidatesPage are users of other organizations who could be claimed.
type candidatesPage struct {
	Domain  string
	Domains []option
	Start   string // address
	Rows    []candidateRow
	Any     bool // one of them can be claimed
	Pager   pager
}

// candidateRow is one of them, or what would become, or has become, of the person.
type candidateRow struct {
	ID, Email string
	State     pill
	Since     *instant
	Can       bool
	Why       []failCard // none where it can be
}

func (v *visit) candidates() {
	p := candidatesPage{Domain: v.query("domain"), Start: v.link("/claims/start")}
	domains, err := v.org.Domains.List(v.r.Context())
	if err != nil {
		v.accident("candidates", err)
		return
	}
	for i := range domains {
		if d := &domains[i]; d.Verified() {
			p.Domains = append(p.Domains, option{d.Name, nameOf(d.Name).Unicode, d.Name == p.Domain})
		}
	}
	list, next, err := v.org.Claims.Candidates(v.r.Context(), provision.CandidateQuery{Org: v.id(), Domain: p.Domain, After: v.after(), Limit: perPage})
	if err != nil {
		v.accident("candidates", err)
		return
	}
	for i := range list {
		row := v.candidateRow(&list[i])
		p.Rows, p.Any = append(p.Rows, row), p.Any || row.Can
	}
	p.Pager = v.pager(next, len(list))
	v.show(http.StatusOK, "candidates", frame{Title: v.t("claims.candidates.title", nil), State: v.t("claims.candidates.state", nil), Crumbs: v.claimsCrumb()}, p)
}

func (v *visit) candidateRow(c *provision.Candidate) candidateRow {
	f := frame{v: v}
	row := candidateRow{ID: c.User.String(), Email: v.personal(c.Email), Since: f.At(c.Since), Can: len(c.Failures) == 0}
	if c.User.IsZero() {
		row.ID = ""
	}
	if row.Email == "" { // named by an id that is nobody's
		row.Email = row.ID
	}
	if c.State != "" {
		row.State = f.StatePill(c.State)
	}
	for _, x := range c.Failures {
		row.Why = append(row.Why, v.failCard(x, x.At))
	}
	return row
}

// claimStartPage asks whom to claim.
type claimStartPage struct {
	Names, Fault string
	Most         string
	Package      string
	Packages     []choice
	Back         string
}

func (v *visit) askClaim() { v.showClaimStart(claimStartPage{}, http.StatusOK) }

func (v *visit) showClaimStart(p claimStartPage, status int) {
	counts, err := v.s.o.Store.Seats(v.r.Context(), v.id())
	if err != nil {
		v.accident("claims", err)
		return
	}
	for _, n := range counts {
		if _, configured := v.org.Settings.Package(n.Package); !configured {
			continue
		}
		text := v.packageName(n.Package) + " · " + v.t("users.package.unlimited", nil)
		if n.Seats != connector.Unlimited {
			text = v.packageName(n.Package) + " · " + v.t("users.package.free", map[string]string{"Free": v.number(n.Free()), "Seats": v.number(n.Seats)})
		}
		p.Packages = append(p.Packages, choice{Value: n.Package, Text: text, Chosen: n.Package == p.Package})
	}
	p.Most, p.Back = v.number(provision.MaxClaims), v.link("/claims")
	v.show(status, "claim_start", frame{Title: v.t("claims.start.title", nil), State: v.t("claims.start.state", nil), Crumbs: v.claimsCrumb()}, p)
}

// claimPreviewPage says what would become of whom.
type claimPreviewPage struct {
	Rows    []candidateRow
	IDs     []string // of those who can be claimed
	Package string
	Effect  string
	Button  string // with their number; "" = nobody can be
	Back    string
}

// request is whom the form names: by the boxes of the candidates, in the field, and in the file.
func (v *visit) claimRequest() (req provision.ClaimRequest, err error) {
	req = provision.ClaimRequest{Org: v.id(), Package: v.value("package"), Actor: v.session.Actor()}
	names := append(strings.FieldsFunc(v.value("names"), func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) }), v.form["user"]...)
	if v.r.MultipartForm != nil && len(v.r.MultipartForm.File["file"]) > 0 {
		if h := v.r.MultipartForm.File["file"][0]; h.Size > 0 {
			file, err := h.Open()
			if err != nil {
				return req, err
			}
			defer file.Close() //nolint:errcheck // read only
			more, err := csvtable.Column(file, provision.MaxClaims, "id", "email")
			if err != nil {
				return req, err
			}
			names = append(names, more...)
		}
	}
	for _, name := range names {
		if id, err := connector.ParseID(name); err == nil {
			req.Users = append(req.Users, id)
		} else {
			req.Emails = append(req.Emails, name)
		}
	}
	return req, nil
}

// doClaim shows what would become of whom, and where that was shown, claims.
func (v *visit) doClaim() {
	req, err := v.claimRequest()
	again := claimStartPage{Names: v.value("names"), Package: v.value("package")}
	var list []provision.ClaimResult
	switch {
	case err != nil:
	case len(req.Users)+len(req.Emails) == 0:
		again.Fault = v.t("claims.start.nobody", nil)
	case v.value("go") == "1":
		v.claimThem(req)
		return
	default:
		list, err = v.org.Claims.Preview(v.r.Context(), req)
	}
	switch connector.KindOf(err) { //nolint:exhaustive // the others are faults of ours
	case connector.Invalid, connector.Refused:
		again.Fault = v.words(err)
	default:
		if err != nil {
			v.accident("claims", err)
			return
		}
	}
	if again.Fault != "" {
		v.showClaimStart(again, http.StatusUnprocessableEntity)
		return
	}
	p := claimPreviewPage{Package: req.Package, Back: v.link("/claims/start"), Effect: v.t("claims.preview.effect", nil)}
	for i := range list {
		row := v.candidateRow(&list[i].Candidate)
		if p.Rows = append(p.Rows, row); row.Can {
			p.IDs = append(p.IDs, row.ID)
		}
	}
	if n := len(p.IDs); n > 0 {
		p.Button = v.s.pages.Count(v.lang, "claims.preview.button", n)
	}
	v.show(http.StatusOK, "claim_preview", frame{Title: v.t("claims.preview.title", nil), Crumbs: v.claimsCrumb()}, p)
}

// claimThem claims those of a preview.
func (v *visit) claimThem(req provision.ClaimRequest) {
	list, err := v.org.Claims.Claim(v.r.Context(), req)
	if err != nil {
		v.accident("claims", err)
		return
	}
	claimed := 0
	for _, r := range list {
		if r.Claim != nil {
			claimed++
		}
	}
	told := map[string]string{"N": v.number(claimed), "All": v.number(len(list))}
	if claimed < len(list) { // something has moved since the preview
		v.done(v.link("/claims", "status", "open"), "warn", "claims.start.some", told)
		return
	}
	v.done(v.link("/claims", "status", "open"), "good", "claims.start.done", told)
}
