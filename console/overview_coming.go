package console

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
)

// seenRow is how many people failed for one reason within the last 24 hours.
type seenRow struct {
	Title, Reason string
	Code, People  string
	Address       string
	Latest        *instant
}

// seenFor is how far back the overview counts failures.
const seenFor = 24 * time.Hour

func (v *visit) seen(p *overviewPage) error {
	counts, err := v.s.o.Store.SeenItems(v.r.Context(), v.id(), v.now.Add(-seenFor))
	f := frame{v: v}
	for _, n := range counts {
		p.Seen = append(p.Seen, seenRow{
			Title: v.s.catalogue.Title(n.Code, v.lang), Reason: string(n.Reason), Code: v.link("/errors/" + strconv.Itoa(int(n.Code))),
			People: v.number(n.Count), Address: v.link("/failures", "reason", string(n.Reason)), Latest: f.At(n.Latest),
		})
	}
	return err
}

// comingRow is something that ends soon.
type comingRow struct {
	Text, Address string
	When          *instant
	Kind          string // as of a pill
	at            time.Time
}

const (
	claimsSoon = 14 * 24 * time.Hour
	mostComing = 8 // that the overview shows, the soonest
)

// coming is what ends within a month: certificates, tokens, and claims that nobody has decided.
func (v *visit) coming(p *overviewPage) error {
	a, err := v.alerts()
	if err != nil {
		return err
	}
	if a.standing != nil {
		for _, e := range a.standing.Ends {
			if e.Ends.Sub(v.now) < endsSoon {
				p.Coming = append(p.Coming, v.comingRow("certificate", v.endingLabel(e), e.Ends, v.endingPath(e)))
			}
		}
	}
	for i := range a.tokens {
		p.Coming = append(p.Coming, v.comingRow("token", a.tokens[i].Name, a.tokens[i].EndsAt, "/tokens"))
	}
	claims, err := v.s.o.Store.ClaimsDue(v.r.Context(), v.id(), v.now.Add(claimsSoon), mostComing)
	for i := range claims {
		p.Coming = append(p.Coming, v.comingRow("claim", v.personal(claims[i].Email), claims[i].Until, "/claims"))
	}
	slices.SortStableFunc(p.Coming, func(x, y comingRow) int { return x.at.Compare(y.at) })
	p.Coming = p.Coming[:min(len(p.Coming), mostComing)]
	return err
}

func (v *visit) comingRow(what, name string, at time.Time, path string) comingRow {
	f := frame{v: v}
	r := comingRow{Text: v.t("overview.coming."+what, map[string]string{"Name": name}), When: f.At(at), Kind: "wait", at: at}
	if at.Sub(v.now) < endsNow {
		r.Kind = "warn"
	}
	if v.reaches(path) {
		r.Address = v.link(path)
	}
	return r
}

// nextRun is when a source is read next by itself, zero = not, or that is not known here.
func (v *visit) nextRun(source string) time.Time {
	if a, err := v.alerts(); err == nil && a.standing != nil {
		return a.standing.Next[source]
	}
	return time.Time{}
}

// firstStep is one thing to do before the first run.
type firstStep struct {
	Done          bool
	Text, Address string
}

// firstSteps lead to the first run of an organization whose directories have never been read in full.
func (v *visit) firstSteps(cards []sourceCard) []firstStep {
	source, previewed := "", false
	for _, c := range cards {
		if c.kind != connector.Directory {
			continue
		}
		source = cmp.Or(source, c.ID)
		switch {
		case c.ran:
			return nil
		case c.previewed:
			previewed = true
		}
	}
	if source == "" {
		return nil
	}
	valid := true
	if a, err := v.alerts(); err == nil && a.standing != nil {
		valid = !a.standing.Disk.Bad()
	}
	steps := []firstStep{{Done: valid, Text: v.t("overview.first.valid", nil)}, {Done: previewed, Text: v.t("overview.first.preview", nil)}, {Text: v.t("overview.first.run", nil)}}
	if v.reaches("/config") {
		steps[0].Address = v.link("/config")
	}
	if v.may(run) {
		steps[1].Address = v.link("/runs/start", "what", source+" "+string(connector.ModePreview))
		steps[2].Address = v.link("/runs/start", "what", source+" "+string(connector.ModeFull))
	}
	if path := "/sources/" + source + "/connection"; v.may(run) && v.s.has("/sources/{source}/connection") {
		steps = slices.Insert(steps, 1, firstStep{Done: previewed, Text: v.t("overview.first.connect", nil), Address: v.link(path)})
	}
	return steps
}

// has reports whether there is a page at a pattern.
func (s *Server) has(pattern string) bool {
	_, there := s.permissionOf(pattern)
	return there
}
