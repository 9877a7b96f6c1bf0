package resource_test

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/scim/resource"
)

func user(t *testing.T, text string) map[string]any {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

const enterprise = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`

func TestUsersAndProfiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user    string
		profile connector.Profile
	}{
		"nothing":  {`{}`, connector.Profile{}},
		"the core": {`{"userName":"ann","name":{"givenName":"Ann","familyName":"Lee"},"title":"Boss"}`, connector.Profile{"userName": {"ann"}, "givenName": {"Ann"}, "familyName": {"Lee"}, "title": {"Boss"}}},
		"the extension": {
			`{` + enterprise + `:{"employeeNumber":"7","manager":{"value":"271"}}}`,
			connector.Profile{"employeeNumber": {"7"}, "manager": {"271"}},
		},
		"an address as most clients send it": {
			`{"emails":[{"value":"a@x.test","type":"work","primary":true}]}`,
			connector.Profile{"email": {"a@x.test"}},
		},
		"several, of which the primary one counts": {
			`{"emails":[{"value":"home@x.test","type":"home"},{"value":"a@x.test","primary":true}]}`,
			connector.Profile{"email": {"a@x.test"}, "otherEmails": {"home@x.test"}, "emails": {`[{"type":"home","value":"home@x.test"},{"primary":true,"value":"a@x.test"}]`}},
		},
		"telephones": {
			`{"phoneNumbers":[{"value":"+46 1","type":"work"},{"value":"+46 2","type":"mobile"},{"value":"+46 3","type":"other"}]}`,
			connector.Profile{"phone": {"+46 1"}, "mobilePhone": {"+46 2"}, "otherPhones": {"+46 3"}},
		},
		"two of one type": {
			`{"phoneNumbers":[{"value":"+46 1","type":"work"},{"value":"+46 2","type":"work"}]}`,
			connector.Profile{"phone": {"+46 1"}, "otherPhones": {"+46 2"}, "phoneNumbers": {`[{"type":"work","value":"+46 1"},{"type":"work","value":"+46 2"}]`}},
		},
		"an address with a form of its own": {
			`{"addresses":[{"type":"work","locality":"Lund","formatted":"Lund, Sweden"}]}`,
			connector.Profile{"locality": {"Lund"}, "addresses": {`[{"formatted":"Lund, Sweden","locality":"Lund","type":"work"}]`}},
		},
		"roles": {`{"roles":[{"value":"a"},{"value":"b","display":"B"}]}`, connector.Profile{"roles": {"a", "b"}, "roleDetails": {`[{"value":"a"},{"display":"B","value":"b"}]`}}},
		"what only SCIM has": {
			`{"ims":[{"value":"ann","type":"xmpp"}]}`, connector.Profile{"ims": {`[{"type":"xmpp","value":"ann"}]`}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := user(t, tt.user)
			if d := cmp.Diff(tt.profile, resource.ToProfile(r)); d != "" {
				t.Errorf("profile (-want +got)\n%s", d)
			}
			again := resource.FromProfile(tt.profile)
			if d := cmp.Diff(resource.ToProfile(r), resource.ToProfile(again)); d != "" {
				t.Errorf("there and back (-want +got)\n%s", d)
			}
		})
	}
}

// Another source that owns the address is what a client sees; what the client said of its type waits behind.
func TestKeptElementsGiveWayToTheOwner(t *testing.T) {
	t.Parallel()
	p := connector.Profile{"email": {"dir@x.test"}, "emails": {`[{"primary":true,"value":"a@x.test"}]`}}
	want := user(t, `{"emails":[{"value":"dir@x.test","type":"work","primary":true}]}`)
	if d := cmp.Diff(want, resource.FromProfile(p)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestChangeTouchesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	own := connector.Profile{"title": {"Boss"}, "nickName": {"A"}}
	shown := connector.Profile{"title": {"Director"}, "department": {"IT"}, "nickName": {"A"}}
	wanted := connector.Profile{"title": {"Director"}, "department": {"HR"}}
	got := resource.Change(own, shown, wanted)
	if d := cmp.Diff(connector.Profile{"title": {"Boss"}, "department": {"HR"}}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if own.Get("nickName") != "A" {
		t.Error("what was said before has been changed in place")
	}
}

// Whatever a client sends, what it is shown means the same.
func TestWhatIsShownMeansWhatWasSent(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for range 2000 {
		u := map[string]any{}
		for _, name := range []string{"emails", "phoneNumbers", "addresses", "roles", "ims"} {
			var elements []any
			primary := r.IntN(4)
			for i := range r.IntN(4) {
				e := map[string]any{"value": pick("a", "b", "c") + strconv.Itoa(r.IntN(3)) + "@x.test"}
				if name == "addresses" {
					e = map[string]any{"locality": pick("Lund", "Rome")}
				}
				if typ := pick("work", "home", "mobile", ""); typ != "" {
					e["type"] = typ
				}
				if i == primary {
					e["primary"] = true
				}
				elements = append(elements, e)
			}
			if elements != nil {
				u[name] = elements
			}
		}
		p := resource.ToProfile(u)
		shown := resource.FromProfile(p)
		if d := cmp.Diff(p, resource.ToProfile(shown)); d != "" {
			t.Fatalf("%v became %v\n%s", u, shown, d)
		}
	}
}
