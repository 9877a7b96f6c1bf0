package connector

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"math/big"
	"strings"
	"time"
)

// LinkKind says what a link in a mail is good for.
type LinkKind string

// The kinds of links. The text is part of the address (LinkKey.Path).
const (
	ActivateLink LinkKind = "activation" // whoever uses it has the mail, and activates; Subject is the subscriber
	ProveLink    LinkKind = "invitation" // whoever uses it has the mail, so the address is the user's; Subject is the user
	// ClaimLink lets the person decide about a claim, and ClaimKeepLink proves the address under which the old account
	// goes on; Subject is the claim.
	ClaimLink     LinkKind = "claim"
	ClaimKeepLink LinkKind = "claim-keep"
)

// MailLink is a link that is sent by mail and is good for one use, for a while. GET shows what it is for, POST uses it. Its
// token is made of the link and a key that only the daemons of a store have (LinkKey), so that nothing that is stored opens
// anything.
type MailLink struct {
	ID      ID // made when it was written, so that ids grow with time
	Org     string
	Kind    LinkKind
	Subject ID // the user, subscriber or claim that it is for
	Email   string
	Until   time.Time
	UsedAt  time.Time // zero = it is not
}

// Why a link does not open anything. They are told apart, since what the person can do is another thing each time.
var (
	ErrLinkAltered = errors.New("the link is not one that was sent: it was cut short or altered")
	ErrLinkUnknown = errors.New("the link is not known any more")
	ErrLinkUsed    = errors.New("the link has been used already")
	ErrLinkEnded   = errors.New("the time of the link is over")
)

// Check says whether the link can be used at that time: nil, ErrLinkUsed or ErrLinkEnded.
func (l *MailLink) Check(now time.Time) error {
	switch {
	case !l.UsedAt.IsZero():
		return ErrLinkUsed
	case !now.Before(l.Until):
		return ErrLinkEnded
	}
	return nil
}

// LinkKey signs the tokens of links: the secret "links" of the store. It hides itself like any Secret.
type LinkKey struct{ key Secret }

// NewLinkKey makes a key of at least 32 random bytes.
func NewLinkKey(key []byte) LinkKey { return LinkKey{NewSecret(string(key))} }

const (
	linkMAC    = 16 // bytes
	linkDigits = 43 // base62 of an id and linkMAC

	subscriberDigits = 22 // base62 of linkMAC
)

// Token gives the token of a link: 43 letters and digits.
func (k LinkKey) Token(l *MailLink) string {
	mac := k.mac(l.Org, l.Kind, l.ID)
	return digits(new(big.Int).SetBytes(append(l.ID[:len(l.ID):len(l.ID)], mac[:linkMAC]...)), linkDigits)
}

// Path is where the link leads, below the address of the portal: /KIND/ORGANIZATION/TOKEN.
func (k LinkKey) Path(l *MailLink) string {
	return "/" + string(l.Kind) + "/" + l.Org + "/" + k.Token(l)
}

// Open returns the id of the link that a token was made of, for this organization and kind. ErrLinkAltered is all that it
// says of anything else.
func (k LinkKey) Open(org string, kind LinkKind, token string) (ID, error) {
	var b [len(ID{}) + linkMAC]byte
	n, base := new(big.Int), big.NewInt(int64(len(base62)))
	for _, c := range []byte(token[:min(len(token), linkDigits+1)]) {
		d := strings.IndexByte(base62, c)
		if d < 0 {
			return ID{}, ErrLinkAltered
		}
		n.Add(n.Mul(n, base), big.NewInt(int64(d)))
	}
	if len(token) != linkDigits || n.BitLen() > 8*len(b) {
		return ID{}, ErrLinkAltered
	}
	n.FillBytes(b[:])
	id := ID(b[:len(ID{})])
	if mac := k.mac(org, kind, id); !hmac.Equal(mac[:linkMAC], b[len(id):]) {
		return ID{}, ErrLinkAltered
	}
	return id, nil
}

// Subscriber gives the key that stands in a subscriber's own way to the portal: whoever has it is taken for that person.
// Unlike the token of a link it is good as long as the subscriber is there, and until it is provisioned.
func (k LinkKey) Subscriber(s *Subscriber) string {
	mac := k.mac("", "subscriber\x00"+LinkKind(s.Org), s.ID) // no organization has an empty id
	return digits(new(big.Int).SetBytes(mac[:linkMAC]), subscriberDigits)
}

// OpensSubscriber reports whether it is that key.
func (k LinkKey) OpensSubscriber(s *Subscriber, key string) bool {
	return hmac.Equal([]byte(k.Subscriber(s)), []byte(key))
}

// mac is taken of fields that cannot run into each other: neither an organization nor a kind holds a NUL.
func (k LinkKey) mac(org string, kind LinkKind, id ID) []byte {
	h := hmac.New(sha256.New, []byte(k.key.Reveal()))
	_, _ = h.Write([]byte(org + "\x00" + string(kind) + "\x00" + string(id[:]))) // a hash never fails
	return h.Sum(nil)
}
