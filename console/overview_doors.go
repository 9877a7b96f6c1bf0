package console

import (
	"strconv"
	"time"

	"usherd/connector"
)

// doorRow is what came through one door within 24 hours.
type doorRow struct {
	Name, Kind       string
	Address          string
	Asked, AskedAt   string // attempts or requests, and the address of them
	Failed, FailedAt string
	AnyFailed        bool
	Reasons          []doorReason // of those that failed, the most frequent first
}

// doorReason is how many sign-ins were refused for one reason.
type doorReason struct{ Title, Count, Address string }

const (
	// doorCounted bounds how many sign-ins by one identity provider the overview counts.
	doorCounted = 2000
	// doorReasons is how many reasons it names.
	doorReasons = 3
)

// doors tells of the identity providers by which people sign in and of those that push.
func (v *visit) doors(p *overviewPage) error {
	since := v.now.Add(-24 * time.Hour)
	for _, s := range v.org.Settings.Sources {
		if v.org.SignOns[s.ID] != nil {
			n, err := v.s.o.Store.CountAttempts(v.r.Context(), v.id(), s.ID, since, doorCounted)
			if err != nil {
				return err
			}
			p.Doors = append(p.Doors, v.signOnDoor(s.ID, &n))
		}
		if _, pushes := v.org.Clients[s.ID]; pushes {
			n, err := v.s.o.Store.CountRequests(v.r.Context(), v.id(), s.ID, since)
			if err != nil {
				return err
			}
			p.Doors = append(p.Doors, doorRow{
				Name: s.ID, Kind: v.t("nav.scim", nil), Address: v.link("/scim/clients/" + s.ID),
				Asked: v.number(n.Requests), AskedAt: v.link("/scim/requests", "client", s.ID, "since", "1d"),
				Failed: v.number(n.Errors), FailedAt: v.link("/scim/requests", "client", s.ID, "status", "4xx-5xx", "since", "1d"), AnyFailed: n.Errors > 0,
				Reasons: v.throttled(s.ID, n.Throttled),
			})
		}
	}
	return nil
}

// throttled says how many requests of a client were one too many at a time.
func (v *visit) throttled(id string, n int) []doorReason {
	if n == 0 {
		return nil
	}
	return []doorReason{{Title: v.t("overview.doors.throttled", nil), Count: v.number(n), Address: v.link("/scim/requests", "client", id, "status", "429", "since", "1d")}}
}

func (v *visit) signOnDoor(id string, n *connector.AttemptCounts) doorRow {
	row := doorRow{
		Name: id, Kind: v.t("nav.sso", nil), Address: v.link("/sso/idps/" + id),
		Asked: v.number(n.Attempts), AskedAt: v.link("/sso/attempts", "idp", id, "since", "1d"),
		Failed: v.number(n.Refused), FailedAt: v.link("/sso/attempts", "idp", id, "result", resultRefused, "since", "1d"), AnyFailed: n.Refused > 0,
	}
	if n.Attempts == doorCounted {
		row.Asked += "+"
	}
	for _, r := range n.Reasons[:min(len(n.Reasons), doorReasons)] {
		code := strconv.Itoa(int(r.Code))
		row.Reasons = append(row.Reasons, doorReason{
			Title: v.s.catalogue.Title(r.Code, v.lang) + reasonBehind(r.Reason), Count: v.number(r.Count),
			Address: v.link("/sso/attempts", "idp", id, "code", code, "reason", string(r.Reason), "since", "1d"),
		})
	}
	return row
}

func reasonBehind(r connector.Reason) string {
	if r == "" {
		return ""
	}
	return " · " + string(r)
}
