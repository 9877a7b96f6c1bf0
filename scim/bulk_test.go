package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/scim"
	"usherd/scim/requestlog"
)

// bulkOf is a bulk request of operations.
func bulkOf(more string, list ...string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]` + more + `,"Operations":[` + strings.Join(list, ",") + `]}`
}

func bulkPost(path, id, data string) string {
	return `{"method":"POST","path":"` + path + `","bulkId":"` + id + `","data":` + data + `}`
}

// results are the statuses and locations of a bulk response, in order.
func (h *hall) results(r response) (statuses, locations []string) {
	h.t.Helper()
	list, _ := r.field("Operations").([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		statuses = append(statuses, fmt.Sprint(m["status"]))
		at, _ := m["location"].(string)
		locations = append(locations, strings.TrimPrefix(at, "https://scim.test/scim/acme/v2"))
	}
	return statuses, locations
}

// Bulk requests that are none (RFC 7644 section 3.7).
func TestBulkRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	bob := person("bob", "")
	var list []exchange
	for name, c := range map[string][2]string{
		"no operations":          {`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]}`, "invalidSyntax"},
		"no schemas":             {`{"Operations":[]}`, "invalidSyntax"},
		"no method":              {bulkOf("", `{"path":"/Users","bulkId":"1","data":`+bob+`}`), "invalidSyntax"},
		"a GET":                  {bulkOf("", `{"method":"GET","path":"/Users/{ann}"}`), "invalidSyntax"},
		"a POST without bulkId":  {bulkOf("", `{"method":"POST","path":"/Users","data":`+bob+`}`), "invalidValue"},
		"a POST without data":    {bulkOf("", `{"method":"POST","path":"/Users","bulkId":"1"}`), "invalidSyntax"},
		"a POST with an id":      {bulkOf("", bulkPost("/Users/{ann}", "1", bob)), "invalidPath"},
		"a PUT without an id":    {bulkOf("", `{"method":"PUT","path":"/Users","data":`+bob+`}`), "invalidPath"},
		"a bulkId twice":         {bulkOf("", bulkPost("/Users", "1", bob), bulkPost("/Groups", "1", group("G"))), "invalidValue"},
		"a bulk in a bulk":       {bulkOf("", bulkPost("/Bulk", "1", bulkOf(""))), "invalidPath"},
		"a search":               {bulkOf("", bulkPost("/Users/.search", "1", "{}")), "invalidPath"},
		"another service":        {bulkOf("", bulkPost("https://example.com/Users", "1", bob)), "invalidPath"},
		"another organization":   {bulkOf("", bulkPost("/../../globex/v2/Users", "1", bob)), "invalidPath"},
		"no list":                {bulkOf("", `5`), "invalidSyntax"},
		"failOnErrors of 0":      {bulkOf(`,"failOnErrors":0`), "invalidValue"},
		"failOnErrors in words":  {bulkOf(`,"failOnErrors":"one"`), "invalidValue"},
		"failOnErrors of a half": {bulkOf(`,"failOnErrors":0.5`), "invalidValue"},
	} {
		list = append(list, exchange{name: name, request: "POST /Bulk\n\n" + c[0], status: 400, want: []string{`scimType = "` + c[1] + `"`}})
	}
	play(t, append(list, exchange{
		name: "too many", request: "POST /Bulk\n\n" + bulkOf("", slices.Repeat([]string{`{"method":"DELETE","path":"/Users/x"}`}, 1001)...), status: 413,
	}, exchange{name: "nothing to do", request: "POST /Bulk\n\n" + bulkOf(""), status: 200, want: []string{"Operations = []"}}))
}

// Each operation is a request of its own: it has its own status, and its failure is its own.
func TestBulkOperationsAreRequests(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	r := h.send("POST", "/Bulk", bulkOf("",
		bulkPost("/Users", "bob", person("bob", "")),
		bulkPost("/Users", "again", strings.Replace(person("ann", ""), "ann@", "other@", 1)),
		`{"method":"put","path":"/Users/`+h.ann+`","data":`+person("ann", `,"title":"Boss"`)+`}`,
		`{"method":"PATCH","path":"/Users/bulkId:bob","data":`+patchOf(`{"op":"add","path":"title","value":"New"}`)+`}`,
		`{"method":"PATCH","path":"Users/`+h.ann+`","version":"W/\"99\"","data":`+patchOf(`{"op":"remove","path":"title"}`)+`}`,
		`{"method":"DELETE","path":"/Groups/`+h.team+`"}`,
		`{"method":"DELETE","path":"/Groups/`+h.team+`"}`,
		`{"method":"DELETE","path":"/Users/bulkId:nobody"}`,
		`{"method":"PATCH","path":"/Users/`+h.ann+`","data":`+patchOf(`{"op":"remove","path":"userName"}`)+`}`,
	)).want(t, http.StatusOK)
	statuses, locations := h.results(r)
	bob := h.page("/Users?" + encoded(`filter=userName eq "bob"`))
	id, _ := bob.Resources[0]["id"].(string)
	if d := cmp.Diff([]string{"201", "409", "200", "200", "412", "204", "404", "409", "400"}, statuses); d != "" {
		t.Errorf("statuses (-want +got):\n%s\n%s", d, r.body)
	}
	ann := "/Users/" + h.ann
	want := []string{"/Users/" + id, "", ann, "/Users/" + id, ann, "/Groups/" + h.team, "/Groups/" + h.team, "/Users/bulkId:nobody", ann}
	if d := cmp.Diff(want, locations); d != "" {
		t.Errorf("locations (-want +got):\n%s", d)
	}
	lines := r.lines(t)
	for _, l := range []string{
		`Operations[0].bulkId = "bob"`, `Operations[0].method = "POST"`, `Operations[1].response.scimType = "uniqueness"`, `Operations[1].response.status = "409"`,
		`Operations[4].response.status = "412"`, `Operations[8].response.scimType = "mutability"`, `Operations[2].method = "PUT"`,
	} {
		if !slices.Contains(lines, l) {
			t.Errorf("there is no line %s:\n%s", l, r.body)
		}
	}
	if bob.Resources[0]["title"] != "New" || h.send("GET", ann, "").text("title") != "Boss" {
		t.Errorf("not everything was done: %s", r.body)
	}
	// The versions are those that GET has.
	list, _ := r.field("Operations").([]any)
	last, _ := list[3].(map[string]any)
	if tag := h.send("GET", "/Users/"+id, "").header.Get("ETag"); last["version"] != tag {
		t.Errorf("the PATCH of bob has version %v, GET %s", last["version"], tag)
	}
}

func TestBulkEndsAfterAsManyErrorsAsWereAllowed(t *testing.T) {
	t.Parallel()
	bad := func(id string) string { return bulkPost("/Groups", id, `{}`) }
	good := func(id string) string { return bulkPost("/Groups", id, group("g-"+id)) }
	for most, want := range map[string][]string{
		"": {"201", "400", "201", "400", "201"}, `,"failOnErrors":1`: {"201", "400"}, `,"failOnErrors":2`: {"201", "400", "201", "400"}, `,"failOnErrors":3`: {"201", "400", "201", "400", "201"},
	} {
		h := newHall(t)
		got, _ := h.results(h.send("POST", "/Bulk", bulkOf(most, good("1"), bad("2"), good("3"), bad("4"), good("5"))).want(t, http.StatusOK))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", most, d)
		}
		made := 0
		for _, s := range want {
			if s == "201" {
				made++
			}
		}
		if p := h.page("/Groups"); p.TotalResults != made+1 {
			t.Errorf("%s: %d groups, want %d", most, p.TotalResults, made+1)
		}
	}
}

// References work in every direction: to what comes later, in circles of any size, and to itself; of those to
// nobody, and to what could not be made, only that operation is lost.
func TestBulkReferences(t *testing.T) {
	t.Parallel()
	ref := func(name string, members ...string) string {
		for i, m := range members {
			members[i] = "bulkId:" + m
		}
		return bulkPost("/Groups", name, group(name, members...))
	}
	for name, c := range map[string]struct {
		ops  []string
		want []string
		of   map[string][]string // members of groups, by bulkId
	}{
		"a user of before":      {[]string{bulkPost("/Users", "u", person("u", "")), ref("a", "u")}, []string{"201", "201"}, map[string][]string{"a": {"u"}}},
		"a user of later":       {[]string{ref("a", "u"), bulkPost("/Users", "u", person("u", ""))}, []string{"201", "201"}, map[string][]string{"a": {"u"}}},
		"a chain":               {[]string{ref("a", "b"), ref("b", "c"), ref("c")}, []string{"201", "201", "201"}, map[string][]string{"a": {"b"}, "b": {"c"}, "c": nil}},
		"a circle of two":       {[]string{ref("a", "b"), ref("b", "a")}, []string{"201", "201"}, map[string][]string{"a": {"b"}, "b": {"a"}}},
		"a circle of three":     {[]string{ref("a", "b"), ref("b", "c"), ref("c", "a")}, []string{"201", "201", "201"}, map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}},
		"a circle and a user":   {[]string{ref("a", "b", "u"), ref("b", "a"), bulkPost("/Users", "u", person("u", ""))}, []string{"201", "201", "201"}, map[string][]string{"a": {"b", "u"}, "b": {"a"}}},
		"nobody":                {[]string{ref("a", "x"), ref("b")}, []string{"409", "201"}, map[string][]string{"b": nil}},
		"what could not be":     {[]string{bulkPost("/Users", "u", `{}`), ref("a", "u"), ref("b", "a")}, []string{"400", "409", "409"}, nil},
		"itself":                {[]string{ref("a", "a")}, []string{"201"}, map[string][]string{"a": nil}},
		"a text that looks so":  {[]string{bulkPost("/Users", "u", person("u", `,"title":"see bulkId:x"`))}, []string{"201"}, nil},
		"a reference elsewhere": {[]string{bulkPost("/Users", "boss", person("boss", "")), bulkPost("/Users", "u", person("u", `,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"bulkId:boss"}}`))}, []string{"201", "201"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			r := h.send("POST", "/Bulk", bulkOf("", c.ops...)).want(t, http.StatusOK)
			got, locations := h.results(r)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Fatalf("statuses (-want +got):\n%s\n%s", d, r.body)
			}
			id := map[string]string{}
			list, _ := r.field("Operations").([]any)
			for i, v := range list {
				m, _ := v.(map[string]any)
				id[fmt.Sprint(m["bulkId"])] = locations[i][strings.LastIndexByte(locations[i], '/')+1:]
			}
			for g, members := range c.of {
				want := []string{}
				for _, m := range members {
					want = append(want, id[m])
				}
				slices.Sort(want)
				if d := cmp.Diff(want, h.members(id[g])); d != "" {
					t.Errorf("members of %s (-want +got):\n%s", g, d)
				}
			}
			if name == "a reference elsewhere" {
				if got := h.send("GET", "/Users/"+id["u"], "").text("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "manager", "value"); got != id["boss"] {
					t.Errorf("the manager is %s", got)
				}
			}
		})
	}
}

// A chain of references, each to what comes next, of bodies that are long.
func TestBulkOfALongChain(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	const n = 300
	var list []string
	filler := `"` + strings.Repeat("x", 10) + `"`
	for i := range n {
		members := []string{fmt.Sprintf(`{"value":"bulkId:%d"}`, i+1)}
		if i == n-1 {
			members = nil
		}
		list = append(list, bulkPost("/Groups", strconv.Itoa(i), fmt.Sprintf(`{"displayName":"g%d","members":[%s],"x":[%s]}`, i, strings.Join(members, ","), strings.Repeat(filler+",", 1000)+filler)))
	}
	got, _ := h.results(h.send("POST", "/Bulk", bulkOf("", list...)).want(t, http.StatusOK))
	if len(got) != n || slices.ContainsFunc(got, func(s string) bool { return s != "201" }) {
		t.Errorf("statuses %v", got)
	}
}

// Each operation of a bulk request that was refused has a row in the request log, with what it was, whom it was about and
// why; the whole request has one too, and those that went well none.
func TestRefusedOperationsAreLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Packages[0].Seats = 1 })
	log := requestlog.New(requestlog.Options{Store: w.db, Now: w.clock})
	logged := httptest.NewServer(log.Handler(w.server))
	defer logged.Close()
	w.srv.Close()
	w.srv = logged
	for _, o := range w.orgs {
		o.Clients["idp"] = scim.Client{Profile: scim.Auto, KeepLog: true, LogBodies: true}
	}
	w.replace()
	ann := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	const gone = "0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
	r := w.send("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+strings.Join([]string{
		`{"method":"PATCH","path":"/Users/` + ann + `","data":` + patchOf(`{"op":"replace","path":"title","value":"Boss"}`) + `}`,
		`{"method":"POST","path":"/Users","bulkId":"a","data":` + person("bob", "") + `}`,
		`{"method":"POST","path":"/Users","bulkId":"b","data":` + person("ann", "") + `}`,
		`{"method":"PATCH","path":"/Users/` + ann + `","data":` + patchOf(`{"op":"replace","path":"id","value":"x"}`) + `}`,
		`{"method":"DELETE","path":"/Groups/` + gone + `"}`,
		`{"method":"PUT","path":"/Groups/bulkId:nobody","data":{"displayName":"G"}}`,
	}, ",")+`]}`).want(t, http.StatusOK)
	ops, _ := r.field("Operations").([]any)
	ref := ops[1].(map[string]any)["response"].(map[string]any)["urn:usherd:params:scim:api:messages:2.0:Failure"].(map[string]any)["ref"]
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := w.db.Requests(t.Context(), connector.RequestQuery{Org: "acme", Source: "idp"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range slices.Backward(rows) {
		if row.At.IsZero() || row.Remote == "" || row.Profile == "" {
			t.Errorf("%+v", row)
		}
		line := fmt.Sprint(row.Method, " ", row.Path, " ", row.Query, " ", row.Status, " ", row.ScimType, " ", row.Person)
		if row.Ref != "" && row.Query != "" {
			line += fmt.Sprint(" ", row.Ref)
		}
		got = append(got, line)
	}
	want := []string{
		"POST /scim/acme/v2/Users  201  ann",
		"POST /scim/acme/v2/Bulk  200  ",
		fmt.Sprint("POST /scim/acme/v2/Users bulk=2 403  bob ", ref),
		"", // by its words
		"PATCH /scim/acme/v2/Users/" + ann + " bulk=4 400 mutability ann",
		"DELETE /scim/acme/v2/Groups/" + gone + " bulk=5 404  " + gone,
		"PUT /scim/acme/v2/Groups/bulkId:nobody bulk=6 409  ",
	}
	if len(got) == len(want) && strings.HasPrefix(got[3], "POST /scim/acme/v2/Users bulk=3 409 uniqueness ann ") {
		want[3] = got[3]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
