package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"usherd/connector"
)

// tokenScheme is the name of our tokens in the document.
const tokenScheme = "token"

// maxBody bounds what a program sends where the operation does not say otherwise.
const maxBody = 64 << 10

// operation is one thing that programs can ask for.
type operation struct {
	id      string // of the document: listUsers
	method  string
	path    string // below the organization: /users
	scope   string // one of connector.APIScopes that the token must have
	tag     string
	summary string
	about   string
	status  int // where everything is well; 0 = 200, or 204 without a body
	refuses []int
	most    int64    // bytes of the body; 0 = maxBody
	file    bool     // the body is a CSV file
	streams bool     // the answer is sent while it is made
	media   []string // what the answer can be, where that is not JSON alone
	events  bool     // the answer is a stream of events
	asks    bool     // a POST that changes nothing, or the same however often it comes
}

// ours is where the document keeps what an operation was made of; it is not shown.
const ours = "usherd"

// changes reports whether a request that comes twice could do something twice.
func (op *operation) changes() bool { return op.method == http.MethodPost && !op.asks }

// route has handle answer an operation. I is a struct of parameters and body, with OrgPath in it; O one of headers and
// body, as huma reads them. An error is answered as a problem.
func route[I, O any](s *Server, op operation, handle func(ctx context.Context, c *call, in *I) (*O, error)) {
	most := op.most
	if most == 0 {
		most = maxBody
	}
	described := huma.Operation{
		OperationID: op.id, Method: op.method, Path: orgRoot + op.path, Tags: []string{op.tag}, Summary: op.summary, Description: op.about,
		DefaultStatus: op.status, MaxBodyBytes: most, Metadata: map[string]any{ours: op},
		Security: []map[string][]string{{tokenScheme: {op.scope}}},
		Errors: append([]int{
			http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable,
		}, op.refuses...),
	}
	if op.changes() {
		described.Parameters = []*huma.Param{onceParam()}
		for _, status := range [...]int{http.StatusRequestTimeout, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity} {
			if !slices.Contains(described.Errors, status) {
				described.Errors = append(described.Errors, status)
			}
		}
	}
	if op.file {
		described.RequestBody = fileBody()
	}
	if op.tagged() {
		described.Parameters, described.Responses = []*huma.Param{noneMatchParam()}, notModified()
	}
	if len(op.media) > 0 {
		described.Responses = answersOf(op.media)
	}
	if op.events {
		described.Responses = eventResponses()
	}
	huma.Register(s.api, described, func(ctx context.Context, in *I) (*O, error) {
		if p := unclean(in); p != nil {
			return nil, p
		}
		out, err := handle(ctx, callOf(ctx), in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
}

// answersOf describes an answer that is sent as it is, for one document.
func answersOf(media []string) map[string]*huma.Response {
	content := map[string]*huma.MediaType{}
	for _, name := range media {
		content[name] = &huma.MediaType{Schema: &huma.Schema{}}
		if name != "application/json" {
			content[name].Schema = &huma.Schema{Type: huma.TypeString, Format: "binary"}
		}
	}
	return map[string]*huma.Response{"200": {Description: "The file.", Content: content}}
}

// OrgPath is the organization in a path. The gate has compared it with the token's before anything is read.
type OrgPath struct {
	Org string `path:"org" doc:"The id of the organization in the configuration." example:"acme" maxLength:"32" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"`
}

// call is one request, after the gate.
type call struct {
	org    *Organization
	caller Caller
	file   *file  // that was sent, of an operation that takes one
	leave  func() // gives back the place among those who are answered; it may be called before the answer has ended
	lang   string // the organization's own, or what Accept-Language asks for
}

// by names the token for the history.
func (c *call) by() string { return "api:" + c.caller.Token.Short() }

func (c *call) id() string { return c.org.Settings.ID }

// at is the address of something of the organization.
func (c *call) at(path string) string { return root + "/orgs/" + c.id() + path }

type callKey struct{}

// in is a context of the request, which acts for its token.
func (c *call) in(ctx context.Context) context.Context {
	return context.WithValue(connector.Acting(ctx, connector.Actor{Name: c.by()}), callKey{}, c)
}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) } //nolint:forcetypeassert // enter has put it there

// enter lets a request in whose token has the scope of the operation.
func (s *Server) enter(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	if len(op.Security) == 0 {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	id := r.PathValue("org")
	caller, leave, denied := s.o.Gate.Enter(r, id)
	if denied != nil {
		maps.Copy(w.Header(), denied.Header)
		newProblem(denied.Status, denied.Reason, denied.Detail).write(w)
		return
	}
	leave = sync.OnceFunc(leave)
	defer leave()
	org := (*s.orgs.Load())[id]
	scope := op.Security[0][tokenScheme][0]
	switch {
	case org == nil:
		newProblem(http.StatusNotFound, "not_found", "there is no such organization").write(w)
		return
	case !slices.Contains(caller.Scopes, scope):
		w.Header().Set("WWW-Authenticate", `Bearer realm="usherd", error="insufficient_scope", scope="`+scope+`"`)
		newProblem(http.StatusForbidden, "scope", "this token has not the scope "+scope+": make another one with usherd token create --api --scope "+scope).write(w)
		return
	}
	c := &call{org: org, caller: caller, leave: leave, lang: r.Header.Get("Accept-Language")}
	if c.lang == "" && len(org.Settings.Languages) > 0 {
		c.lang = org.Settings.Languages[0]
	}
	made, _ := op.Metadata[ours].(operation)
	if made.file {
		f, enough, p := s.receive(w, r, op.MaxBodyBytes)
		if p != nil {
			p.write(w)
			return
		}
		defer enough()
		defer f.drop()
		c.file = f
	}
	ctx = huma.WithContext(ctx, c.in(ctx.Context()))
	if made.changes() && len(r.Header.Values(onceHeader)) > 0 {
		s.once(ctx, c, next)
		return
	}
	if made.tagged() {
		withTag(ctx, r, w, next)
		return
	}
	next(ctx)
}
