package connector_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

// A token opens the link that it was made of, for its organization and kind, and no other one.
func TestLinkTokens(t *testing.T) {
	t.Parallel()
	key := connector.NewLinkKey([]byte(strings.Repeat("k", 32)))
	link := connector.MailLink{ID: connector.NewID(time.Now()), Org: "acme", Kind: connector.ProveLink}
	token := key.Token(&link)
	if id, err := key.Open("acme", connector.ProveLink, token); err != nil || id != link.ID {
		t.Fatalf("%v, %v, want %v", id, err, link.ID)
	}
	if path := key.Path(&link); path != "/invitation/acme/"+token {
		t.Errorf("path %s", path)
	}
	if len(token) != 43 || strings.Trim(token, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		t.Errorf("token %q", token)
	}
	other := connector.NewLinkKey([]byte(strings.Repeat("o", 32)))
	for i, try := range []struct {
		key        connector.LinkKey
		org, token string
		kind       connector.LinkKind
	}{
		{key, "acme2", token, connector.ProveLink},
		{key, "acme", token, "claim"},
		{other, "acme", token, connector.ProveLink},
		{key, "acme", token + "0", connector.ProveLink},
		{key, "acme", token[:42], connector.ProveLink},
		{key, "acme", "", connector.ProveLink},
		{key, "acme", strings.Repeat("z", 43), connector.ProveLink},
		{key, "acme", strings.Repeat("-", 43), connector.ProveLink},
		{key, "acme", strings.Repeat("0", 1<<20), connector.ProveLink},
	} {
		if _, err := try.key.Open(try.org, try.kind, try.token); !errors.Is(err, connector.ErrLinkAltered) {
			t.Errorf("%d: %v", i, err)
		}
	}
	for i := range token { // any letter another one
		altered := []byte(token)
		altered[i] = 'A' + (altered[i]+1)%26
		if string(altered) == token {
			continue
		}
		if _, err := key.Open("acme", connector.ProveLink, string(altered)); !errors.Is(err, connector.ErrLinkAltered) {
			t.Errorf("letter %d altered: %v", i, err)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", key, key, key); strings.Contains(text, "kkkk") {
		t.Errorf("the key shows: %s", text)
	}
}

func TestLinkChecks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		link connector.MailLink
		want error
	}{
		{connector.MailLink{Until: now.Add(1)}, nil},
		{connector.MailLink{Until: now}, connector.ErrLinkEnded},
		{connector.MailLink{Until: now.Add(1), UsedAt: now}, connector.ErrLinkUsed},
		{connector.MailLink{Until: now.Add(-1), UsedAt: now}, connector.ErrLinkUsed},
	} {
		if err := c.link.Check(now); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.link, err, c.want)
		}
	}
}
