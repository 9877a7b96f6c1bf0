package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
)

const claimsTag = "Claims"

// Claims takes users over between organizations. provision.Claims is one.
type Claims interface {
	Candidates(ctx context.Context, q provision.CandidateQuery) (list []provision.Candidate, next string, err error)
	Preview(ctx context.Context, req provision.ClaimRequest) ([]provision.ClaimResult, error)
	Claim(ctx context.Context, req provision.ClaimRequest) ([]provision.ClaimResult, error)
	RemindClaim(ctx context.Context, org string, id connector.ID) (*connector.Claim, error)
	DecideClaim(ctx context.Context, d provision.ClaimDecision) (*connector.Claim, []connector.Failure, error)
}

func (s *Server) claims() {
	route(s, operation{
		id: "listCandidates", method: http.MethodGet, path: "/claim-candidates", scope: connector.APIClaims, tag: claimsTag,
		summary: "List users of other organizations who could be claimed", refuses: []int{http.StatusConflict},
		about: "Those whose e-mail is on a domain that this organization has verified, and why they cannot be claimed where that is so. Whether seats are free is not looked at: the preview does that.",
	}, s.listCandidates)
	post := func(id, path, summary, about string, asks bool, do func(Claims, context.Context, provision.ClaimRequest) ([]provision.ClaimResult, error)) {
		route(s, operation{
			id: id, method: http.MethodPost, path: path, scope: connector.APIClaims, tag: claimsTag, summary: summary, about: about, asks: asks, most: 256 << 10,
			refuses: []int{http.StatusConflict},
		}, func(ctx context.Context, c *call, in *claimInput) (*claimedOutput, error) {
			return s.claim(ctx, c, in, do)
		})
	}
	post("previewClaims", "/claims/preview", "Say who of these could be claimed and who could not", "Nothing is changed. Seats are counted.", true, Claims.Preview)
	post("claimUsers", "/claims", "Claim users of other organizations",
		"Each is taken over in a transaction of its own: claim_pending here, ended there. Who cannot be claimed stays, and is told in the answer. A claim cannot be withdrawn.", false, Claims.Claim)
	route(s, operation{
		id: "listClaims", method: http.MethodGet, path: "/claims", scope: connector.APIRead, tag: claimsTag, summary: "List claims, latest first",
	}, s.listClaims)
	route(s, operation{
		id: "getClaim", method: http.MethodGet, path: "/claims/{claim}", scope: connector.APIRead, tag: claimsTag, summary: "Show one claim",
	}, s.getClaim)
	route(s, operation{
		id: "remindClaim", method: http.MethodPost, path: "/claims/{claim}/remind", scope: connector.APIClaims, tag: claimsTag,
		summary: "Send the person the mail with the link again", refuses: []int{http.StatusConflict},
		about: "Not within an hour of the last one. People are reminded 7 days, 3 days and 1 day before the end without that.",
	}, s.remindClaim)
	route(s, operation{
		id: "decideClaim", method: http.MethodPost, path: "/claims/{claim}/decide", scope: connector.APIClaims, tag: claimsTag,
		summary: "End a claim in the person's place", refuses: []int{http.StatusConflict},
		about: "To keep the old account is for the person alone, who proves another address in the portal.",
	}, s.decideClaim)
}

// Candidate is somebody who could be claimed, or what became of it.
type Candidate struct {
	ID       string             `json:"id,omitempty" doc:"By which the user can be claimed; left out where nobody is meant."`
	Email    string             `json:"email"`
	State    connector.State    `json:"state,omitempty"`
	Since    *time.Time         `json:"since,omitempty" doc:"When the account was made."`
	CanBe    bool               `json:"can_be_claimed"`
	Failures []failure.Document `json:"failures,omitempty" doc:"Why the user cannot be claimed, or was not."`
	Claim    string             `json:"claim,omitempty" doc:"The claim, once there is one."`
	Until    *time.Time         `json:"until,omitempty" doc:"The end of the time for the person's decision."`
}

// NewCandidate is the form in which the API and the command line show somebody who could be claimed.
func NewCandidate(cat *failure.Catalogue, r *provision.ClaimResult, lang string) Candidate {
	j := Candidate{ID: r.User.String(), Email: r.Email, State: r.State, Since: when(r.Since), CanBe: len(r.Failures) == 0}
	for _, f := range r.Failures {
		j.Failures = append(j.Failures, cat.Document(f, lang))
	}
	if r.Claim != nil {
		j.Claim, j.Until = r.Claim.ID.String(), when(r.Claim.Until)
	}
	return j
}

// Claim is a user taken over from another organization. What the old account knew is not in it.
type Claim struct {
	ID        string                `json:"id" format:"uuid"`
	Org       string                `json:"org" doc:"The organization that has claimed."`
	Email     string                `json:"email"`
	Status    connector.ClaimStatus `json:"status" enum:"open,decided,expired,ended,cancelled"`
	User      string                `json:"user,omitempty" doc:"The user in the organization that has claimed; left out of claims that were lost to it."`
	FormerID  string                `json:"former_user" doc:"The user that has ended with the claim."`
	Was       connector.State       `json:"was"`
	By        string                `json:"by,omitempty"`
	At        time.Time             `json:"at"`
	Until     time.Time             `json:"until"`
	DaysLeft  int                   `json:"days_left"`
	Choice    connector.ClaimChoice `json:"choice,omitempty" enum:"move,delete,keep"`
	DecidedAt *time.Time            `json:"decided_at,omitempty"`
	DecidedBy string                `json:"decided_by,omitempty"`
}

// NewClaim is the form in which the API and the command line show a claim. What is the claimer's own business is left out
// of one that is shown to the organization that has lost the user.
func NewClaim(c *connector.Claim, now time.Time, lost bool) Claim {
	j := Claim{
		ID: c.ID.String(), Org: c.Org, Email: c.Email, Status: c.Status, User: c.User.String(), FormerID: c.FromUser.String(), Was: c.Was, By: c.Actor,
		At: c.At.UTC(), Until: c.Until.UTC(), Choice: c.Choice, DecidedAt: when(c.DecidedAt), DecidedBy: c.DecidedBy,
	}
	if c.Status == connector.ClaimOpen {
		j.DaysLeft = c.DaysLeft(now)
	}
	if lost {
		j.User, j.By, j.DecidedBy = "", "", ""
	}
	return j
}

type listCandidatesInput struct {
	OrgPath
	Page
	Domain string `query:"domain" doc:"Only this domain and those below it." maxLength:"253"`
}

// Candidates is a page of users of other organizations.
type Candidates struct {
	Candidates []Candidate `json:"candidates"`
	Next       string      `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
}

type candidatesOutput struct{ Body Candidates }

func (s *Server) listCandidates(ctx context.Context, c *call, in *listCandidatesInput) (*candidatesOutput, error) {
	after, err := in.place()
	if err != nil {
		return nil, err
	}
	list, next, err := c.org.Claims.Candidates(ctx, provision.CandidateQuery{Org: c.id(), Domain: in.Domain, After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &candidatesOutput{Candidates{Candidates: make([]Candidate, len(list)), Next: cursor(next)}}
	for i := range list {
		out.Body.Candidates[i] = NewCandidate(s.catalogue, &provision.ClaimResult{Candidate: list[i]}, c.lang)
	}
	return out, nil
}

type claimInput struct {
	OrgPath
	Body ToClaim
}

// ToClaim names users to be claimed, 250 at most.
type ToClaim struct {
	Emails  []string `json:"emails,omitempty" doc:"Primary addresses." maxItems:"250"`
	Users   []string `json:"users,omitempty" doc:"Ids, as the list of candidates gives them." maxItems:"250"`
	Package string   `json:"package,omitempty" doc:"The package that they get; left out is the organization's." maxLength:"64"`
}

// Claimed is what became of them, each once, in the order of the request: ids first.
type Claimed struct {
	Users []Candidate `json:"users"`
}

type claimedOutput struct{ Body Claimed }

func (s *Server) claim(
	ctx context.Context, c *call, in *claimInput, do func(Claims, context.Context, provision.ClaimRequest) ([]provision.ClaimResult, error),
) (*claimedOutput, error) {
	req := provision.ClaimRequest{Org: c.id(), Emails: in.Body.Emails, Package: in.Body.Package, Actor: c.by()}
	for _, text := range in.Body.Users {
		id, err := connector.ParseID(text)
		if err != nil {
			return nil, invalid("body.users", err.Error())
		}
		req.Users = append(req.Users, id)
	}
	if len(req.Users)+len(req.Emails) == 0 {
		return nil, invalid("body", "name users or emails")
	}
	list, err := do(c.org.Claims, ctx, req)
	if err != nil {
		return nil, err
	}
	out := &claimedOutput{Claimed{Users: make([]Candidate, len(list))}}
	for i := range list {
		out.Body.Users[i] = NewCandidate(s.catalogue, &list[i], c.lang)
	}
	return out, nil
}

type listClaimsInput struct {
	OrgPath
	Page
	Lost   bool                  `query:"lost" doc:"Those that other organizations have made of this one's users."`
	Status connector.ClaimStatus `query:"status" doc:"Only this status." enum:"open,decided,expired,ended,cancelled"`
}

// ClaimList is a page of claims.
type ClaimList struct {
	Claims []Claim `json:"claims"`
	Next   string  `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
}

type claimsOutput struct{ Body ClaimList }

func (s *Server) listClaims(ctx context.Context, c *call, in *listClaimsInput) (*claimsOutput, error) {
	q := connector.ClaimQuery{Org: c.id(), Lost: in.Lost, Status: in.Status, Limit: in.Limit + 1}
	after, err := in.place()
	if err == nil && after != "" {
		if q.Before, err = connector.ParseID(after); err != nil {
			err = invalid("query.after", "this is not what a page gave as next")
		}
	}
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.Claims(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &claimsOutput{ClaimList{Claims: []Claim{}}}
	for i := range list {
		if i == in.Limit {
			out.Body.Next = cursor(list[i-1].ID.String())
			break
		}
		out.Body.Claims = append(out.Body.Claims, NewClaim(&list[i], s.now(), in.Lost))
	}
	return out, nil
}

// ClaimPath names a claim.
type ClaimPath struct {
	OrgPath
	Claim string `path:"claim" format:"uuid"`
}

type claimOutput struct{ Body Claim }

func (s *Server) getClaim(ctx context.Context, c *call, in *ClaimPath) (*claimOutput, error) {
	claim, err := s.findClaim(ctx, c, in.Claim)
	if err != nil {
		return nil, err
	}
	return &claimOutput{NewClaim(claim, s.now(), false)}, nil
}

func (s *Server) findClaim(ctx context.Context, c *call, text string) (*connector.Claim, error) {
	id, err := connector.ParseID(text)
	if err != nil {
		return nil, invalid("path.claim", err.Error())
	}
	return s.o.Store.Claim(ctx, c.id(), id)
}

func (s *Server) remindClaim(ctx context.Context, c *call, in *ClaimPath) (*claimOutput, error) {
	claim, err := s.findClaim(ctx, c, in.Claim)
	if err == nil {
		claim, err = c.org.Claims.RemindClaim(ctx, c.id(), claim.ID)
	}
	if err != nil {
		return nil, err
	}
	return &claimOutput{NewClaim(claim, s.now(), false)}, nil
}

type decideInput struct {
	ClaimPath
	Body ToDecide
}

// ToDecide is what becomes of the old account.
type ToDecide struct {
	Choice connector.ClaimChoice `json:"choice" enum:"move,delete"`
}

func (s *Server) decideClaim(ctx context.Context, c *call, in *decideInput) (*claimOutput, error) {
	claim, err := s.findClaim(ctx, c, in.Claim)
	if err != nil {
		return nil, err
	}
	claim, _, err = c.org.Claims.DecideClaim(ctx, provision.ClaimDecision{Org: c.id(), Claim: claim.ID, Choice: in.Body.Choice, Actor: c.by()})
	if err != nil {
		return nil, err
	}
	return &claimOutput{NewClaim(claim, s.now(), false)}, nil
}
