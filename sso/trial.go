package sso

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"usherd/connector"
	"usherd/sso/saml2"
)

// Trial is what an administrator's ticket to try a sign-in says (connector.TestTicket): whoever begins a sign-in with it goes the way
// of everybody, but nothing changes, and the browser goes back to see what would have happened.
type Trial struct {
	By   string `json:"by"`   // the administrator
	Back string `json:"back"` // address to which the id of the attempt is added; "" = the door tells it
}

// trialLife is how long somebody may take to begin a test.
const trialLife = 10 * time.Minute

// Try gives out the address at which an administrator's browser can try one sign-in, once, within ten minutes.
func (s *Server) Try(ctx context.Context, org, source string, t Trial) (address string, err error) {
	data, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	secret := newSecret()
	k := connector.Ticket{Org: org, Source: source, Kind: connector.TestTicket, Hash: hashOf(secret), Until: s.o.Now().Add(trialLife), Data: data}
	if err := s.o.Store.PutTicket(ctx, k); err != nil {
		return "", err
	}
	return s.o.URL + "/saml/" + org + "/" + source + "/login?test=" + secret, nil
}

// errTrial keeps a decision from being written.
var errTrial = errors.New("a sign-in is only tried")

// trial takes the ticket with which a sign-in is tried. It answers where there is none.
func (v *visit) trial(secret string) (*Trial, bool) {
	if !isSecret(secret) {
		v.fail(http.StatusBadRequest, v.failure(30, "the test was begun already, or too late"))
		return nil, false
	}
	k, ok, err := v.s.o.Store.TakeTicket(v.r.Context(), v.org.Settings.ID, v.source, connector.TestTicket, hashOf(secret), v.s.o.Now())
	if err != nil {
		v.accident("test", err)
		return nil, false
	}
	if !ok {
		v.fail(http.StatusBadRequest, v.failure(30, "the test was begun already, or too late"))
		return nil, false
	}
	var t Trial
	if err := json.Unmarshal(k.Data, &t); err != nil {
		v.accident("test", err)
		return nil, false
	}
	return &t, true
}

// note begins to keep what an administrator is shown.
func (t *trail) note(by *Trial) {
	if by != nil {
		t.back, t.test = by.Back, &connector.AttemptTest{By: by.By}
	}
}

// maxSaid is how many bytes are kept of what an assertion says, and maxValue of one value.
const (
	maxSaid  = 32 << 10
	maxValue = 1 << 10
)

// said keeps what an assertion says.
func said(test *connector.AttemptTest, a *saml2.Assertion) {
	test.Subject = a.Subject
	room := maxSaid
	for i, x := range a.Attributes {
		s := connector.SaidAttribute{Name: x.Name}
		room -= len(x.Name)
		for _, value := range x.Values {
			s.Values = append(s.Values, shortened(value))
			room -= min(len(value), maxValue)
		}
		if room < 0 {
			test.Left = len(a.Attributes) - i
			return
		}
		test.Attributes = append(test.Attributes, s)
	}
}

// shortened is a value up to a length.
func shortened(value string) string {
	if len(value) <= maxValue {
		return value
	}
	end := maxValue
	for end > 0 && !utf8.RuneStart(value[end]) {
		end--
	}
	return value[:end] + "…"
}

// shown sends the browser of a test back to whoever began it, to see the attempt, or tells its number. It is false where nobody tests, or the attempt is
// not kept.
func (v *visit) shown() bool {
	if v.trail.test == nil || !v.provider.Keep {
		return false
	}
	if v.trail.back == "" {
		return v.tried()
	}
	at, err := url.Parse(v.trail.back)
	if err != nil {
		return false
	}
	at.Path = strings.TrimSuffix(at.Path, "/") + "/" + v.trail.id.String()
	http.Redirect(v.w, v.r, at.String(), http.StatusSeeOther)
	return true
}
