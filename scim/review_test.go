package scim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/scim/schema"
)

// What is wrong with a change of somebody inactive is told: an answer of 200 would say that it is stored.
func TestChangesOfTheInactiveAreRefusedAsOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("POST", "/Users", person("ann", `,"externalId":"a1"`)).want(t, http.StatusCreated)
	bob := "/Users/" + w.send("POST", "/Users", person("bob", `,"active":false`)).want(t, http.StatusCreated).text("id")
	for what, status := range map[string]int{
		`"path":"userName","value":"ann"`:                              http.StatusConflict,
		`"path":"externalId","value":"a1"`:                             http.StatusConflict,
		`"path":"emails[type eq \"work\"].value","value":"no address"`: http.StatusBadRequest,
		`"path":"active","value":false`:                                http.StatusOK,
		`"path":"title","value":"Boss"`:                                http.StatusOK,
	} {
		w.send("PATCH", bob, patchOf(`{"op":"replace",`+what+`}`)).want(t, status)
	}
}

// Access ends whatever else is wrong with the request; what was not taken is told.
func TestAccessEndsAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("POST", "/Users", person("ann", `,"externalId":"a1"`)).want(t, http.StatusCreated)
	bob := "/Users/" + w.send("POST", "/Users", person("bob", "")).want(t, http.StatusCreated).text("id")
	r := w.send("PATCH", bob, patchOf(`{"op":"replace","value":{"active":false,"userName":"ann","title":"Boss"}}`)).want(t, http.StatusOK)
	if r.field("active") != false || r.text("userName") != "bob" || r.field("title") != nil {
		t.Errorf("%s", r.body)
	}
	warnings, _ := r.field(schema.UsherdURN, "warnings").([]any)
	if len(warnings) != 1 || warnings[0] != "the access has ended, and nothing else was taken: user_name_taken, userName" {
		t.Errorf("%v", warnings)
	}
	cyd := "/Users/" + w.send("POST", "/Users", person("cyd", "")).want(t, http.StatusCreated).text("id")
	w.send("PATCH", cyd, patchOf(`{"op":"replace","value":{"active":false,"externalId":"a1"}}`)).want(t, http.StatusConflict)
}

// A user that another source would have without what every user needs is not deleted by half.
func TestADeletionThatFailsIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { // the client goes before the directory
		o.Sources[0], o.Sources[1] = o.Sources[1], o.Sources[0]
	})
	id := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	w.fromDirectory("ann", map[string]string{"userName": "ann", "givenName": "Ann", "email": "ann@example.com"})
	r := w.send("DELETE", "/Users/"+id, "").want(t, http.StatusBadRequest)
	if !strings.Contains(r.text("detail"), "required_missing: Last Name") {
		t.Errorf("%s", r.body)
	}
	w.send("GET", "/Users/"+id, "").want(t, http.StatusOK)
}

// Who returns is what the client says now, not what it said before.
func TestWhoReturnsIsAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, more := range []string{"", `,"externalId":"e1"`} {
		name := "ann" + string(rune('a'+len(more)))
		id := w.send("POST", "/Users", person(name, `,"title":"Boss"`+more)).want(t, http.StatusCreated).text("id")
		w.send("DELETE", "/Users/"+id, "").want(t, http.StatusNoContent)
		r := w.send("POST", "/Users", person(name, more)).want(t, http.StatusCreated)
		if r.text("id") != id || r.field("title") != nil {
			t.Errorf("%s", r.body)
		}
		w.send("DELETE", "/Users/"+id, "").want(t, http.StatusNoContent)
		w.send("POST", "/Users", strings.Replace(person(name, more), `"userName":"`+name, `"userName":" `, 1)).want(t, http.StatusBadRequest)
	}
}

// A request whose answer cannot be made changes nothing.
func TestNothingIsWrittenForAnImpossibleAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := "/Users/" + w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	group := "/Groups/" + w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"G"}`).want(t, http.StatusCreated).text("id")
	const both = "?attributes=id&excludedAttributes=title"
	w.send("POST", "/Users"+both, person("bob", "")).want(t, http.StatusBadRequest)
	w.send("PUT", ann+both, person("ann", `,"title":"Boss"`)).want(t, http.StatusBadRequest)
	w.send("PATCH", group+both, patchOf(`{"op":"replace","path":"displayName","value":"H"}`)).want(t, http.StatusBadRequest)
	if r := w.send("GET", "/Users", ""); r.field("totalResults") != 1.0 || strings.Contains(r.body, "Boss") {
		t.Errorf("%s", r.body)
	}
	if r := w.send("GET", group, ""); r.text("displayName") != "G" {
		t.Errorf("%s", r.body)
	}
}

// RFC 9865 section 2: a cursor stands for a place, and a page of it has something in it.
func TestCursorsAreNotMixedWithNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, want := range map[string]string{
		"cursor=&startIndex=1": "invalidValue", "cursor=&count=0": "invalidCount", "cursor=&count=-1": "invalidCount", "cursor=x": "invalidCursor",
	} {
		if r := w.send("GET", "/Users?"+query, "").want(t, http.StatusBadRequest); r.text("scimType") != want {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	if r := w.send("POST", "/Users/.search", `{"cursor":"","count":0}`).want(t, http.StatusBadRequest); r.text("scimType") != "invalidCount" {
		t.Errorf("%s", r.body)
	}
	w.send("GET", "/Users?cursor=&count=1", "").want(t, http.StatusOK)
}

// Who is deleted is in no group any more, not even after coming back under the same id.
func TestTheDeletedLeaveTheirGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	inner := w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"inner","members":[{"value":"`+ann+`"}]}`).want(t, http.StatusCreated).text("id")
	outer := w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"outer","members":[{"value":"`+ann+`"},{"value":"`+inner+`"}]}`).want(t, http.StatusCreated)
	others := w.sendAs("acme:second", "POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"others","members":[{"value":"`+ann+`"}]}`).want(t, http.StatusCreated)

	w.send("DELETE", "/Users/"+ann, "").want(t, http.StatusNoContent)
	if r := w.send("GET", "/Groups/"+outer.text("id"), "", "If-None-Match", outer.header.Get("ETag")).want(t, http.StatusOK); strings.Contains(r.body, ann) {
		t.Errorf("%s", r.body)
	}
	if r := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated); r.text("id") != ann || strings.Contains(r.body, "inner") {
		t.Errorf("%s", r.body)
	}
	if r := w.send("GET", "/Groups/"+inner, ""); len(r.field("members").([]any)) != 0 {
		t.Errorf("%s", r.body)
	}
	if r := w.sendAs("acme:second", "GET", "/Groups/"+others.text("id"), ""); !strings.Contains(r.body, ann) {
		t.Errorf("the other client has deleted nobody: %s", r.body)
	}
	before := w.send("GET", "/Groups/"+outer.text("id"), "")
	w.send("DELETE", "/Groups/"+inner, "").want(t, http.StatusNoContent)
	w.send("GET", "/Groups/"+outer.text("id"), "", "If-None-Match", before.header.Get("ETag")).want(t, http.StatusOK)
}

// A client that gives no externalId and tries again for weeks is one open item and one place on the waiting list.
func TestTryingAgainIsOneOpenItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Packages[0].Seats = 1 })
	ann := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	count := func() (items, waiting int) {
		list, _, err := w.db.OpenItems(t.Context(), connector.ItemQuery{Org: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		waiters, err := w.db.Waiting(t.Context(), "acme", "standard", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(list), len(waiters)
	}
	for range 3 {
		w.send("POST", "/Users", person("ann", "")).want(t, http.StatusConflict)
		w.send("POST", "/Users", person("bob", "")).want(t, http.StatusForbidden)
		w.send("POST", "/Users", person("cyd", `,"externalId":"c1"`)).want(t, http.StatusForbidden)
	}
	if items, waiting := count(); items != 3 || waiting != 2 {
		t.Errorf("%d open items, %d waiting", items, waiting)
	}
	w.send("DELETE", "/Users/"+ann, "").want(t, http.StatusNoContent)
	if items, waiting := count(); items != 1 || waiting != 1 {
		t.Errorf("bob has a seat: %d open items, %d waiting", items, waiting)
	}
	bob := w.send("GET", `/Users?filter=userName+eq+"bob"`, "").field("Resources").([]any)[0].(map[string]any)["id"].(string)
	w.send("PATCH", "/Users/"+bob, patchOf(`{"op":"replace","path":"active","value":false}`)).want(t, http.StatusOK)
	if items, waiting := count(); items != 0 || waiting != 0 {
		t.Errorf("everybody has been served: %d open items, %d waiting", items, waiting)
	}
}

// Somebody whose POST found no seat has no id to be deleted by: pushed as inactive, or not any more, the person gets none.
func TestWhoWaitsCanBeWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Packages[0].Seats = 1 })
	ann := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	for _, name := range []string{"bob", "cyd", "dan"} {
		w.send("POST", "/Users", person(name, `,"externalId":"`+name+`"`)).want(t, http.StatusForbidden)
	}
	bob := w.send("POST", "/Users", person("bob", `,"externalId":"bob","active":false`)).want(t, http.StatusCreated).text("id")
	w.mu.Lock()
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.mu.Unlock()
	w.send("POST", "/Users", person("dan", `,"externalId":"dan"`)).want(t, http.StatusForbidden)
	w.send("DELETE", "/Users/"+ann, "").want(t, http.StatusNoContent)
	if r := w.send("GET", "/Users/"+bob, "").want(t, http.StatusOK); r.field("active") != false {
		t.Errorf("%s", r.body)
	}
	for name, want := range map[string]float64{"cyd": 0, "dan": 1} {
		if r := w.send("GET", `/Users?filter=userName+eq+"`+name+`"`, ""); r.field("totalResults") != want {
			t.Errorf("%s: %s", name, r.body)
		}
	}
}

// Whatever shows in a user makes another version of it: a client that asks by If-None-Match sees it.
func TestVersionsFollowWhatIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("POST", "/Users", person("bob", "")).want(t, http.StatusCreated)
	r := w.send("POST", "/Users", person("ann", `,"externalId":"e1"`)).want(t, http.StatusCreated)
	at := "/Users/" + r.text("id")
	for _, step := range []struct {
		body   string
		status int
	}{
		{`"path":"externalId","value":"e2"`, http.StatusOK},
		{`"path":"userName","value":"bob"`, http.StatusConflict}, // the last failure is shown
		{`"path":"externalId","value":null`, http.StatusOK},
	} {
		tag := w.send("GET", at, "").header.Get("ETag")
		w.send("GET", at, "", "If-None-Match", tag).want(t, http.StatusNotModified)
		w.send("PATCH", at, patchOf(`{"op":"replace",`+step.body+`}`), "If-Match", tag).want(t, step.status)
		w.send("GET", at, "", "If-None-Match", tag).want(t, http.StatusOK)
	}
}

// RFC 7644 section 3.4.2.1: one order over all types, by the same rules as for one.
func TestTheRootIsSortedAsItsTypesAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("POST", "/Users", person("zoe", "")).want(t, http.StatusCreated)
	w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated)
	for _, query := range []string{"sortBy=bogus", "sortBy=password"} {
		w.send("GET", "/?"+query, "").want(t, http.StatusBadRequest)
		w.send("GET", "/Users?"+query, "").want(t, http.StatusBadRequest)
	}
	for _, by := range []string{"emails", "emails.value", "userName"} {
		r := w.send("GET", "/?attributes=userName&sortBy="+by, "").want(t, http.StatusOK)
		if strings.Index(r.body, `"ann"`) > strings.Index(r.body, `"zoe"`) {
			t.Errorf("%s: %s", by, r.body)
		}
	}
}

// What a bulk answer says of a resource is what a request for it finds afterwards.
func TestBulkAnswersAreTrue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"Taken"}`).want(t, http.StatusCreated)
	ann := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	post := func(id, name, members string) string {
		return `{"method":"POST","path":"/Groups","bulkId":"` + id + `","data":{"schemas":["` + schema.GroupURN + `"],"displayName":"` + name + `","members":[` + members + `]}}`
	}
	bulk := func(ops string) []any {
		r := w.send("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":1,"Operations":[`+ops+`]}`).want(t, http.StatusOK)
		list, _ := r.field("Operations").([]any)
		return list
	}
	here := func(op any) response {
		at, _ := op.(map[string]any)["location"].(string)
		return w.send("GET", strings.TrimPrefix(at, "https://scim.test/scim/acme/v2"), "").want(t, http.StatusOK)
	}
	// A circle is closed after both are there.
	for _, op := range bulk(post("a", "A", `{"value":"bulkId:b"}`) + "," + post("b", "B", `{"value":"bulkId:a"}`)) {
		if r := here(op); op.(map[string]any)["version"] != r.header.Get("ETag") || len(r.field("members").([]any)) != 1 {
			t.Errorf("%v: %s", op, r.body)
		}
	}
	// The members that are known are not lost with the other half of the circle.
	list := bulk(post("c", "C", `{"value":"bulkId:d"},{"value":"`+ann+`"}`) + "," + post("d", "Taken", `{"value":"bulkId:c"}`))
	if r := here(list[0]); len(list) != 2 || len(r.field("members").([]any)) != 1 {
		t.Errorf("%v: %s", list, r.body)
	}
	list = bulk(post("e", "E", "") + `,{"method":"PATCH","path":"/Groups/bulkId:e","data":` + patchOf(`{"op":"replace","path":"displayName","value":"F"}`) + `}`)
	if r := here(list[1]); r.text("displayName") != "F" {
		t.Errorf("%v: %s", list, r.body)
	}
}

// Operations of a PATCH are done in order, each on what the last one left (RFC 7644 section 3.5.2).
func TestAFilterSeesMembersOfTheSamePatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	bob := w.send("POST", "/Users", person("bob", "")).want(t, http.StatusCreated).text("id")
	inner := w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"inner"}`).want(t, http.StatusCreated).text("id")
	g := "/Groups/" + w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"G","members":[{"value":"`+ann+`"}]}`).want(t, http.StatusCreated).text("id")
	r := w.send("PATCH", g, patchOf(`{"op":"add","path":"members","value":[{"value":"`+bob+`"},{"value":"`+inner+`"}]},{"op":"remove","path":"members[type eq \"User\"]"}`)).want(t, http.StatusOK)
	if strings.Contains(r.body, ann) || strings.Contains(r.body, bob) || !strings.Contains(r.body, inner) {
		t.Errorf("%s", r.body)
	}
}

// RFC 7644 section 3.6: what is deleted is in nobody's way, by its externalId as little as by its names.
func TestTheExternalIDOfTheDeletedIsFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.send("POST", "/Users", person("ann", `,"externalId":"e1"`)).want(t, http.StatusCreated).text("id")
	bob := w.send("POST", "/Users", person("bob", `,"externalId":"e2"`)).want(t, http.StatusCreated).text("id")
	w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"active","value":false}`)).want(t, http.StatusOK)
	w.send("PATCH", "/Users/"+bob, patchOf(`{"op":"replace","path":"externalId","value":"e1"}`)).want(t, http.StatusConflict)
	w.send("DELETE", "/Users/"+ann, "").want(t, http.StatusNoContent)
	if r := w.send("PATCH", "/Users/"+bob, patchOf(`{"op":"replace","path":"externalId","value":"e1"}`)).want(t, http.StatusOK); r.text("externalId") != "e1" {
		t.Errorf("%s", r.body)
	}
	if r := w.send("POST", "/Users", person("bob", `,"externalId":"e1"`)).want(t, http.StatusCreated); r.text("id") != bob {
		t.Errorf("%s", r.body)
	}
	if r := w.send("POST", "/Users", person("ann", `,"externalId":"e2"`)).want(t, http.StatusCreated); r.text("id") == bob {
		t.Errorf("%s", r.body)
	}
}

// What is looked up is bounded: an index holds it.
func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("ü", 1025)
	id := w.send("POST", "/Users", person("ann", `,"externalId":"`+long[2:]+`"`)).want(t, http.StatusCreated).text("id")
	group := w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"`+long[2:]+`"}`).want(t, http.StatusCreated).text("id")
	for _, r := range []response{
		w.send("POST", "/Users", person("bob", `,"externalId":"`+long+`"`)),
		w.send("PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"externalId","value":"`+long+`"}`)),
		w.send("PUT", "/Users/"+id, person("ann", `,"externalId":"`+long+`"`)),
		w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"`+long+`"}`),
		w.send("PATCH", "/Groups/"+group, patchOf(`{"op":"replace","path":"externalId","value":"`+long+`"}`)),
		w.send("PUT", "/Users/"+id, person("ann", `,"externalId":"`+strings.Repeat("語", 683)+`"`)), // more bytes than any index takes
	} {
		if r.want(t, http.StatusBadRequest).text("scimType") != "invalidValue" || len(r.body) > 300 {
			t.Errorf("%s", r.body)
		}
	}
	var other sync.WaitGroup
	for i := range 8 { // whose changes are written together with those that are refused
		other.Go(func() {
			if r := w.send("POST", "/Users", person(fmt.Sprintf("other%d", i), "")); r.status != http.StatusCreated {
				t.Errorf("%d: %.400s", r.status, r.body)
			}
		})
		other.Go(func() {
			r := w.send("POST", "/Users", person(strings.Repeat("語", 1666), fmt.Sprintf(`,"externalId":"x%d"`, i)))
			if r.status != http.StatusBadRequest || !strings.Contains(r.text("detail"), "(31)") {
				t.Errorf("%d: %.400s", r.status, r.body)
			}
		})
	}
	other.Wait()
}

// Members are read where a filter or an order asks for them, whatever the answer shows.
func TestMembersAreReadForFiltersAndOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, name := range []string{"zoe", "ann"} {
		id := w.send("POST", "/Users", person(name, "")).want(t, http.StatusCreated).text("id")
		w.send("POST", "/Groups", `{"schemas":["`+schema.GroupURN+`"],"displayName":"G`+string(rune('0'+i))+`","members":[{"value":"`+id+`"}]}`).want(t, http.StatusCreated)
	}
	r := w.send("GET", "/Groups?attributes=displayName&filter="+url.QueryEscape(`members.display eq "ann" and meta.resourceType eq "Group"`), "").want(t, http.StatusOK)
	if r.field("totalResults") != 1.0 || strings.Contains(r.body, "members") || !strings.Contains(r.body, "G1") {
		t.Errorf("%s", r.body)
	}
	r = w.send("GET", "/Groups?attributes=displayName&sortBy=members.display", "").want(t, http.StatusOK)
	if strings.Index(r.body, "G1") > strings.Index(r.body, "G0") {
		t.Errorf("%s", r.body)
	}
	if r := w.send("GET", "/Groups?filter="+url.QueryEscape(`meta.resourceType eq "Group"`), ""); !strings.Contains(r.body, `"display":"zoe"`) {
		t.Errorf("%s", r.body)
	}
}
