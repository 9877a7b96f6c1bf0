package scim_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/dialect"
	"usherd/scim/schema"
)

// odd are texts that a service might write in another way: a client that finds another value than it has sent sends its own
// again, in each of its cycles.
var odd = []string{
	" a ", "a  b", "\u00a0a\u2003", "ÅNGSTRÖM", "A\u030angstro\u0308m", "ß", "İ", "x\"y\\z/", "0", "00123", "true", "null", "1.0", "[]", `{"a":1}`, "a,b;c", "<b>&amp;</b>", "\u200ba", "😀",
	"2026-01-31", "+46 8 123 45", "https://example.com/A%20b?c=D#e", "urn:X:y", "SE", "sv-SE", "Europe/Stockholm",
}

// sample gives an attribute a value: the n-th odd text wherever there may be any.
func sample(a *schema.Attribute, n int) any {
	switch {
	case a.Kind == schema.Boolean:
		return n%2 == 0
	case a.Kind == schema.Binary:
		return base64.StdEncoding.EncodeToString([]byte(odd[n%len(odd)]))
	case a.Name == "streetAddress" || a.Name == "formatted" && a.Parent.Name == "addresses": // RFC 7643 section 4.1.2
		return odd[n%len(odd)] + "\n" + odd[(n+1)%len(odd)]
	case a.Name == "type":
		return []string{"work", "Work", "home", "office ", "x"}[n%5]
	case a.Kind != schema.Complex:
		return odd[n%len(odd)]
	}
	m := map[string]any{}
	for i, s := range a.Sub {
		if s.Mutability != schema.ReadOnly && (s.Name != "primary" || n%2 == 0) {
			m[s.Name] = sample(s, n+i)
		}
	}
	return m
}

// samples are users with every attribute that a client can set, each run with other texts.
func samples(run int) map[string]any {
	u := map[string]any{}
	n := run
	for _, s := range append([]*schema.Schema{schema.User().Core}, schema.User().Extensions...) {
		into := u
		if s != schema.User().Core {
			into = map[string]any{}
		}
		for _, a := range s.Attributes {
			n++
			switch {
			case a.Mutability != schema.ReadWrite || a.Name == "active":
			case a.Multi:
				into[a.Name] = []any{sample(a, 2*n), sample(a, 2*n+1)}
			default:
				into[a.Name] = sample(a, n)
			}
		}
		if s != schema.User().Core && len(into) > 0 {
			u[s.ID] = into
		}
	}
	return u
}

// What is pushed is what is read, in every dialect and for every attribute, whatever stands in it; and whoever pushes again
// what is read changes nothing.
func TestPushedValuesAreReadBack(t *testing.T) {
	t.Parallel()
	for i, p := range dialect.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.speak("acme:idp", p.Name)
			for run := i % 5; run < len(odd); run += 5 { // other ones in each
				sent := samples(run)
				name := string(rune('a' + run))
				sent["schemas"] = []any{schema.UserURN, schema.EnterpriseURN}
				sent["userName"] = " " + odd[run] + "." + name + " "
				sent["externalId"] = " " + odd[run] + " "
				sent["emails"] = []any{
					map[string]any{"value": " " + name + "@example.com", "type": "work", "primary": true, "display": odd[run]},
					map[string]any{"value": name + ".Other@EXAMPLE.com ", "type": "Home"},
				}
				sent["active"] = true
				text, err := json.Marshal(sent)
				if err != nil {
					t.Fatal(err)
				}
				made := w.send("POST", "/Users", string(text)).want(t, http.StatusCreated)
				at := "/Users/" + made.text("id")
				read := w.send("GET", at, "").want(t, http.StatusOK)
				comparesTo(t, sent, read)
				// Its own attributes again, by PUT and one by one.
				again := w.send("PUT", at, string(text)).want(t, http.StatusOK)
				comparesTo(t, sent, again)
				if a, b := read.text("meta", "version"), again.text("meta", "version"); a != b {
					t.Errorf("the same again makes version %s of %s", b, a)
				}
				var ops []any
				for key, v := range sent {
					if key != "schemas" {
						ops = append(ops, map[string]any{"op": "replace", "path": key, "value": v})
					}
				}
				change, err := json.Marshal(map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops})
				if err != nil {
					t.Fatal(err)
				}
				w.send("PATCH", at, string(change)).want(t, http.StatusOK)
				last := w.send("GET", at, "").want(t, http.StatusOK)
				comparesTo(t, sent, last)
				if a, b := read.text("meta", "version"), last.text("meta", "version"); a != b {
					t.Errorf("the same by PATCH makes version %s of %s", b, a)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// comparesTo holds what was read to be what was sent; the service adds what is its own. Lists have no order.
func comparesTo(t *testing.T, sent map[string]any, read response) {
	t.Helper()
	var got, want map[string]any
	b, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	for text, into := range map[string]*map[string]any{string(b): &want, read.body: &got} {
		if err := json.Unmarshal([]byte(inOrder(response{body: text}).body), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, own := range []string{"id", "meta", "schemas", "groups", schema.UsherdURN} {
		delete(got, own)
		delete(want, own)
	}
	delete(want, "password")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s", diff)
	}
}
