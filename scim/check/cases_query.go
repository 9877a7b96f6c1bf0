package check

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func projectionArea() area {
	return area{name: "projection", rfc: "7644", needs: users, cases: []testCase{
		{id: "attributes", section: "3.9", name: "attributes gives those, id and schemas, and nothing else", run: attributesOnly},
		{id: "attributes-sub", section: "3.9", name: "attributes may name a sub-attribute", run: attributesSub},
		{id: "attributes-urn", section: "3.10", name: "attributes may be written with the URN of the schema", run: attributesURN},
		{id: "attributes-case", section: "3.10", name: "attributes may be written in any case", run: attributesCase},
		{id: "attributes-list", section: "3.4.2.5", name: "attributes holds for lists", needs: filtering, run: attributesList},
		{id: "attributes-post", section: "3.9", name: "attributes holds for the answer to POST and PUT", run: attributesWrite},
		{id: "attributes-patch", section: "3.5.2", name: "a PATCH with attributes is answered with the resource", needs: patching, run: attributesPatch},
		{id: "excluded", section: "3.9", name: "excludedAttributes takes away those, and no more", run: excluded},
		{id: "excluded-always", section: "3.9", name: "id is returned even if it is excluded", run: excludedAlways},
		{id: "excluded-sub", section: "3.9", name: "excludedAttributes may name a sub-attribute", run: excludedSub},
	}}
}

// only holds a resource to have no other attributes than these, besides what is always there.
func (s *step) only(r object, names ...string) {
	for key := range r {
		switch {
		case key == "id" || key == "schemas" || slices.Contains(names, key):
		case text(s.sv.attribute(userURN, key), "returned") == "always":
		case strings.HasPrefix(strings.ToLower(key), "urn:"): // it may have some that are always returned
		default:
			s.fail("no "+key, show(r))
		}
	}
	for _, name := range names {
		s.expect(r[name] != nil, name, r)
	}
	s.expect(text(r, "id") != "", "id, which is always returned", r)
}

func attributesOnly(s *step) {
	u := s.user()
	s.only(s.get(query(u.path, "attributes", "userName"), http.StatusOK).body, "userName")
}

func attributesSub(s *step) {
	s.wants(userURN, "name")
	u := s.user()
	got := s.get(query(u.path, "attributes", "name.familyName"), http.StatusOK).body
	s.only(got, "name")
	s.equal("name", object{"familyName": dig(u.sent, "name", "familyName")}, got["name"])
}

func attributesURN(s *step) {
	u := s.user()
	s.only(s.get(query(u.path, "attributes", userURN+":userName"), http.StatusOK).body, "userName")
}

func attributesCase(s *step) {
	u := s.user()
	s.only(s.get(query(u.path, "attributes", "USERNAME"), http.StatusOK).body, "userName")
}

func attributesList(s *step) {
	u := s.user()
	list := s.list(query(s.sv.endpoint(users), "filter", `userName eq "`+text(u.sent, "userName")+`"`, "attributes", "userName"))
	s.equal("who is found", []string{u.id}, ids(list))
	first, _ := dig(list, 0).(map[string]any)
	s.only(first, "userName")
}

func attributesWrite(s *step) {
	p := s.sv.person()
	a := s.post(query(s.sv.endpoint(users), "attributes", "userName"), p, http.StatusCreated)
	s.only(a.body, "userName")
	a = s.put(query(s.sv.endpoint(users)+"/"+text(a.body, "id"), "attributes", "userName"), p, http.StatusOK)
	s.only(a.body, "userName")
}

func attributesPatch(s *step) {
	name := s.plain()
	u := s.user()
	a := s.send(request{method: http.MethodPatch, path: query(u.path, "attributes", name), body: ops(op("replace", name, "patched"))}, http.StatusOK)
	s.only(a.body, name)
}

func excluded(s *step) {
	s.wants(userURN, "emails")
	u := s.user()
	got := s.get(query(u.path, "excludedAttributes", "emails"), http.StatusOK).body
	s.expect(got["emails"] == nil, "no emails", got["emails"])
	s.equal("userName", u.sent["userName"], got["userName"])
}

func excludedAlways(s *step) {
	u := s.user()
	got := s.get(query(u.path, "excludedAttributes", "id,userName"), http.StatusOK).body
	s.equal("id", u.id, got["id"])
	s.expect(got["userName"] == nil || text(s.sv.attribute(userURN, "userName"), "returned") == "always", "no userName", got["userName"])
}

func excludedSub(s *step) {
	s.wants(userURN, "name")
	u := s.user()
	got := s.get(query(u.path, "excludedAttributes", "name.familyName"), http.StatusOK).body
	s.expect(dig(got, "name", "familyName") == nil, "no name.familyName", got["name"])
	s.equal("name.givenName", dig(u.sent, "name", "givenName"), dig(got, "name", "givenName"))
}

func sortArea() area {
	return area{name: "sort", rfc: "7644", needs: sorting, cases: []testCase{
		{id: "sort-default", section: "3.4.2.3", name: "sortBy sorts ascending where nothing is said", run: func(s *step) { sorted(s, "userName", "") }},
		{id: "sort-ascending", section: "3.4.2.3", name: "sortOrder ascending", run: func(s *step) { sorted(s, "userName", "ascending") }},
		{id: "sort-descending", section: "3.4.2.3", name: "sortOrder descending", run: func(s *step) { sorted(s, "userName", "descending") }},
		{id: "sort-sub", section: "3.4.2.3", name: "sortBy may name a sub-attribute", run: sortedSub},
		{id: "sort-multi", section: "3.4.2.3", name: "a multi-valued attribute sorts by its primary value", run: sortedMulti},
		{id: "sort-none", section: "3.4.2.3", name: "who has no value comes last, descending first", run: sortedNone},
	}}
}

// three makes three users, of whom the second made comes first by name, and the first made comes second.
func (s *step) three(edits ...func(o object)) (mark string, a, b, c *resource) {
	mark = s.sv.name()
	made := make([]*resource, 3)
	for i, letter := range []string{"b", "a", "C"} {
		list := append([]func(o object){func(o object) {
			o["userName"] = s.sv.mail(mark + "-" + letter)
			if o["name"] != nil {
				o["name"] = object{"givenName": "Given", "familyName": mark + "-" + letter}
			}
			if o["emails"] != nil {
				o["emails"] = []any{
					object{"value": s.sv.mail(mark + "-z-" + letter), "type": "home"},
					object{"value": s.sv.mail(mark + "-" + letter), "type": "work", "primary": true},
				}
			}
		}}, edits...)
		made[i] = s.user(list...)
	}
	return mark, made[1], made[0], made[2]
}

// sorted holds three users to an order.
func sorted(s *step, by, order string) {
	mark, a, b, c := s.three()
	s.inOrder(mark, by, order, a, b, c)
}

// inOrder asks for the users with a mark, and for these in this order; the other way round where it is descending.
func (s *step) inOrder(mark, by, order string, want ...*resource) {
	pairs := []string{"filter", `userName sw "` + mark + `"`, "sortBy", by}
	if order != "" {
		pairs = append(pairs, "sortOrder", order)
	}
	var expected []string
	for _, r := range want {
		expected = append(expected, r.id)
	}
	if order == "descending" {
		slices.Reverse(expected)
	}
	s.equal("in order of "+by+" "+order, expected, ids(s.list(query(s.sv.endpoint(users), pairs...))))
}

func sortedSub(s *step) {
	s.wants(userURN, "name")
	mark, a, b, c := s.three()
	s.inOrder(mark, "name.familyName", "ascending", a, b, c)
}

func sortedMulti(s *step) {
	s.wants(userURN, "emails")
	mark, a, b, c := s.three()
	s.inOrder(mark, "emails.value", "ascending", a, b, c)
}

func sortedNone(s *step) {
	name := s.plain()
	mark := s.sv.name()
	var made []*resource
	for i, value := range []any{nil, "b", "a"} {
		made = append(made, s.user(with("userName", s.sv.mail(mark+"-"+strconv.Itoa(i))), with(name, value)))
	}
	for _, order := range []string{"ascending", "descending"} {
		s.inOrder(mark, name, order, made[2], made[1], made[0])
	}
}

func pagingArea() area {
	return area{name: "paging", rfc: "7644", needs: filtering, cases: []testCase{
		{id: "paging-walk", section: "3.4.2.4", name: "pages by startIndex meet everybody once", run: pagingWalk},
		{id: "paging-totals", section: "3.4.2.4", name: "count 0 gives totalResults and no resources", run: pagingTotals},
		{id: "paging-negative", section: "3.4.2.4", name: "a negative count is taken for 0", run: pagingNegative},
		{id: "paging-start", section: "3.4.2.4", name: "a startIndex below 1 is taken for 1", run: pagingStart},
		{id: "paging-beyond", section: "3.4.2.4", name: "beyond the end there is an empty page", run: pagingBeyond},
		{id: "paging-items", section: "3.4.2.4", name: "itemsPerPage is how many there are, startIndex where they begin", run: pagingItems},
		{id: "paging-max", section: "3.4.2.4", name: "a count above the maximum is no error", run: pagingMax},
	}}
}

// page is a page of the users with a mark.
func (s *step) page(mark string, pairs ...string) *answer {
	return s.get(query(s.sv.endpoint(users), append([]string{"filter", `userName sw "` + mark + `"`}, pairs...)...), http.StatusOK)
}

func pagingWalk(s *step) {
	s.need(dig(s.sv.config, "pagination", "index") != false, "the service has no pages by index")
	mark, a, b, c := s.three()
	var met []string
	for start := 1; start <= 3; start++ {
		p := s.page(mark, "startIndex", strconv.Itoa(start), "count", "1")
		s.equal("totalResults", 3, p.body["totalResults"])
		met = append(met, ids(s.listOf(p))...)
	}
	want := []string{a.id, b.id, c.id}
	slices.Sort(want)
	slices.Sort(met)
	s.equal("everybody once,", want, met)
}

func pagingTotals(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "count", "0")
	s.equal("totalResults", 3, p.body["totalResults"])
	s.expect(length(p.body["Resources"]) == 0, "no resources", p.body["Resources"])
}

func pagingNegative(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "count", "-5")
	s.equal("totalResults", 3, p.body["totalResults"])
	s.expect(length(p.body["Resources"]) == 0, "no resources", p.body["Resources"])
}

func pagingStart(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "startIndex", "-3", "count", "10")
	s.expect(length(p.body["Resources"]) == 3, "three resources", p.body["Resources"])
}

func pagingBeyond(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "startIndex", "4", "count", "10")
	s.equal("totalResults", 3, p.body["totalResults"])
	s.expect(length(p.body["Resources"]) == 0, "no resources", p.body["Resources"])
}

func pagingItems(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "startIndex", "2", "count", "10")
	s.equal("itemsPerPage", 2, p.body["itemsPerPage"])
	s.equal("startIndex", 2, p.body["startIndex"])
}

func pagingMax(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "count", "1000000")
	s.expect(length(p.body["Resources"]) == 3, "three resources", p.body["Resources"])
}

func cursorArea() area {
	return area{name: "cursor", rfc: "9865", needs: cursors, cases: []testCase{
		{id: "cursor-walk", section: "2", name: "an empty cursor begins, nextCursor goes on, the last page has none", run: cursorWalk},
		{id: "cursor-search", section: "3", name: "cursors work in POST .search", run: cursorSearch},
		{id: "cursor-invalid", section: "2.1", name: "a cursor that is none is 400 invalidCursor", run: cursorInvalid},
		{id: "cursor-other", section: "2.1", name: "a cursor of another query is 400 invalidCursor", should: true, run: cursorOther},
		{id: "cursor-count", section: "2.1", name: "a count of 0 with a cursor is 400 invalidCount", should: true, run: cursorCount},
		{id: "cursor-characters", section: "2", name: "cursors have unreserved characters only", run: cursorCharacters},
	}}
}

func cursorWalk(s *step) {
	mark, a, b, c := s.three()
	var met []string
	cursor := ""
	for page := 1; page <= 3 && !s.over(); page++ {
		p := s.page(mark, "cursor", cursor, "count", "1")
		met = append(met, ids(s.listOf(p))...)
		cursor = text(p.body, "nextCursor")
		s.expect((cursor != "") == (page < 3), "a nextCursor on every page but the last", p.body["nextCursor"])
	}
	want := []string{a.id, b.id, c.id}
	slices.Sort(want)
	slices.Sort(met)
	s.equal("everybody once,", want, met)
}

func cursorSearch(s *step) {
	mark, _, _, _ := s.three()
	ask := object{"schemas": []string{searchURN}, "filter": `userName sw "` + mark + `"`, "count": 2, "cursor": ""}
	first := s.post(s.sv.endpoint(users)+"/.search", ask, http.StatusOK)
	s.expect(length(first.body["Resources"]) == 2, "two resources", first.body["Resources"])
	ask["cursor"] = text(first.body, "nextCursor")
	second := s.post(s.sv.endpoint(users)+"/.search", ask, http.StatusOK)
	s.expect(length(second.body["Resources"]) == 1, "one resource", second.body["Resources"])
}

func cursorInvalid(s *step) {
	s.refused(s.get(query(s.sv.endpoint(users), "cursor", "nonsense")), http.StatusBadRequest, "invalidCursor", "expiredCursor")
}

func cursorOther(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "cursor", "", "count", "1")
	a := s.get(query(s.sv.endpoint(users), "filter", `userName eq "`+mark+`"`, "cursor", text(p.body, "nextCursor"), "count", "1"))
	s.refused(a, http.StatusBadRequest, "invalidCursor")
}

func cursorCount(s *step) {
	s.refused(s.get(query(s.sv.endpoint(users), "cursor", "", "count", "0")), http.StatusBadRequest, "invalidCount")
}

func cursorCharacters(s *step) {
	mark, _, _, _ := s.three()
	p := s.page(mark, "cursor", "", "count", "1")
	for _, r := range text(p.body, "nextCursor") {
		s.expect(strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", r), "letters, digits and -._~", text(p.body, "nextCursor"))
	}
}

func searchArea() area {
	return area{name: "search", rfc: "7644", needs: users, cases: []testCase{
		{id: "search-users", section: "3.4.3", name: "POST .search of users finds as GET does", needs: filtering, run: searchUsers},
		{id: "search-attributes", section: "3.4.3", name: "attributes is a list there", needs: filtering, run: searchAttributes},
		{id: "search-filter", section: "3.4.3", name: "a filter that is no text is refused, not passed over", needs: filtering, should: true, run: searchFilter},
		{id: "search-root", section: "3.4.3", name: "POST .search at the root finds users and groups", needs: filtering, run: searchRoot},
	}}
}

func searchUsers(s *step) {
	s.user()
	u := s.user()
	a := s.post(s.sv.endpoint(users)+"/.search", object{
		"schemas": []string{searchURN}, "filter": `userName eq "` + text(u.sent, "userName") + `"`, "startIndex": 1, "count": 10,
	}, http.StatusOK)
	s.equal("who is found", []string{u.id}, ids(s.listOf(a)))
}

func searchAttributes(s *step) {
	u := s.user()
	a := s.post(s.sv.endpoint(users)+"/.search", object{
		"schemas": []string{searchURN}, "filter": `userName eq "` + text(u.sent, "userName") + `"`, "attributes": []string{"userName"},
	}, http.StatusOK)
	first, _ := dig(s.listOf(a), 0).(map[string]any)
	s.only(first, "userName")
}

func searchFilter(s *step) {
	s.user()
	a := s.post(s.sv.endpoint(users)+"/.search", object{"schemas": []string{searchURN}, "filter": []string{"userName pr"}})
	s.refused(a, http.StatusBadRequest)
}

func searchRoot(s *step) {
	u := s.user()
	ask := object{"schemas": []string{searchURN}, "filter": `userName eq "` + text(u.sent, "userName") + `"`}
	a := s.post("/.search", ask)
	s.need(a.status != http.StatusNotImplemented, "the service does not search all types at once (501)")
	s.expect(a.status == http.StatusOK || s.over(), "200 or 501", a)
	list := s.listOf(a)
	s.equal("who is found", []string{u.id}, ids(list))
	s.equal("meta.resourceType", "User", dig(list, 0, "meta", "resourceType"))
}
