package domains

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"usherd/connector"
)

// KeptFor is how long a verified domain stays so while its checks fail.
const KeptFor = 7 * 24 * time.Hour

// lookupTimeout bounds one check, whatever the resolver does.
const lookupTimeout = 20 * time.Second

const prefix = "usherd-verification="

// NewToken returns what an organization puts into its zone: 26 characters, 130 random bits.
func NewToken() string { return strings.ToLower(rand.Text()) }

// Record returns the text of the TXT record for a token.
func Record(token string) string { return prefix + token }

// Resolver asks DNS; *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// NewResolver returns a resolver that asks the server at addr, "192.0.2.53" or "192.0.2.53:5353",
// over UDP and, for long answers, TCP; the machine's own servers when addr is empty. It is Go's own
// resolver in both cases: hosts files and name services of the system have no say in a proof.
func NewResolver(addr string) *net.Resolver {
	r := &net.Resolver{PreferGo: true}
	if addr == "" {
		return r
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(strings.Trim(addr, "[]"), "53")
	}
	r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
	return r
}

// Finding is what a check has found.
type Finding string

// The findings.
const (
	Proven     Finding = "proven"      // the record is there
	NoRecord   Finding = "no_record"   // DNS says that there is none
	WrongToken Finding = "wrong_token" // there is one, for another token
	NoAnswer   Finding = "no_answer"   // DNS could not say: time-out, SERVFAIL, refused
	Stopped    Finding = "stopped"     // the context ended first: not counted as a check
)

// Outcome tells a check to people.
type Outcome struct {
	Finding Finding
	Detail  string // what was found, one sentence; "" when proven
	Next    string // what to do about it; "" when proven
	Gained  bool   // the domain was not verified before and is now
	Lost    bool   // the domain was verified before and is not any more
	// KeptUntil is when a domain that is still verified will be lost unless a check succeeds before; zero
	// = it is not at risk, or not verified.
	KeptUntil time.Time
}

// Check looks for the record of d at its name and returns d as it is to be stored. A domain that is
// proven is verified at once. One that was verified before is lost with the first failing check that
// comes KeptFor after the first failing one, whatever the reason, and its claim with it, so that nobody
// is kept from a domain by an organization that has lost it.
func Check(ctx context.Context, r Resolver, d connector.Domain, now time.Time) (connector.Domain, Outcome) {
	lookup, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	// The dot keeps the resolver from trying the machine's own search domains.
	texts, err := r.LookupTXT(lookup, d.Name+".")
	if err != nil && ctx.Err() != nil {
		return d, Outcome{Finding: Stopped, Detail: "the check was interrupted", Next: "check again"}
	}
	out := judge(d, texts, err)
	d.CheckedAt = now
	if out.Finding == Proven {
		out.Gained = !d.Verified()
		if out.Gained {
			d.VerifiedAt = now
		}
		d.FailingSince, d.LastError = time.Time{}, ""
		return d, out
	}
	d.LastError = out.Detail
	if !d.Verified() {
		return d, out
	}
	if d.FailingSince.IsZero() {
		d.FailingSince = now
	}
	if now.Sub(d.FailingSince) >= KeptFor {
		out.Lost = true
		d.VerifiedAt, d.FailingSince, d.Claimed = time.Time{}, time.Time{}, false
		return d, out
	}
	out.KeptUntil = d.FailingSince.Add(KeptFor)
	return d, out
}

func judge(d connector.Domain, texts []string, err error) Outcome {
	add := fmt.Sprintf("add the TXT record %q at %s; a new record can take an hour or more to be seen", Record(d.Token), d.Name)
	if err != nil {
		return judgeError(d, err, add)
	}
	var others []string
	for _, text := range texts {
		// Some zone editors keep the quotes that were pasted with the text.
		token, ok := strings.CutPrefix(strings.Trim(text, "\" \t"), prefix)
		switch {
		case ok && token == d.Token && token != "":
			return Outcome{Finding: Proven}
		case ok:
			others = append(others, token)
		}
	}
	if len(others) == 0 {
		detail := fmt.Sprintf("%s has %d TXT records, but none that begins with %q", d.Name, len(texts), prefix)
		if len(texts) == 1 {
			detail = fmt.Sprintf("%s has one TXT record, but it does not begin with %q", d.Name, prefix)
		}
		return Outcome{Finding: NoRecord, Detail: detail, Next: add}
	}
	return Outcome{
		Finding: WrongToken,
		Detail:  fmt.Sprintf("%s has the record for another token: %.40q", d.Name, others[0]),
		Next:    fmt.Sprintf("add %q beside it or in its place; it may belong to another organization, so remove it only if it is yours", Record(d.Token)),
	}
}

func judgeError(d connector.Domain, err error, add string) Outcome {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return Outcome{
			Finding: NoRecord, Detail: d.Name + " has no TXT record, or does not exist",
			Next: "check that the name is right; then " + add,
		}
	}
	cause := "the name server answers with an error"
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &dns) && dns.IsTimeout:
		cause = "no name server has answered in time"
	case dns == nil || !strings.Contains(dns.Err, "misbehaving"): // Go's words for SERVFAIL and REFUSED
		cause = "the name server cannot be asked: " + err.Error()
	}
	return Outcome{
		Finding: NoAnswer, Detail: d.Name + ": " + cause,
		Next: fmt.Sprintf("try again later; if it stays so, ask for the TXT records of %s from this machine (dig TXT %s) and check the zone's name servers and DNSSEC", d.Name, d.Name),
	}
}
