package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
	"usherd/scim"
	"usherd/scim/auth"
)

// throng is the SCIM door of an organization with many users, all of whom client idp has pushed.
type throng struct {
	*testing.T
	db     *store.DB
	users  []*connector.Change
	server *scim.Server
	token  string
}

func newThrong(t *testing.T, people int) *throng {
	t.Helper()
	c := &throng{T: t}
	c.db, c.users = openPushed(t, people)
	store.OneReader(c.db)
	now := func() time.Time { return storetest.Start().Add(24 * time.Hour) } // stands still: whatever happens by time happens once
	org := &connector.Organization{ID: storetest.Org, Sources: []connector.SourceSettings{{ID: benchClient, Kind: connector.SCIM, Groups: true}}}
	m, faults := mapping.Compile(mapping.Config{Preset: mapping.SCIM})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	writer := provision.New(provision.Options{Store: c.db, Org: org, Mappings: map[string]*mapping.Mapping{benchClient: m}, Now: now, SpoolDir: t.TempDir()})
	gate := auth.New(auth.Options{Store: c.db, Now: now})
	gate.Replace(map[auth.Source]auth.Limits{{Org: org.ID, ID: benchClient}: {Rate: 1 << 20, Burst: 1 << 20, Concurrency: 8}})
	secret, hash := connector.NewToken()
	c.token = secret.Reveal()
	err := c.db.AddToken(t.Context(), connector.Token{
		ID: connector.NewID(now()), Org: org.ID, Source: benchClient, Kind: connector.BearerToken, Hash: hash, Scopes: []string{connector.ScopeAll},
		CreatedAt: now(), CreatedBy: "test",
	})
	if err == nil {
		c.server, err = scim.New(scim.Options{Store: c.db, Gate: gate, URL: "https://scim.test", Now: now})
	}
	if err == nil {
		err = c.server.Replace([]*scim.Organization{{Settings: org, Writer: writer, Clients: map[string]scim.Client{benchClient: {Profile: "entra"}}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	c.ask(http.MethodGet, "/Users/"+c.users[0].After.ID.String(), "") // statements are prepared, which looks at the schema
	return c
}

// ask makes a request, and says what it took of the store.
func (c *throng) ask(method, path, body string) ([]byte, store.Work) {
	c.Helper()
	q := httptest.NewRequestWithContext(c.Context(), method, "/scim/"+storetest.Org+"/v2"+path, strings.NewReader(body))
	q.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		q.Header.Set("Content-Type", "application/scim+json")
	}
	before, err := store.WorkDone(c.Context(), c.db)
	if err != nil {
		c.Fatal(err)
	}
	a := httptest.NewRecorder()
	c.server.ServeHTTP(a, q)
	after, err := store.WorkDone(c.Context(), c.db)
	if err != nil || a.Code >= http.StatusMultipleChoices {
		c.Fatalf("%s %s: %v, %d %s", method, path, err, a.Code, a.Body)
	}
	return a.Body.Bytes(), after.Sub(before)
}

// list is an answer as far as tests of size look at it.
type list struct {
	TotalResults int
	NextCursor   string
	Resources    []struct{ ID string }
}

func (c *throng) list(path string) (l list, took store.Work) {
	c.Helper()
	c.ask(http.MethodGet, path, "") // the statement is prepared
	b, took := c.ask(http.MethodGet, path, "")
	if err := json.Unmarshal(b, &l); err != nil {
		c.Fatal(err)
	}
	return l, took
}

// However many users there are, each page of a walk by cursor costs the same, and what an index answers costs no more
// than a few pages of the file. What is counted are looks at pages, which are the same on every machine.
func TestDoorOfManyUsers(t *testing.T) {
	t.Parallel()
	c := newThrong(t, manyUsers)
	c.walks()
	c.finds()
}

// walks meets everybody once, in order of the ids.
func (c *throng) walks() {
	c.Helper()
	const size = 1000
	var usual int64
	cursor, seen := "", 0
	for page := 0; page == 0 || cursor != ""; page++ {
		path := "/Users?count=1000&cursor=" + cursor
		if page < 2 {
			c.ask(http.MethodGet, path, "") // a statement is prepared
		}
		b, took := c.ask(http.MethodGet, path, "")
		var l list
		if err := json.Unmarshal(b, &l); err != nil || l.TotalResults != len(c.users) || len(l.Resources) != size {
			c.Fatalf("page %d: %v, %d of %d users", page, err, len(l.Resources), l.TotalResults)
		}
		for _, r := range l.Resources {
			if want := c.users[seen].After.ID.String(); r.ID != want {
				c.Fatalf("user %d is %s, want %s", seen, r.ID, want)
			}
			seen++
		}
		if page == 1 { // which goes on from a place, as all that follow
			usual = took.Pages
		}
		if page > 1 && took.Pages > usual+usual/4 {
			c.Errorf("page %d looks at %d pages of the file, page 1 at %d", page, took.Pages, usual)
		}
		cursor = l.NextCursor
	}
	if seen != len(c.users) {
		c.Errorf("%d of %d users", seen, len(c.users))
	}
}

// finds somebody in the middle by each of the attributes that have an index.
func (c *throng) finds() {
	c.Helper()
	one := c.users[len(c.users)/2]
	u := one.After
	c.group("Few", 7)
	few := putGroup(c.T, c.db, pushedGroup("Some", c.users[100:105]))
	last := c.users[len(c.users)-51].After.UpdatedAt
	for filter, want := range map[string]int{
		fmt.Sprintf("userName eq %q", u.UserName()):                                  1,
		fmt.Sprintf("externalId eq %q", one.Anchor.Raw):                              1,
		fmt.Sprintf("emails.value eq %q", u.Profile.Get(connector.Email)):            1,
		fmt.Sprintf("emails eq %q", u.Profile.Get(connector.Email)):                  1,
		fmt.Sprintf("id eq %q", u.ID):                                                1,
		fmt.Sprintf("meta.lastModified gt %q", last.Format(time.RFC3339Nano)):        50,
		fmt.Sprintf("groups.value eq %q", few.ID):                                    5,
		fmt.Sprintf("userName eq %q and active eq true", u.UserName()):               1,
		fmt.Sprintf("userName eq %q or id eq %q", u.UserName(), c.users[0].After.ID): 2,
		`userName eq "nobody@example.com"`:                                           0,
	} {
		l, took := c.list("/Users?filter=" + url.QueryEscape(filter))
		if l.TotalResults != want || len(l.Resources) != want {
			c.Errorf("%s finds %d users, lists %d, want %d", filter, l.TotalResults, len(l.Resources), want)
		}
		if most := int64(40 + 10*want); took.Pages > most {
			c.Errorf("%s looks at %d pages of the file, more than %d", filter, took.Pages, most)
		}
	}
}

// group makes a group of the first n users.
func (c *throng) group(name string, n int) string {
	return putGroup(c.T, c.db, pushedGroup(name, c.users[:n])).ID.String()
}

// One member more or less is as much work in a group of ten thousand as in one of a hundred: a few looks more at pages
// where trees are deeper, and as many rows.
func TestOneMemberOfALargeGroup(t *testing.T) {
	t.Parallel()
	c := newThrong(t, 10_100)
	small, large := c.group("Small", 100), c.group("Large", 10_000)
	somebody := c.users[len(c.users)-1].After.ID
	for _, op := range []string{
		fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]}`, somebody),
		fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, somebody),
		fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]}`, somebody),
		fmt.Sprintf(`{"op":"remove","path":"members","value":[{"value":%q}]}`, somebody),
	} {
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + op + `]}`
		_, few := c.ask(http.MethodPatch, "/Groups/"+small, body)
		_, many := c.ask(http.MethodPatch, "/Groups/"+large, body)
		if few.Rows == 0 || many.Rows != few.Rows {
			t.Errorf("%s: %d rows written of a small group, %d of a large one", op, few.Rows, many.Rows)
		}
		if many.Pages > few.Pages+few.Pages/2 {
			t.Errorf("%s: %d pages looked at for a small group, %d for a large one", op, few.Pages, many.Pages)
		}
	}
}
