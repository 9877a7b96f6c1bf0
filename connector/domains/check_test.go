package domains

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"usherd/connector"
	"usherd/connector/domains/dnstest"
)

var monday = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

const token = "k3kq7dn2"

func start(t *testing.T) (*dnstest.Server, *net.Resolver) {
	t.Helper()
	s, err := dnstest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, NewResolver(s.Addr())
}

// hasty gives up soon, where Go's resolver would wait ten seconds.
type hasty struct{ Resolver }

func (h hasty) LookupTXT(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	return h.Resolver.LookupTXT(ctx, name)
}

func TestFindings(t *testing.T) {
	t.Parallel()
	s, r := start(t)
	record := Record(token)
	s.SetTXT("plain.example", record)
	s.SetTXT("many.example", "v=spf1 -all", "usherd-verification=other", record)
	s.SetTXT("quoted.example", `" `+record+`"`)
	s.SetStrings("split.example", "usherd-", "verification=k3k", "q7dn2")
	long := make([]string, 40)
	for i := range long {
		long[i] = fmt.Sprintf("%d %s", i, strings.Repeat("x", 300))
	}
	s.SetTXT("long.example", append(long, record)...)
	s.SetTXT("none.example")
	s.SetTXT("one.example", "v=spf1 -all")
	s.SetTXT("others.example", "v=spf1 -all", "x usherd-verification="+token)
	s.SetTXT("wrong.example", record+"x", "usherd-verification=")
	s.SetTXT("case.example", "usherd-verification=K3KQ7DN2")
	s.Fail("servfail.example", dnsmessage.RCodeServerFailure)
	s.Fail("refused.example", dnsmessage.RCodeRefused)
	s.Silence("silent.example")

	tests := []struct {
		name         string
		finding      Finding
		detail, next string // parts
	}{
		{"plain.example", Proven, "", ""},
		{"many.example", Proven, "", ""},
		{"quoted.example", Proven, "", ""},
		{"split.example", Proven, "", ""},
		{"long.example", Proven, "", ""},
		{"none.example", NoRecord, "has no TXT record", `add the TXT record "usherd-verification=k3kq7dn2" at none.example`},
		{"absent.example", NoRecord, "or does not exist", "check that the name is right"},
		{"one.example", NoRecord, "has one TXT record, but it does not begin", "add the TXT record"},
		{"others.example", NoRecord, "has 2 TXT records, but none", "add the TXT record"},
		{"wrong.example", WrongToken, `another token: "k3kq7dn2x"`, `add "usherd-verification=k3kq7dn2" beside it`},
		{"case.example", WrongToken, "K3KQ7DN2", "beside it"},
		{"servfail.example", NoAnswer, "answers with an error", "try again later"},
		{"refused.example", NoAnswer, "answers with an error", "try again later"},
		{"silent.example", NoAnswer, "no name server has answered in time", "try again later"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var resolver Resolver = r
			if tt.name == "silent.example" {
				resolver = hasty{r}
			}
			before := connector.Domain{Org: "acme", Name: tt.name, Token: token}
			got, out := Check(t.Context(), resolver, before, monday)
			if out.Finding != tt.finding || !strings.Contains(out.Detail, tt.detail) || !strings.Contains(out.Next, tt.next) {
				t.Errorf("got %+v", out)
			}
			want := before
			want.CheckedAt, want.LastError = monday, out.Detail
			if tt.finding == Proven {
				want.VerifiedAt = monday
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("domain (-want +got):\n%s", diff)
			}
			if out.Gained != (tt.finding == Proven) || out.Lost || !out.KeptUntil.IsZero() || (out.Detail == "") != out.Gained {
				t.Errorf("got %+v", out)
			}
		})
	}
	t.Run("asked", func(t *testing.T) {
		if _, out := Check(t.Context(), r, connector.Domain{Name: "long.example", Token: token}, monday); out.Finding != Proven {
			t.Fatalf("got %+v", out)
		}
		if _, out := Check(t.Context(), r, connector.Domain{Name: "unknown.example", Token: token}, monday); out.Finding != NoRecord {
			t.Fatalf("got %+v", out)
		}
		queries := s.Queries()
		if !slices.Contains(queries, dnstest.Query{Name: "long.example.", Network: "udp"}) ||
			!slices.Contains(queries, dnstest.Query{Name: "long.example.", Network: "tcp"}) {
			t.Errorf("a long answer was asked for by %+v", queries)
		}
		for _, q := range queries {
			if !strings.HasSuffix(q.Name, ".example.") {
				t.Errorf("asked for %q: a search domain of the machine", q.Name)
			}
		}
	})
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	s, err := dnstest.Start()
	if err != nil {
		t.Fatal(err)
	}
	addr := s.Addr()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, out := Check(t.Context(), hasty{NewResolver(addr)}, connector.Domain{Name: "a.example", Token: token}, monday)
	if out.Finding != NoAnswer || out.Next == "" {
		t.Errorf("got %+v", out)
	}
}

func TestEmptyTokenProvesNothing(t *testing.T) {
	t.Parallel()
	s, r := start(t)
	s.SetTXT("a.example", "usherd-verification=")
	if d, out := Check(t.Context(), r, connector.Domain{Name: "a.example"}, monday); d.Verified() || out.Finding != WrongToken {
		t.Errorf("got %+v, %+v", d, out)
	}
}

// TestVerifiedDomainIsLostAfterSevenDays tells the life of a proof.
func TestVerifiedDomainIsLostAfterSevenDays(t *testing.T) {
	t.Parallel()
	s, r := start(t)
	const name = "acme.example"
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	d := connector.Domain{Org: "acme", Name: name, Token: token, VerifiedAt: day(-100), Claimed: true}
	steps := []struct {
		day    int
		before func()
		want   Outcome // Finding, Gained, Lost, KeptUntil
	}{
		{0, func() { s.SetTXT(name, Record(token)) }, Outcome{Finding: Proven}},
		{1, func() { s.Remove(name) }, Outcome{Finding: NoRecord, KeptUntil: day(8)}},
		{2, func() { s.Fail(name, dnsmessage.RCodeServerFailure) }, Outcome{Finding: NoAnswer, KeptUntil: day(8)}},
		{7, func() { s.SetTXT(name, "usherd-verification=x") }, Outcome{Finding: WrongToken, KeptUntil: day(8)}},
		{7, func() { s.SetTXT(name, Record(token)) }, Outcome{Finding: Proven}},
		{8, func() { s.Fail(name, dnsmessage.RCodeServerFailure) }, Outcome{Finding: NoAnswer, KeptUntil: day(15)}},
		{15, func() {}, Outcome{Finding: NoAnswer, Lost: true}},
		{16, func() { s.Remove(name) }, Outcome{Finding: NoRecord}},
		{17, func() { s.SetTXT(name, Record(token)) }, Outcome{Finding: Proven, Gained: true}},
	}
	for i, step := range steps {
		step.before()
		var out Outcome
		was := d
		d, out = Check(t.Context(), r, d, day(step.day))
		got := out
		got.Detail, got.Next = "", ""
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
		if verified := was.Verified() && !out.Lost || out.Gained; d.Verified() != verified || !d.CheckedAt.Equal(day(step.day)) {
			t.Errorf("step %d: %+v", i, d)
		}
		if d.Claimed != (i < 6) {
			t.Errorf("step %d: claimed is %v", i, d.Claimed)
		}
	}
}

func TestInterruptedCheckCountsAsNone(t *testing.T) {
	t.Parallel()
	s, r := start(t)
	s.Silence("acme.example")
	ctx, cancel := context.WithCancel(t.Context())
	before := connector.Domain{Name: "acme.example", Token: token, VerifiedAt: monday, FailingSince: monday.AddDate(0, -1, 0)}
	cancel()
	got, out := Check(ctx, r, before, monday)
	if out.Finding != Stopped {
		t.Errorf("got %+v", out)
	}
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewToken(t *testing.T) {
	t.Parallel()
	a, b := NewToken(), NewToken()
	if a == b || len(a) != 26 || a != strings.ToLower(a) {
		t.Errorf("%q and %q", a, b)
	}
}

func TestNewResolverAddresses(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.9": "127.0.0.9:53", "127.0.0.9:5353": "127.0.0.9:5353", "::1": "[::1]:53", "[::1]": "[::1]:53",
	} {
		c, err := NewResolver(addr).Dial(t.Context(), "udp", "192.0.2.1:53")
		if err != nil { // a machine without IPv6
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", addr, err)
			}
			continue
		}
		if got := c.RemoteAddr().String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if NewResolver("").Dial != nil {
		t.Error("the machine's servers are not asked")
	}
}
