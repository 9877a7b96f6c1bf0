package scim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

// What is here has cost people attributes, memberships or access at other service providers. Each test goes through
// the door; that patches alone keep to it, on any resource and by any rules, is tested in scim/patch.

// everybody fills a group and gives the ids.
func everybody(t *testing.T) (w *world, team, ann, bob string) {
	t.Helper()
	w = newWorld(t)
	w.speak("acme:idp", "generic")
	ann = w.send("POST", "/Users", person("ann", `,"externalId":"a1","title":"Boss","displayName":"Ann Lee","nickName":"A"`)).want(t, http.StatusCreated).text("id")
	bob = w.send("POST", "/Users", person("bob", "")).want(t, http.StatusCreated).text("id")
	team = w.send("POST", "/Groups", group("Team", ann, bob)).want(t, http.StatusCreated).text("id")
	return w, team, ann, bob
}

// has demands members in any order.
func (w *world) has(group string, ids ...string) {
	w.t.Helper()
	slices.Sort(ids)
	if diff := cmp.Diff(append([]string{}, ids...), w.members(group)); diff != "" {
		w.t.Errorf("members -want +got:\n%s", diff)
	}
}

// differs names the attributes that two answers differ in, but for when and in which version.
func differs(t *testing.T, a, b response) []string {
	t.Helper()
	var x, y map[string]any
	if err := errors.Join(json.Unmarshal([]byte(a.body), &x), json.Unmarshal([]byte(b.body), &y)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range y {
		if _, ok := x[name]; !ok {
			x[name] = nil
		}
	}
	for name := range x {
		if name != "meta" && !cmp.Equal(x[name], y[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// 1. Only what is named changes, whatever form says it.
func TestOnlyWhatIsNamedChanges(t *testing.T) {
	t.Parallel()
	w, team, ann, bob := everybody(t)
	w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"add","path":"emails","value":[{"value":"home@example.com","type":"home"},{"value":"other@example.com","type":"other"}]},{"op":"add","path":"`+
		schema.EnterpriseURN+`","value":{"department":"D","employeeNumber":"7","manager":{"value":"`+bob+`"}}}`)).want(t, http.StatusOK)
	for _, c := range []struct{ op, changes string }{
		{`{"op":"replace","path":"title","value":"T"}`, "title"},
		{`{"op":"Replace","value":{"nickName":"N"}}`, "nickName"},
		{`{"op":"replace","value":{"nickName":"N2","id":"x","schemas":[],"groups":[],"meta":{}}}`, "nickName"},
		{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@example.com"}`, "emails"},
		{`{"op":"remove","path":"emails[type eq \"home\"]"}`, "emails"},
		{`{"op":"remove","path":"emails[type eq \"nothing\"]"}`, ""},
		{`{"op":"replace","path":"name","value":{"givenName":"K"}}`, "name"},
		{`{"op":"replace","value":{"name.givenName":"L"}}`, "name"},
		{`{"op":"replace","path":"` + schema.EnterpriseURN + `:department","value":"E"}`, schema.EnterpriseURN},
		{`{"op":"replace","value":{"` + schema.EnterpriseURN + `":{"department":"F"}}}`, schema.EnterpriseURN},
		{`{"op":"remove","path":"` + schema.EnterpriseURN + `:manager"}`, schema.EnterpriseURN},
		{`{"op":"add","path":"members","value":[{"value":"x"}]}`, schema.UsherdURN}, // no attribute of a User: a warning
	} {
		before := w.send("GET", "/Users/"+ann, "")
		after := w.send("PATCH", "/Users/"+ann, patchOf(c.op)).want(t, http.StatusOK)
		if got := strings.Join(differs(t, before, after), " "); got != c.changes {
			t.Errorf("%s changes %q, want %q", c.op, got, c.changes)
		}
	}
	r := w.send("GET", "/Users/"+ann, "")
	if r.text("name", "familyName") != "Lee" || r.text(schema.EnterpriseURN, "employeeNumber") != "7" || len(r.field("emails").([]any)) != 2 {
		t.Errorf("%s", r.body)
	}
	for _, op := range []string{
		`{"op":"replace","value":{"displayName":"New"}}`, `{"op":"replace","path":"displayName","value":"Newer"}`,
		`{"op":"replace","value":{"id":"` + team + `","displayName":"Newest"}}`, `{"op":"add","path":"externalId","value":"g1"}`,
	} {
		w.send("PATCH", "/Groups/"+team, patchOf(op)).want(t, http.StatusOK)
		w.has(team, ann, bob)
	}
	w.send("PUT", "/Groups/"+team, `{"displayName":"Put"}`).want(t, http.StatusOK)
	w.has(team, ann, bob)
}

// 2. active left out, null or empty changes nothing; on a new user it means true.
func TestActiveChangesWhenItIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, said := range map[string]string{"left": "", "null": `,"active":null`, "true": `,"active":"True"`} {
		if r := w.send("POST", "/Users", person(name, said)).want(t, http.StatusCreated); r.field("active") != true {
			t.Errorf("POST %s: %s", said, r.body)
		}
	}
	id := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	for _, active := range []bool{true, false} {
		w.send("PATCH", "/Users/"+id, patchOf(fmt.Sprintf(`{"op":"replace","path":"active","value":"%v"}`, active))).want(t, http.StatusOK)
		for _, x := range [][2]string{
			{"PUT", person("ann", "")},
			{"PUT", person("ann", `,"active":null`)},
			{"PUT", person("ann", `,"active":""`)},
			{"PATCH", patchOf(`{"op":"replace","path":"title","value":"T"}`)},
			{"PATCH", patchOf(`{"op":"replace","value":{"title":"U"}}`)},
			{"PATCH", patchOf(`{"op":"replace","path":"active","value":null}`)},
			{"PATCH", patchOf(`{"op":"replace","path":"active","value":""}`)},
			{"PATCH", patchOf(`{"op":"add","value":{"active":null}}`)},
		} {
			if r := w.send(x[0], "/Users/"+id, x[1]).want(t, http.StatusOK); r.field("active") != active {
				t.Errorf("%s %s: it was %v: %s", x[0], x[1], active, r.body)
			}
		}
	}
	if n := w.count("usherd_scim_quirks_total", "quirk", patch.ActiveNull); n < 8 {
		t.Errorf("active without a value was counted %v times", n)
	}
	w.send("PATCH", "/Users/"+id, patchOf(`{"op":"remove","path":"active"}`)).want(t, http.StatusBadRequest)
	w.send("PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"active","value":"perhaps"}`)).want(t, http.StatusBadRequest)
}

// count is the value of a counter of acme's client, with that label.
func (w *world) count(name, label, value string) (n float64) {
	w.t.Helper()
	families, err := w.counts.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == name && labels[label] == value && labels["org"] == "acme" && labels["source"] == "idp" {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// 4. null is no value: refused where one is needed, nothing on members, elsewhere it takes the value away. It is not "",
// [], {} or nothing at all.
func TestNullEmptyAndAbsentDiffer(t *testing.T) {
	t.Parallel()
	w, team, ann, bob := everybody(t)
	for _, path := range []string{"userName", "name.familyName", "name.givenName", "emails", "name"} {
		w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"`+path+`","value":null}`)).want(t, http.StatusBadRequest)
		w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"remove","path":"`+path+`"}`)).want(t, http.StatusBadRequest)
	}
	w.send("PUT", "/Users/"+ann, strings.Replace(person("ann", ""), `"userName":"ann"`, `"userName":null`, 1)).want(t, http.StatusBadRequest)
	for _, x := range [][2]string{
		{"PATCH", patchOf(`{"op":"replace","path":"members","value":null}`)},
		{"PATCH", patchOf(`{"op":"add","path":"members","value":null}`)},
		{"PATCH", patchOf(`{"op":"replace","value":{"members":null}}`)},
		{"PUT", `{"displayName":"Team","members":null}`},
	} {
		w.send(x[0], "/Groups/"+team, x[1]).want(t, http.StatusOK)
		w.has(team, ann, bob)
	}
	for value, stays := range map[string]bool{`null`: false, `""`: false} {
		w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"title","value":"Boss"}`)).want(t, http.StatusOK)
		r := w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","value":{"title":`+value+`}}`)).want(t, http.StatusOK)
		if (r.field("title") != nil) != stays {
			t.Errorf("title %s: %s", value, r.body)
		}
	}
	r := w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"name","value":{}},{"op":"replace","value":{}}`)).want(t, http.StatusOK)
	if r.text("name", "givenName") != "Ann" {
		t.Errorf("{} takes something away: %s", r.body)
	}
	w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"title"}`)).want(t, http.StatusBadRequest)
}

// 9. One bad member does not lose the push; one bad operation does, and is named.
func TestOneBadOperationRefusesAll(t *testing.T) {
	t.Parallel()
	w, team, ann, bob := everybody(t)
	w.send("PATCH", "/Groups/"+team, patchOf(`{"op":"replace","path":"members","value":[{"value":"nobody"},{"value":"`+bob+`"},{"value":"`+connector.NewID(w.clock()).String()+`"}]}`)).want(t, http.StatusOK)
	w.has(team, bob)
	for path, ops := range map[string]string{
		"/Users/" + ann:   `{"op":"replace","path":"title","value":"New"},{"op":"remove","path":"nickName"},{"op":"replace","path":"active","value":"perhaps"}`,
		"/Groups/" + team: `{"op":"add","path":"members","value":[{"value":"` + ann + `"}]},{"op":"replace","path":"displayName","value":"New"},{"op":"remove"}`,
	} {
		before := w.send("GET", path, "")
		r := w.send("PATCH", path, patchOf(ops)).want(t, http.StatusBadRequest)
		if !strings.Contains(r.text("detail"), "Operations[2]") {
			t.Errorf("the operation is not named: %s", r.body)
		}
		if after := w.send("GET", path, ""); after.body != before.body {
			t.Errorf("%s\n%s", before.body, after.body)
		}
	}
	w.has(team, bob)
}

// 10. A PUT unassigns what it leaves out, but for what is not the client's to leave out.
func TestPutKeepsWhatItMayNotTake(t *testing.T) {
	t.Parallel()
	w, _, ann, _ := everybody(t)
	w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"active","value":false}`)).want(t, http.StatusOK)
	r := w.send("PUT", "/Users/"+ann, person("ann", "")).want(t, http.StatusOK)
	if r.field("title") != nil || r.field("nickName") != nil || r.field("active") != false || r.text("externalId") != "a1" || r.field("groups") == nil {
		t.Errorf("%s", r.body)
	}
	w.fromDirectory("eve", map[string]string{"userName": "eve", "givenName": "Eve", "familyName": "Ng", "email": "eve@example.com", "title": "Director"})
	list := w.send("GET", `/Users?filter=userName+eq+"eve"`, "").want(t, http.StatusOK).field("Resources").([]any)
	eve := list[0].(map[string]any)["id"].(string)
	if r := w.send("PUT", "/Users/"+eve, person("eve", "")).want(t, http.StatusOK); r.text("title") != "Director" || r.text("name", "familyName") != "Ng" {
		t.Errorf("what the directory owns is gone: %s", r.body)
	}
}

// 11. A deleted user is gone for every method and list, its names are free, and who returns has the same id. Nothing but
// what the client says again comes back with it.
func TestDeletedAndBack(t *testing.T) {
	t.Parallel()
	w, team, ann, bob := everybody(t)
	for round := range 2 {
		w.send("DELETE", "/Users/"+ann, "").want(t, http.StatusNoContent)
		for _, m := range everyMethod {
			if m.method != "OPTIONS" && m.method != "POST" {
				w.send(m.method, "/Users/"+ann, m.body).want(t, http.StatusNotFound)
			}
		}
		for _, q := range []string{"/Users", "/Users?filter=active+eq+false", "/Groups/" + team, `/Users?filter=externalId+eq+"a1"`, "/?filter=id+eq+%22" + ann + "%22"} {
			if r := w.send("GET", q, "").want(t, http.StatusOK); strings.Contains(r.body, ann) {
				t.Errorf("%s: %s", q, r.body)
			}
		}
		r := w.send("POST", "/Users", person("ann", fmt.Sprintf(`,"externalId":"a%d"`, round+2))).want(t, http.StatusCreated)
		if r.text("id") != ann || r.field("active") != true || r.field("title") != nil {
			t.Errorf("%s", r.body)
		}
		if r.field("groups") != nil {
			t.Errorf("who returns is in groups that nobody has put it into: %s", r.body)
		}
		w.has(team, bob)
	}
	// Somebody else may have the name.
	w.send("DELETE", "/Users/"+bob, "").want(t, http.StatusNoContent)
	w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"userName","value":"bob"}`)).want(t, http.StatusOK)
}

// 12. What a POST says is what every later read says, to the letter.
func TestValuesComeBackAsTheyWereSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, name := range []string{"Ann.LEE", "ANN lee2", "ünïcode", "u\u0308nicode-nfd", "ＦＵＬＬ", "ß", "İstanbul", "a\\\"b", "日本語", "x+y@z", "😀"} {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Replace(person(fmt.Sprintf("p%d", i), ""), fmt.Sprintf(`"userName":"p%d"`, i), `"userName":`+string(quoted), 1)
		r := w.send("POST", "/Users", body).want(t, http.StatusCreated)
		id := r.text("id")
		list := w.send("GET", "/Users?filter="+url.QueryEscape("userName eq "+string(quoted)), "").want(t, http.StatusOK)
		found, _ := list.field("Resources").([]any)
		got := []string{r.text("userName"), w.send("GET", "/Users/"+id, "").text("userName")}
		for _, f := range found {
			got = append(got, f.(map[string]any)["userName"].(string))
		}
		if !slices.Equal(got, []string{name, name, name}) {
			t.Errorf("%q comes back as %q", name, got)
		}
	}
}

// 13. A POST that is made again because its answer was lost is no conflict; any other is.
func TestLostAnswersAreNoConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for endpoint, bodies := range map[string][2]string{
		"/Users":  {person("ann", `,"externalId":"e1","password":"x"`), person("ann", `,"externalId":"e1","title":"T"`)},
		"/Groups": {`{"displayName":"Team","externalId":"g1"}`, `{"displayName":"Team","externalId":"g2"}`},
	} {
		first := w.send("POST", endpoint, bodies[0]).want(t, http.StatusCreated)
		again := w.send("POST", endpoint, bodies[0]).want(t, http.StatusCreated)
		if first.text("id") != again.text("id") || first.header.Get("Etag") != again.header.Get("Etag") {
			t.Errorf("%s\n%s", first.body, again.body)
		}
		if r := w.send("POST", endpoint, bodies[1]).want(t, http.StatusConflict); r.text("scimType") != "uniqueness" {
			t.Errorf("%s", r.body)
		}
		w.later(11 * 60)
		w.send("POST", endpoint, bodies[0]).want(t, http.StatusConflict)
	}
	w.sendAs("acme:second", "POST", "/Users", person("ann", `,"externalId":"e1"`)).want(t, http.StatusConflict)
	bob := w.send("POST", "/Users", person("bob", "")).want(t, http.StatusCreated).text("id")
	full := w.send("POST", "/Groups", group("Full", bob)).want(t, http.StatusCreated).text("id")
	if r := w.send("POST", "/Groups", group("Full", bob)).want(t, http.StatusCreated); r.text("id") != full {
		t.Errorf("%s", r.body)
	}
	w.send("POST", "/Groups", group("Full")).want(t, http.StatusConflict) // other members: another group
	w.send("PATCH", "/Groups/"+full, patchOf(`{"op":"remove","path":"members","value":[{"value":"`+bob+`"}]}`)).want(t, http.StatusOK)
	w.send("POST", "/Groups", group("Full", bob)).want(t, http.StatusConflict) // it is not as it was made any more
	w.has(full)
}

// later turns the clock on.
func (w *world) later(seconds int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Duration(seconds) * time.Second)
}

// 14. Another externalId is another name for the same person; none leaves the id as the name.
func TestExternalIDsAreNamesOnly(t *testing.T) {
	t.Parallel()
	w, _, ann, _ := everybody(t)
	for _, said := range []string{`"b1"`, `null`, `"b2"`, `""`, `"b3"`} {
		r := w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","value":{"externalId":`+said+`}}`)).want(t, http.StatusOK)
		if want := strings.Trim(strings.Replace(said, "null", "", 1), `"`); r.text("externalId") != want || r.text("id") != ann {
			t.Errorf("externalId %s: %s", said, r.body)
		}
		w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"title","value":"T"}`)).want(t, http.StatusOK)
		w.send("PUT", "/Users/"+ann, person("ann", `,"displayName":"A"`)).want(t, http.StatusOK)
	}
	if r := w.send("GET", "/Users", ""); r.field("totalResults") != 2.0 {
		t.Errorf("%s", r.body)
	}
	w.send("POST", "/Users", person("eve", `,"externalId":"a1"`)).want(t, http.StatusCreated) // a name that is free again
}

// 16. No answer and no log shows a password, a token, a body, or what the store says.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	w, team, ann, _ := everybody(t)
	const secret = "S3cr3t-0f-Ann"
	var answers []response
	for _, x := range []struct{ method, path, body string }{
		{"POST", "/Users", person("eve", `,"password":"`+secret+`"`)},
		{"POST", "/Users", person("ann", `,"password":"`+secret+`"`)},
		{"POST", "/Users", `{"userName":"x","password":"` + secret + `"}`},
		{"POST", "/Users", `{"password":["` + secret + `"],"userName":5}`},
		{"POST", "/Users", `{"password":"` + secret},
		{"POST", "/Users", `{"password":"` + secret + `","password":"` + secret + `"}`},
		{"PUT", "/Users/" + ann, person("ann", `,"password":"`+secret+`"`)},
		{"PATCH", "/Users/" + ann, patchOf(`{"op":"replace","path":"password","value":"` + secret + `"}`)},
		{"PATCH", "/Users/" + ann, patchOf(`{"op":"replace","value":{"password":"` + secret + `","active":"perhaps"}}`)},
		{"PATCH", "/Users/" + ann, patchOf(`{"op":"replace","path":"password","value":{"x":"` + secret + `"}}`)},
		{"PATCH", "/Groups/" + team, patchOf(`{"op":"replace","path":"members","value":"` + secret + `"}`)},
		{"GET", "/Users?filter=" + url.QueryEscape(`password eq "`+secret+`"`), ""},
		{"POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"password eq \"` + secret + `\""}`},
		{"GET", "/Users/" + ann + "?attributes=password,userName", ""},
		{"GET", "/Users?sortBy=password", ""},
		{"POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Users","bulkId":"1","data":{"password":"` + secret + `"}}]}`},
	} {
		answers = append(answers, w.send(x.method, x.path, x.body))
	}
	answers = append(answers, w.sendTo("acme", secret, "GET", "/Users", ""), w.sendTo("acme", w.tokens["acme:idp"]+"x", "GET", "/Users", ""))
	broken := w.db.Close() // a fault of ours
	if broken != nil {
		t.Fatal(broken)
	}
	w.closed = true
	for _, path := range []string{"/Users/" + ann, "/Users"} {
		r := w.send("GET", path, "")
		if r.status < 500 || r.text("detail") == "" || strings.Contains(r.body, "sql") || strings.Contains(r.body, "closed") {
			t.Errorf("%d %s", r.status, r.body)
		}
		answers = append(answers, r)
	}
	logged, err := json.Marshal(w.logs.All())
	if err != nil || w.logs.Len() == 0 {
		t.Fatal(err, w.logs.Len())
	}
	for _, text := range []string{secret, w.tokens["acme:idp"]} {
		for _, r := range answers {
			if strings.Contains(r.body, text) {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
		if strings.Contains(string(logged), text) {
			t.Errorf("the log shows a secret: %s", logged)
		}
	}
}

// 17. What fails is counted for the client, each time.
func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	w, _, ann, _ := everybody(t)
	before := w.count("usherd_scim_requests_total", "status", "400")
	for range 3 {
		w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"Replace","path":"manager[","value":"x"}`)).want(t, http.StatusBadRequest)
	}
	if n := w.count("usherd_scim_requests_total", "status", "400") - before; n != 3 {
		t.Errorf("%v of 3 refusals were counted", n)
	}
}
