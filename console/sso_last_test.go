package console_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/sources"
	"usherd/internal/webdriver"
)

// skewed says by how many milliseconds our clock was past the time at which the response was issued.
func skewed(x *connector.Attempt, ms int64) {
	x.Steps = append(x.Steps, connector.AttemptStep{Name: "conditions", Result: "ok", Skew: &ms})
}

// The page of an identity provider says how sign-ins went of late: the last one that went well, why others did not, whether Member Status
// came along, how the clocks stand, and what it has to send.
func TestHowSignInsWentOfLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Required = []string{"title"}
	w.signsIn("entra", &sources.SignOn{Keep: time.Hour, Skew: time.Minute})
	b := w.as("operator")
	a := b.get("/sso/idps/entra")
	w.want(a, http.StatusOK, "Nobody has tried yet", "Attributes that it has to send", `<dt>User Name <abbr title="required">*</abbr></dt>`, `<dt>Email <abbr title="required">*</abbr></dt>`, "Title <abbr", "No rule gives it")
	w.not(a, "Of late")
	list := w.tried(7, func(i int, x *connector.Attempt) {
		skewed(x, int64(400+100*i))
		if i == 3 {
			x.Reason = connector.MemberStatusPresent
		}
		if i > 4 {
			x.Code, x.Reason = 31, connector.NoSeat
		}
	})
	a = b.get("/sso/idps/entra")
	w.want(a, http.StatusOK, "Of late", `<dt>Last signed in</dt><dd><a href="/admin/sso/attempts/`+list[4].ID.String()+`">`, "3 minutes ago",
		"Auto account creation failed (31) no_seat</a>: 3", "Auto account creation failed (31) member_status_present</a>: 1", "idp=entra&amp;reason=no_seat&amp;since=1d",
		"With Member Status, of the last 7 sign-ins", "&#43;0.4\u00a0s to &#43;1.0\u00a0s, in the middle &#43;0.7\u00a0s", `<span class="pill good">OK</span>`)
	rows, err := csv.NewReader(strings.NewReader(b.get("/sso/attempts/export.csv").text)).ReadAll()
	if err != nil || rows[0][12] != "clock_difference_ms" || rows[1][12] != "1000" {
		t.Error(rows[0], rows[1], err)
	}
	w.want(b.get("/sso/attempts"), http.StatusOK, `<td class="num">&#43;1.0`+"\u00a0s</td>")
	w.want(b.get("/sso/attempts/"+list[6].ID.String()), http.StatusOK, "&#43;1.0\u00a0s", "identity provider’s clock is ahead")

	// A clock that is ahead is told before it keeps anybody out, and who came last is looked for behind those that are counted.
	w.now = w.now.Add(20 * time.Minute)
	w.tried(15, func(_ int, x *connector.Attempt) {
		skewed(x, -31000)
		x.Code, x.Reason, x.Test = 31, connector.NoSeat, nil
	})
	a = b.get("/sso/idps/entra")
	w.want(a, http.StatusOK, "−31.0\u00a0s to &#43;1.0\u00a0s", `<span class="pill warn">Set the clocks</span>`, list[4].ID.String())
	w.now = w.now.Add(20 * time.Minute)
	w.tried(19, func(_ int, x *connector.Attempt) { x.Code, x.Reason = 31, connector.NoSeat })
	w.now = w.now.Add(20 * time.Minute)
	b = w.as("auditor")
	w.tried(19, func(_ int, x *connector.Attempt) { x.Test, x.Code = &connector.AttemptTest{By: "root"}, 0 })
	w.want(b.get("/sso/idps/entra"), http.StatusOK, `<dt>Last signed in</dt><dd><a href="/admin/sso/attempts/`+list[4].ID.String()+`">`)
	w.want(b.get("/sso/idps/entra?lang=pl"), http.StatusOK, "Ostatnie udane logowanie")
	w.org.Source("entra").OnlyKnown = true
	w.not(b.get("/sso/idps/entra"), "Attributes that it has to send")
}

func TestSignInsOfLateInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signsIn("entra", &sources.SignOn{Base: "https://login.acme.test/saml/acme/entra", Keep: time.Hour, Skew: time.Minute})
	list := w.tried(12, func(i int, x *connector.Attempt) { skewed(x, int64(12000-4000*i)) })
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/sso/idps/entra", "owner")
	b.Await(".pill.warn", "Set the clocks")
	shoot(t, b, srv.URL, "/sso/idps/entra", "idp")
	shoot(t, b, srv.URL, "/sso/attempts", "attempts")
	shoot(t, b, srv.URL, "/sso/attempts/"+list[1].ID.String(), "attempt")
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
