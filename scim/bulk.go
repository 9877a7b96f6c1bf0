package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/scim/body"
	"usherd/scim/requestlog"
)

const (
	bulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	bulkPrefix      = "bulkId:"
)

// bulkOp is one operation of a bulk request (RFC 7644 section 3.7).
type bulkOp struct {
	Method  string
	BulkID  string
	Path    string
	Version string
	Data    map[string]any
	refs    []string // bulkIds that it refers to, each once

	done  bool
	id    string // of the resource that a POST has made
	out   object
	began time.Time
	notes *notes // of its request; nil = there was none
}

// bulk carries out many operations through the same code as single requests, each in a transaction of its own. One
// that refers to another by its bulkId waits until that has its id. Of a circle, the first is written without what
// cannot be resolved yet, and this is added when all are there.
func (x *exchange) bulk() (*answer, error) {
	m, err := x.read()
	if err != nil {
		return nil, err
	}
	ops, most, err := bulkRequest(m)
	if err != nil {
		return nil, err
	}
	b := &bulkRun{x: x, ops: ops, most: most, byID: map[string]*bulkOp{}}
	for _, op := range ops {
		if op.BulkID != "" {
			b.byID[op.BulkID] = op
		}
	}
	b.run()
	out := []any{}
	for _, op := range ops {
		if op.done {
			out = append(out, op.out)
		}
	}
	answered, err := body.Append(nil, object{"schemas": []string{bulkResponseURN}, "Operations": out})
	return &answer{status: http.StatusOK, body: answered}, err
}

// bulkRequest reads the message; most is after how many failures it ends, 0 = never.
func bulkRequest(m map[string]any) (ops []*bulkOp, most int, err error) {
	list, ok := body.Member(m, "Operations").([]any)
	if !ok {
		return nil, 0, refuse(http.StatusBadRequest, invalidSyntax, "Operations has to be a list of operations")
	}
	if s, ok := body.Member(m, "schemas").([]any); !ok || len(s) != 1 || !strings.EqualFold(text(s[0]), bulkRequestURN) {
		return nil, 0, refuse(http.StatusBadRequest, invalidSyntax, `schemas has to be ["`+bulkRequestURN+`"]`)
	}
	if len(list) > maxBulkOperations {
		return nil, 0, refuse(http.StatusRequestEntityTooLarge, "", strconv.Itoa(len(list))+" operations are more than the "+strconv.Itoa(maxBulkOperations)+" that a bulk request may have: send several")
	}
	if v := body.Member(m, "failOnErrors"); v != nil {
		n, _ := v.(json.Number)
		if most, err = strconv.Atoi(n.String()); err != nil || most < 1 {
			return nil, 0, badValue("failOnErrors has to be a whole number from 1 on")
		}
	}
	seen := map[string]bool{}
	for i, v := range list {
		op, err := bulkOperation(v)
		if err == nil && op.BulkID != "" && seen[op.BulkID] {
			err = refuse(http.StatusBadRequest, invalidValue, "bulkId "+printable(op.BulkID)+" is there twice")
		}
		if err != nil {
			err.Detail = "Operations[" + strconv.Itoa(i) + "]: " + err.Detail
			return nil, 0, err
		}
		seen[op.BulkID] = true
		ops = append(ops, op)
	}
	return ops, most, nil
}

func bulkOperation(v any) (*bulkOp, *Error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, refuse(http.StatusBadRequest, invalidSyntax, "an operation has to be an object")
	}
	op := &bulkOp{
		Method: strings.ToUpper(text(body.Member(m, "method"))), BulkID: text(body.Member(m, "bulkId")), Path: strings.Trim(text(body.Member(m, "path")), "/"),
		Version: text(body.Member(m, "version")),
	}
	op.Data, _ = body.Member(m, "data").(map[string]any)
	seen := map[string]bool{}
	visit(op.Path, op.Data, func(id string) {
		if !seen[id] {
			seen[id], op.refs = true, append(op.refs, id)
		}
	})
	endpoint, _, deeper := strings.Cut(op.Path, "/")
	switch {
	case op.Method != http.MethodPost && op.Method != http.MethodPut && op.Method != http.MethodPatch && op.Method != http.MethodDelete:
		return nil, refuse(http.StatusBadRequest, invalidSyntax, "method has to be POST, PUT, PATCH or DELETE")
	case kindOf(endpoint) == nil, deeper == (op.Method == http.MethodPost):
		return nil, refuse(http.StatusBadRequest, invalidPath, "path has to be /Users or /Groups for a POST, and with /id after it for the others")
	case op.Method == http.MethodPost && op.BulkID == "":
		return nil, refuse(http.StatusBadRequest, invalidValue, "a POST needs a bulkId")
	case op.Data == nil && op.Method != http.MethodDelete:
		return nil, refuse(http.StatusBadRequest, invalidSyntax, "data has to be an object")
	}
	return op, nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// bulkRun is a bulk request at work.
type bulkRun struct {
	x      *exchange
	ops    []*bulkOp
	most   int
	failed int
	byID   map[string]*bulkOp
	later  []*bulkOp // to be completed with members of a circle
}

func (b *bulkRun) run() {
	for pass := true; pass; {
		pass = false
		for _, op := range b.ops {
			if b.ended() {
				return
			}
			if !op.done && len(b.open(op)) == 0 {
				b.do(op)
				pass = true
			}
		}
	}
	for _, op := range b.ops { // what is left goes round in circles, or refers to nobody
		if !op.done && !b.ended() {
			b.breakCircle(op)
		}
	}
	for _, op := range b.later {
		b.complete(op)
	}
}

func (b *bulkRun) ended() bool { return b.most > 0 && b.failed >= b.most }

// open are the bulkIds that an operation refers to and that have no id yet.
func (b *bulkRun) open(op *bulkOp) []string {
	var ids []string
	for _, id := range op.refs {
		if ref := b.byID[id]; ref == nil || ref.id == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// visit calls f with every bulkId that path or data refer to.
func visit(path string, data any, f func(id string)) {
	if _, id, ok := strings.Cut(path, "/"+bulkPrefix); ok {
		f(id)
	}
	switch v := data.(type) {
	case string:
		if id, ok := strings.CutPrefix(v, bulkPrefix); ok {
			f(id)
		}
	case []any:
		for _, e := range v {
			visit("", e, f)
		}
	case map[string]any:
		for _, e := range v {
			visit("", e, f)
		}
	}
}

// resolved is data with ids for bulkIds; without is what to do with those that have none.
func (b *bulkRun) resolved(v any) any {
	switch v := v.(type) {
	case string:
		if id, ok := strings.CutPrefix(v, bulkPrefix); ok {
			if op := b.byID[id]; op != nil && op.id != "" {
				return op.id
			}
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = b.resolved(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = b.resolved(e)
		}
		return out
	}
	return v
}

// breakCircle creates a group of a circle without its members, and notes it for later; what refers to nobody is
// refused with 409.
func (b *bulkRun) breakCircle(op *bulkOp) {
	for _, id := range b.open(op) {
		if ref := b.byID[id]; ref == nil || ref.done || op.Method != http.MethodPost || !strings.EqualFold(op.Path, "Groups") {
			b.end(op, &answer{}, refuse(http.StatusConflict, "", "bulkId "+printable(id)+" could not be resolved: no operation has made a resource for it"))
			return
		}
	}
	if len(b.open(op)) > 0 {
		whole := op.Data
		op.Data = map[string]any{}
		for key, v := range whole {
			if !strings.EqualFold(key, "members") {
				op.Data[key] = v
			}
		}
		defer func() { op.Data = whole }()
		b.later = append(b.later, op)
	}
	b.do(op)
}

// complete gives a group the members that were not there yet.
func (b *bulkRun) complete(op *bulkOp) {
	if op.id == "" {
		return
	}
	members := map[string]any{"members": b.resolved(body.Member(op.Data, "members"))}
	data := map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{
		map[string]any{"op": "add", "value": members},
	}}
	a, err := b.request(op, http.MethodPatch, "Groups/"+op.id, "", data)
	if err != nil {
		at := op.out["location"] // of the group, which is there without them
		b.end(op, &answer{}, err)
		op.out["location"] = at
		return
	}
	if op.out["version"] = a.etag; a.etag == "" { // an answer without the group
		delete(op.out, "version")
	}
}

func (b *bulkRun) do(op *bulkOp) {
	data := op.Data
	if endpoint, id, ok := strings.Cut(op.Path, "/"); ok {
		op.Path = endpoint + "/" + text(b.resolved(id))
	}
	if data != nil {
		data, _ = b.resolved(data).(map[string]any)
	}
	a, err := b.request(op, op.Method, op.Path, op.Version, data)
	b.end(op, a, err)
}

// request carries out one operation as if it had come alone.
func (b *bulkRun) request(of *bulkOp, method, path, version string, data map[string]any) (*answer, error) {
	of.began = b.x.s.o.Now()
	op, err := route(method, path)
	if err != nil {
		return nil, err
	}
	sent, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	r := b.x.r.Clone(b.x.r.Context())
	r.Method, r.URL = method, &url.URL{Path: b.x.r.URL.Path}
	r.Header = http.Header{"User-Agent": {b.x.r.UserAgent()}}
	if version != "" {
		r.Header.Set("If-Match", version)
	}
	x := *b.x
	x.r, x.sent, x.notes = r, sent, &notes{began: b.x.notes.began}
	of.notes = x.notes
	a, err := op.do(&x)
	b.x.notes.quirks = append(b.x.notes.quirks, x.notes.quirks...)
	return a, err
}

// end notes what has become of an operation.
func (b *bulkRun) end(op *bulkOp, a *answer, err error) {
	op.done = true
	op.out = object{"method": op.Method}
	if op.BulkID != "" {
		op.out["bulkId"] = op.BulkID
	}
	if err != nil {
		b.failed++
		b.x.notes.typ, b.x.notes.ref, b.x.notes.stored = "", "", op.notes != nil && op.notes.stored // not of the one before
		a = b.x.refused(err)
		op.out["response"] = json.RawMessage(a.body)
		b.log(op, a)
	}
	op.out["status"] = strconv.Itoa(a.status)
	if a.etag != "" {
		op.out["version"] = a.etag
	}
	switch {
	case a.location != "":
		op.out["location"] = a.location
		op.id = a.location[strings.LastIndexByte(a.location, '/')+1:]
	case op.Method != http.MethodPost:
		op.out["location"] = b.x.org.base + op.Path
	}
}

// log gives a refused operation its row in the request log: that of the whole request says 200.
func (b *bulkRun) log(op *bulkOp, a *answer) {
	now := b.x.s.o.Now()
	p := requestlog.Part{
		Number: slices.Index(b.ops, op) + 1, Method: op.Method, Path: "/scim/" + b.x.org.Settings.ID + "/v2/" + op.Path, Began: now, Status: a.status,
		ScimType: b.x.notes.typ, Ref: b.x.notes.ref,
	}
	if op.notes != nil {
		p.Began, p.Person, p.User = op.began, op.notes.person, op.notes.user
	}
	p.Duration = now.Sub(p.Began)
	requestlog.From(b.x.r.Context()).Part(p)
}
