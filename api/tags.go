package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// tagged reports whether the answers of an operation have an ETag: those that are not sent while they are made.
func (op *operation) tagged() bool { return op.method == http.MethodGet && !op.streams && !op.events }

// noneMatchParam describes the header, for one document, into which huma writes.
func noneMatchParam() *huma.Param {
	return &huma.Param{
		Name: "If-None-Match", In: "header", Description: "The ETag of an answer that you have: 304 without a body where it is the same still.",
		Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(2000)},
	}
}

// notModified describes the answer, for one document.
func notModified() map[string]*huma.Response {
	return map[string]*huma.Response{"304": {Description: "The answer is the one that you have."}}
}

// withTag gives an answer its ETag, made of every byte of it, and answers 304 to who has it already. What the operation has
// set itself, the version of a user, is the part of it that If-Match looks at.
func withTag(ctx huma.Context, r *http.Request, w http.ResponseWriter, next func(huma.Context)) {
	p := &page{header: http.Header{}}
	next(huma.WithContext(humago.NewContext(ctx.Operation(), r, p), ctx.Context()))
	if p.status == 0 || p.status == http.StatusOK {
		p.status = http.StatusOK
		sum := sha256.Sum256(p.body.Bytes())
		tag := hex.EncodeToString(sum[:8])
		if version := strings.Trim(p.header.Get("ETag"), `"`); version != "" {
			tag = version + "-" + tag
		}
		p.header.Set("ETag", `"`+tag+`"`)
		if hasTag(r.Header.Values("If-None-Match"), tag) {
			p.status, p.body = http.StatusNotModified, bytes.Buffer{}
			p.header.Del("Content-Type")
		}
	}
	p.write(w)
}

// hasTag compares as RFC 9110 section 13.1.2 wants: weakly, and * is any.
func hasTag(lists []string, tag string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == `"`+tag+`"` {
				return true
			}
		}
	}
	return false
}
