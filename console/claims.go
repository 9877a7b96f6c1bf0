package console

import (
	"context"
	"iter"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// ClaimStore is what the pages about claims read.
type ClaimStore interface {
	Claim(ctx context.Context, org string, id connector.ID) (*connector.Claim, error)
	Claims(ctx context.Context, q connector.ClaimQuery) ([]connector.Claim, error)
	ClaimsDue(ctx context.Context, org string, until time.Time, limit int) ([]connector.Claim, error)
	LinksOfUsers(ctx context.Context, org string, users []connector.ID) ([]connector.Link, error)
}

// Claims takes users over between organizations. provision.Claims is one.
type Claims interface {
	Candidates(ctx context.Context, q provision.CandidateQuery) (list []provision.Candidate, next string, err error)
	Preview(ctx context.Context, req provision.ClaimRequest) ([]provision.ClaimResult, error)
	Claim(ctx context.Context, req provision.ClaimRequest) ([]provision.ClaimResult, error)
	RemindClaim(ctx context.Context, org string, id connector.ID) (*connector.Claim, error)
	DecideClaim(ctx context.Context, d provision.ClaimDecision) (*connector.Claim, []connector.Failure, error)
}

func (s *Server) claims() {
	s.page("/claims", see, (*visit).claims)
	s.body("claims", claimsPage{})
	s.page("/claims/export.csv", export, (*visit).exportClaims)
	s.page("/claims/candidates", remove, (*visit).candidates)
	s.body("candidates", candidatesPage{})
	s.action("/claims/start", need{permission: remove, fresh: true}, (*visit).askClaim, (*visit).doClaim)
	s.body("claim_start", claimStartPage{})
	s.body("claim_preview", claimPreviewPage{})
	s.page("/claims/{claim}", see, (*visit).claim)
	s.body("claim", claimPage{})
	s.action("/claims/{claim}/remind", need{permission: remove}, (*visit).askRemind, (*visit).doRemind)
	s.action("/claims/{claim}/decide", need{permission: remove}, (*visit).askDecide, (*visit).doDecide)
	s.waits("/claims", (*visit).openClaims)
}

// openClaims is how many claims wait for an answer, as far as is counted.
func (v *visit) openClaims() (int, error) {
	list, err := v.s.o.Store.ClaimsDue(v.r.Context(), v.id(), v.now.Add(2*connector.ClaimTime), maxCounted+1)
	return len(list), err
}

// claimsPage is the list of claims.
type claimsPage struct {
	Status           string
	Lost             bool // those that others have made of its people
	Statuses         []option
	Start, Among     string // addresses; "" = this administrator claims nobody
	Export           string // address
	Rows             []claimRow
	Filtered         bool
	Pager            pager
	OwnList, LostURL string // addresses of the two lists
}

// claimRow is one claim.
type claimRow struct {
	Address, Email string // no address: it is another organization's
	Status         pill
	By             string // who claimed; of a lost one, the organization
	From           string // the organization that had the person; "" = this one
	At, Until      *instant
	Left           string // how many days there are to decide; "" = it is over
	Choice         string
	Alone          bool // no source knows the person
}

func (v *visit) claimQuery() connector.ClaimQuery {
	return connector.ClaimQuery{Org: v.id(), Lost: v.query("lost") == "1", Status: connector.ClaimStatus(v.query("status"))}
}

func (v *visit) claims() {
	q := v.claimQuery()
	p := claimsPage{
		Status: string(q.Status), Lost: q.Lost, Filtered: q.Status != "" || q.Lost, OwnList: v.with("lost", ""), LostURL: v.with("lost", "1"),
		Export: v.link("/claims/export.csv", "status", string(q.Status), "lost", v.query("lost")),
	}
	for _, s := range connector.ClaimStatuses() {
		p.Statuses = append(p.Statuses, option{string(s), v.t("claims.status."+string(s), nil), s == q.Status})
	}
	if v.may(remove) {
		p.Start, p.Among = v.link("/claims/start"), v.link("/claims/candidates")
	}
	if err := v.fillClaims(&p, q); err != nil {
		v.accident("claims", err)
		return
	}
	v.show(http.StatusOK, "claims", frame{Title: v.t("nav.claims", nil), State: v.t("claims.state", nil)}, p)
}

// fillClaims reads a page of claims, the latest first.
func (v *visit) fillClaims(p *claimsPage, q connector.ClaimQuery) (err error) {
	if q.Before, err = v.afterID(); err != nil {
		return err
	}
	q.Limit = perPage + 1
	list, err := v.s.o.Store.Claims(v.r.Context(), q)
	if err != nil {
		return err
	}
	next := ""
	if len(list) > perPage {
		list = list[:perPage]
		next = list[perPage-1].ID.String()
	}
	alone := map[connector.ID]bool{}
	if !q.Lost {
		if alone, err = v.alone(list); err != nil {
			return err
		}
	}
	for i := range list {
		row := v.claimRow(&list[i], q.Lost)
		row.Alone = alone[list[i].ID]
		p.Rows = append(p.Rows, row)
	}
	p.Pager = v.pager(next, len(list))
	return nil
}

// alone are the open ones of these claims about whose people no source says anything: nothing keeps those accounts in step.
func (v *visit) alone(list []connector.Claim) (map[connector.ID]bool, error) {
	var users []connector.ID
	for i := range list {
		if list[i].Status == connector.ClaimOpen {
			users = append(users, list[i].User)
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	links, err := v.s.o.Store.LinksOfUsers(v.r.Context(), v.id(), users)
	known := map[connector.ID]bool{}
	for _, l := range links {
		known[l.User] = known[l.User] || l.Source != connector.Claimed
	}
	alone := map[connector.ID]bool{}
	for i := range list {
		alone[list[i].ID] = list[i].Status == connector.ClaimOpen && !known[list[i].User]
	}
	return alone, err
}

func (v *visit) claimRow(c *connector.Claim, lost bool) claimRow {
	f := frame{v: v}
	row := claimRow{Address: v.link("/claims/" + c.ID.String()), Email: v.personal(c.Email), Status: v.claimPill(c.Status), By: c.Actor, At: f.At(c.At), Until: f.At(c.Until), From: v.nameOfOrg(c.From)}
	if c.Status == connector.ClaimOpen {
		row.Choice = v.t("claims.default", nil)
		row.Left = v.s.pages.Count(v.lang, "claims.left", c.DaysLeft(v.now))
	}
	if c.Choice != "" {
		row.Choice = v.t("claims.choice."+string(c.Choice), nil)
	}
	if lost {
		row.Address, row.By, row.From = "", v.nameOfOrg(c.Org), ""
	}
	return row
}

func (v *visit) claimPill(s connector.ClaimStatus) pill {
	kinds := map[connector.ClaimStatus]string{
		connector.ClaimOpen: "warn", connector.ClaimDecided: "good", connector.ClaimExpired: "info", connector.ClaimEnded: "off", connector.ClaimCancelled: "off",
	}
	return pill{v.t("claims.status."+string(s), nil), kinds[s]}
}

// nameOfOrg is how people know an organization; its id where it is not configured any more.
func (v *visit) nameOfOrg(id string) string {
	for _, o := range v.set.Organizations {
		if o.Settings.ID == id && o.Settings.Name != "" {
			return o.Settings.Name
		}
	}
	return id
}

// exportClaims sends the claims that the list shows, all pages of it.
func (v *visit) exportClaims() {
	q := v.claimQuery()
	q.Limit = exportStep
	v.sheet("claims", "claims", []string{"id", "email", "status", "claimed_by", "organization", "at", "until", "choice", "decided_at", "decided_by", "user_id"}, v.claimLines(q))
}

func (v *visit) claimLines(q connector.ClaimQuery) iter.Seq2[[]string, error] {
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	return func(yield func([]string, error) bool) {
		for {
			list, err := v.s.o.Store.Claims(v.r.Context(), q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range list {
				c := &list[i]
				by, decider, user := c.Actor, c.DecidedBy, c.User.String()
				if q.Lost { // what is the claimer's own business is left out
					by, decider, user = "", "", ""
				}
				if !yield([]string{
					c.ID.String(), v.personal(c.Email), string(c.Status), by, c.Org, when(c.At), when(c.Until), string(c.Choice), when(c.DecidedAt), decider, user,
				}, nil) {
					return
				}
			}
			if len(list) < q.Limit {
				return
			}
			q.Before = list[len(list)-1].ID
		}
	}
}

// claimPage is one claim.
type claimPage struct {
	claimRow
	Open    bool
	User    string // address of the account
	Facts   []fact
	Next    *instant // when the person is reminded next, or the end
	Actions []actionLink
}

// theClaim is the claim that the path names, and answers where there is none.
func (v *visit) theClaim() (*connector.Claim, bool) {
	id, err := connector.ParseID(v.r.PathValue("claim"))
	if err != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return nil, false
	}
	c, err := v.s.o.Store.Claim(v.r.Context(), v.id(), id)
	if err != nil {
		v.accident("claim", err)
		return nil, false
	}
	return c, true
}

func (v *visit) claim() {
	c, ok := v.theClaim()
	if !ok {
		return
	}
	f := frame{v: v}
	p := claimPage{claimRow: v.claimRow(c, false), Open: c.Status == connector.ClaimOpen, User: v.link("/users/" + c.User.String()), Next: f.At(c.NextAt)}
	alone, err := v.alone([]connector.Claim{*c})
	if err != nil {
		v.accident("claim", err)
		return
	}
	p.Alone = alone[c.ID]
	p.Facts = append(p.Facts, fact{Name: v.t("claims.by", nil), Value: c.Actor}, fact{Name: v.t("claims.was", nil), Value: v.t("words.state."+string(c.Was), nil)})
	if c.DecidedBy != "" {
		p.Facts = append(p.Facts, fact{Name: v.t("claims.decidedby", nil), Value: c.DecidedBy})
	}
	if !c.DecidedAt.IsZero() {
		p.Facts = append(p.Facts, fact{Name: v.t("claims.decidedat", nil), Value: f.At(c.DecidedAt).Title})
	}
	if p.Choice != "" {
		p.Facts = append(p.Facts, fact{Name: v.t("claims.what", nil), Value: p.Choice})
	}
	if p.Open && v.may(remove) {
		path := "/claims/" + c.ID.String()
		p.Actions = []actionLink{
			{Text: v.t("claims.remind.link", nil), Address: v.link(path + "/remind")}, {Text: v.t("claims.decide.link", nil), Address: v.link(path + "/decide")},
		}
	}
	v.show(http.StatusOK, "claim", frame{Title: p.Email, Crumbs: v.claimsCrumb()}, p)
}

func (v *visit) claimsCrumb() []crumb { return []crumb{{v.t("nav.claims", nil), v.link("/claims")}} }

func (v *visit) claimFrame(c *connector.Claim, key string) frame {
	return frame{Title: v.t(key, nil), Crumbs: append(v.claimsCrumb(), crumb{v.personal(c.Email), v.link("/claims/" + c.ID.String())})}
}

func (v *visit) askRemind() {
	c, ok := v.theClaim()
	if !ok {
		return
	}
	x := confirm{
		Effect: []string{v.t("claims.remind.effect", map[string]string{"Email": v.personal(c.Email)})}, Button: v.t("claims.remind.button", nil), Back: v.link("/claims/" + c.ID.String()),
	}
	if c.Status != connector.ClaimOpen {
		x.Button, x.Fault = "", v.t("claims.over", nil)
	}
	v.show(http.StatusOK, "confirm", v.claimFrame(c, "claims.remind.title"), x)
}

func (v *visit) doRemind() {
	c, ok := v.theClaim()
	if !ok {
		return
	}
	if _, err := v.org.Claims.RemindClaim(v.r.Context(), v.id(), c.ID); err != nil {
		v.accident("claim", err)
		return
	}
	v.done(v.link("/claims/"+c.ID.String()), "good", "claims.remind.done", map[string]string{"Email": v.personal(c.Email)})
}

// askDecide offers what an administrator may choose in the person's place: to keep the account is for the person alone, who has to
// prove another address.
func (v *visit) askDecide() {
	c, ok := v.theClaim()
	if !ok {
		return
	}
	x := confirm{Effect: []string{v.t("claims.decide.effect", nil), v.t("claims.decide.keep", nil)}, Button: v.t("claims.decide.button", nil), Danger: true, Back: v.link("/claims/" + c.ID.String())}
	for _, k := range []connector.ClaimChoice{connector.ClaimMove, connector.ClaimDelete} {
		x.Choices = append(x.Choices, choice{Value: string(k), Text: v.t("claims.choice."+string(k), nil), Note: v.t("claims.means."+string(k), nil)})
	}
	if c.Status != connector.ClaimOpen {
		x.Button, x.Choices, x.Fault = "", nil, v.t("claims.over", nil)
	}
	v.show(http.StatusOK, "confirm", v.claimFrame(c, "claims.decide.title"), x)
}

func (v *visit) doDecide() {
	c, ok := v.theClaim()
	if !ok {
		return
	}
	k := connector.ClaimChoice(v.value("choice"))
	if k != connector.ClaimMove && k != connector.ClaimDelete {
		v.redirect(v.link("/claims/" + c.ID.String() + "/decide"))
		return
	}
	_, failures, err := v.org.Claims.DecideClaim(v.r.Context(), provision.ClaimDecision{Org: v.id(), Claim: c.ID, Choice: k, Actor: v.session.Actor()})
	back := v.link("/claims/" + c.ID.String())
	switch {
	case err != nil:
		v.accident("claim", err)
	case len(failures) > 0:
		v.show(http.StatusConflict, "refused", v.claimFrame(c, "claims.decide.title"), refused{v.failCard(failures[0], failures[0].At), back})
	default:
		v.done(back, "good", "claims.decide.done", map[string]string{"Email": v.personal(c.Email)})
	}
}
