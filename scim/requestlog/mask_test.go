package requestlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQueriesAreMasked(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"": "",
		"filter=userName%20eq%20%22ann%40x.org%22&count=1": "filter=userName%20eq%20%22ann%40x.org%22&count=1",
		"filter=password%20eq%20%22hunter2%22":             "filter=[hidden]",
		"filter=active eq true and pass%77ord+pr":          "filter=[hidden]",
		"access_token=abc&count=1":                         "access_token=[hidden]&count=1",
		"count=1&Client-Secret=abc":                        "count=1&Client-Secret=[hidden]",
		"acce%73s_token=abc":                               "acce%73s_token=[hidden]",
		"a=%zz":                                            "a=[hidden]",
		"%zz=b":                                            "%zz=[hidden]",
		"flag&b=":                                          "flag&b=",
		"a=\xff":                                           "a=\uFFFD",
	} {
		if got := Query(raw); got != want {
			t.Errorf("%q became %q, want %q", raw, got, want)
		}
	}
	if got := Query("filter=" + strings.Repeat("é", queryMost)); len(got) > queryMost || !strings.HasSuffix(got, "…") || !utf8.ValidString(got) {
		t.Errorf("a long query: %d bytes, ending %q", len(got), got[len(got)-5:])
	}
}

func TestBodiesAreMasked(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"userName":"ann","password":"x"}`:                                `{"userName":"ann","password":"[hidden]"}`,
		`{ "PassWord" : {"a":[1,2]}, "n": 1 }`:                             `{"PassWord":"[hidden]","n":1}`,
		`{"p\u0061ssword":"x"}`:                                            `{"p\u0061ssword":"[hidden]"}`,
		`{"a":[{"b":{"clientSecret":"x","client_secret":1}}]}`:             `{"a":[{"b":{"clientSecret":"[hidden]","client_secret":"[hidden]"}}]}`,
		`{"urn:ietf:params:scim:schemas:core:2.0:User:password":"x"}`:      `{"urn:ietf:params:scim:schemas:core:2.0:User:password":"[hidden]"}`,
		`{"Authorization":"Bearer x","headers":["Authorization: Bearer"]}`: `{"Authorization":"[hidden]","headers":["[hidden]"]}`,
		`{"op":"replace","path":"password","value":"x"}`:                   `{"op":"replace","path":"password","value":"[hidden]"}`,
		`{"op":"replace","value":"x","path":"password"}`:                   `{"op":"replace","value":"[hidden]","path":"password"}`,
		`{"op":"replace","Value":{"a":1},"PATH":"Pass\u0077ord"}`:          `{"op":"replace","Value":"[hidden]","PATH":"Pass\u0077ord"}`,
		`{"op":"replace","path":"displayName","value":"x"}`:                `{"op":"replace","path":"displayName","value":"x"}`,
		`{"op":"replace","value":{"password":"x","active":false}}`:         `{"op":"replace","value":{"password":"[hidden]","active":false}}`,
		`{"filter":"password eq \"x\""}`:                                   `{"filter":"[hidden]"}`,
		`{"roles":[{"value":"{\"token\":\"x\"}"}]}`:                        `{"roles":[{"value":"[hidden]"}]}`,
		`{"emails":[{"value":"a@b.c"}],"x":null,"y":[true,-1.5e3]}`:        `{"emails":[{"value":"a@b.c"}],"x":null,"y":[true,-1.5e3]}`,
		``:               ``,
		`grant_type=x`:   `[12 bytes that are no JSON]`,
		`"x"`:            `[3 bytes that are no JSON]`,
		`{"a":1,"b`:      `{"a":1, [cut, 9 bytes in all]`,
		`{"password":"x`: `{"password":"[hidden]" [cut, 14 bytes in all]`,
		`{"a":1 "b":2}`:  `{"a":1 [cut, 13 bytes in all]`,
		`{"a":secret}`:   `{"a":se [cut, 12 bytes in all]`,
	} {
		if got := string(Body([]byte(in), int64(len(in)))); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", in, got, want)
		}
	}
	if got := string(Body([]byte(`{"Operations":[{"op":"add","value":"x"`), 100)); strings.Contains(got, `"x"`) {
		t.Errorf("the path may have said password: %s", got)
	}
	long := `{"a":"` + strings.Repeat("é", BodyMost) + `"}`
	if got := Body([]byte(long), int64(len(long))); len(got) > BodyMost+64 || !bytes.Contains(got, []byte("cut, ")) || !utf8.Valid(got) {
		t.Errorf("a long body: %d bytes", len(got))
	}
	deep := strings.Repeat("[", CaptureMost)
	if got := Body([]byte(deep), int64(len(deep))); len(got) > 200 {
		t.Errorf("a deep body: %d bytes", len(got))
	}
}

// writer makes random documents in which everything secret is called MARK.
type writer struct {
	r *rand.Rand
	b bytes.Buffer
}

func (w *writer) pick(words ...string) string { return words[w.r.IntN(len(words))] }

func (w *writer) blank() { w.b.WriteString(w.pick("", "", " ", "\n\t")) }

func (w *writer) secret() {
	w.b.WriteString(w.pick(`"MARK"`, `["MARK",{"a":"MARK"}]`, `{"x":"MARK"}`, `"\"MARK"`))
}

func (w *writer) value(depth int) {
	w.blank()
	switch n := w.r.IntN(10); {
	case depth > 0 && n < 3:
		w.object(depth - 1)
	case depth > 0 && n < 5:
		w.b.WriteByte('[')
		for i := range w.r.IntN(4) {
			if i > 0 {
				w.b.WriteByte(',')
			}
			w.value(depth - 1)
		}
		w.b.WriteByte(']')
	case depth > 0 && n < 6:
		w.operation()
	default:
		w.b.WriteString(w.pick(`"ann"`, `true`, `null`, `-1.5e3`, `"a\"b\\"`, `"ü\u00e9"`, `{}`, `[]`))
	}
	w.blank()
}

func (w *writer) object(depth int) {
	w.b.WriteByte('{')
	for i := range w.r.IntN(5) {
		if i > 0 {
			w.b.WriteByte(',')
		}
		w.blank()
		if w.r.IntN(3) == 0 {
			fmt.Fprintf(&w.b, "%q:", w.pick("password", "PASSWORD", "clientSecret", "access_token", "urn:x:User:password", "Authorization", "bearer-token"))
			w.secret()
			continue
		}
		fmt.Fprintf(&w.b, "%q:", w.pick("userName", "value", "name", "active", "emails"))
		w.value(depth)
	}
	w.b.WriteByte('}')
}

// operation is a PATCH operation on a password, its members in any order.
func (w *writer) operation() {
	members := []func(){
		func() { w.b.WriteString(w.pick(`"op":"replace"`, `"OP":"Add"`)) },
		func() {
			w.b.WriteString(w.pick(`"path":"password"`, `"Path":"urn:ietf:params:scim:schemas:core:2.0:User:passWord"`, `"pat\u0068":"password"`))
		},
		func() {
			w.b.WriteString(w.pick(`"value":`, `"VALUE":`))
			w.secret()
		},
	}
	w.b.WriteByte('{')
	for n, i := range w.r.Perm(3) {
		if n > 0 {
			w.b.WriteByte(',')
		}
		members[i]()
	}
	w.b.WriteByte('}')
}

// Whatever the document and wherever it was cut, no secret is left; and where nothing is secret, nothing is lost.
func TestNoSecretIsLeft(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		w := &writer{r: rand.New(rand.NewPCG(seed, 3))}
		w.object(4)
		doc := w.b.Bytes()
		if !json.Valid(doc) {
			t.Fatalf("seed %d: the test made %s", seed, doc)
		}
		for _, end := range []int{len(doc), w.r.IntN(len(doc)) + 1, w.r.IntN(len(doc)) + 1} {
			got := Body(doc[:end], int64(len(doc)))
			if bytes.Contains(got, []byte("MARK")) {
				t.Fatalf("seed %d, cut at %d of %d:\n%s\nbecame\n%s", seed, end, len(doc), doc, got)
			}
			if end == len(doc) && len(doc) < BodyMost && !json.Valid(got) {
				t.Fatalf("seed %d:\n%s\nbecame\n%s", seed, doc, got)
			}
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"op":"replace","path":"password","value":"x"}`), 3)
	f.Add([]byte(`{"a":["b",{"c":1e9,"token":[1]}]}`), 100)
	f.Add([]byte(strings.Repeat(`{"value":`, 100)), 100)
	f.Fuzz(func(t *testing.T, doc []byte, end int) {
		seen := doc[:min(max(end, 0), len(doc), CaptureMost)]
		got := Body(seen, int64(len(doc)))
		if len(got) > BodyMost+64 {
			t.Fatalf("%d bytes", len(got))
		}
		var compact bytes.Buffer
		if len(seen) == len(doc) && json.Valid(doc) && len(doc) < BodyMost && !isSecret(string(doc)) && json.Compact(&compact, doc) == nil &&
			compact.Len() > 1 && (compact.Bytes()[0] == '{' || compact.Bytes()[0] == '[') && bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) < depthMost &&
			!bytes.Contains(doc, []byte(`\`)) && utf8.Valid(doc) && !bytes.Equal(got, compact.Bytes()) {
			t.Fatalf("%s\nbecame\n%s", compact.Bytes(), got)
		}
	})
}
