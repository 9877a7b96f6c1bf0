package console

import (
	"slices"
	"strings"
	"sync"
	"time"

	"usherd/connector"
	"usherd/connector/system"
)

// banner is what everybody should know on each page, with the way to what can be done.
type banner struct {
	Kind    string // as of a pill: bad or warn
	Text    string
	Link    string // what the way is called; "" = there is none
	Address string
}

const (
	// bannersFor is how long what the banners tell is taken for true.
	bannersFor = 5 * time.Second
	// endsSoon is how long before its end somebody is told of a certificate.
	endsSoon = 30 * 24 * time.Hour
	// endsNow is how long before its end it is told as urgent.
	endsNow = 7 * 24 * time.Hour
)

// alerts is what the banners of an organization are made of.
type alerts struct {
	at       time.Time
	held     int
	groups   []*connector.Run // the last full run of each source whose groups it left as they were
	standing *system.Standing // nil = there is no daemon to ask
	tokens   []connector.Token
	full     []connector.SeatCount
}

// watch keeps alerts by organization, so that a page costs none of the questions.
type watch struct {
	mu  sync.Mutex
	all map[string]*alerts
}

// get is what is known of an organization, nil where it has to be asked for.
func (w *watch) get(org string, now time.Time) *alerts {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.all[org]; a != nil && now.Sub(a.at) < bannersFor && !now.Before(a.at) {
		return a
	}
	return nil
}

func (w *watch) put(org string, a *alerts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[string]*alerts{}
	}
	w.all[org] = a
}

// forget has everything asked anew: somebody has done something.
func (w *watch) forget(org string) { w.put(org, nil) }

// alerts asks for what the banners tell, or takes what was asked a moment ago.
func (v *visit) alerts() (*alerts, error) {
	if a := v.s.watch.get(v.id(), v.now); a != nil {
		return a, nil
	}
	ctx := v.r.Context()
	a := &alerts{at: v.now}
	var err error
	if a.held, err = v.heldRuns(); err != nil {
		return nil, err
	}
	for _, s := range v.org.Settings.Sources {
		if s.Kind != connector.Directory {
			continue
		}
		last, err := v.lastFull(s.ID)
		if err != nil {
			return nil, err
		}
		if last != nil && last.GroupHold != nil {
			a.groups = append(a.groups, last)
		}
	}
	if p := v.s.o.Program; p != nil {
		is, err := p.Standing(ctx, v.id())
		if err != nil {
			return nil, err
		}
		a.standing = &is
	}
	kinds := append(connector.LastingKinds(), connector.APIToken)
	if a.tokens, err = v.s.o.Store.Tokens(ctx, connector.TokenFilter{Org: v.id(), Kinds: kinds}); err != nil {
		return nil, err
	}
	a.tokens = slices.DeleteFunc(a.tokens, func(k connector.Token) bool { return k.StandingAt(v.now) != connector.TokenEnds })
	slices.SortFunc(a.tokens, func(x, y connector.Token) int { return x.EndsAt.Compare(y.EndsAt) })
	seats, err := v.s.o.Store.Seats(ctx, v.id())
	if err != nil {
		return nil, err
	}
	for _, n := range seats {
		if n.Seats != connector.Unlimited && n.Seats > 0 && n.Free() <= 0 {
			a.full = append(a.full, n)
		}
	}
	v.s.watch.put(v.id(), a)
	return a, nil
}

// banners are those of the organization, the most severe first. A page is shown without them where they cannot be had.
func (v *visit) banners() (list []banner) {
	a, err := v.alerts()
	if err != nil {
		v.logError("the banners", err)
		return nil
	}
	if a.held > 0 {
		list = append(list, v.banner("bad", v.s.pages.Count(v.lang, "banners.held", a.held), "/approvals"))
	}
	for _, r := range a.groups {
		b := v.banner("bad", v.t("banners.groups", map[string]string{"Source": r.Source}), "/runs")
		b.Link, b.Address = v.t("banners.look", nil), v.runAddress(r)
		list = append(list, b)
	}
	if is := a.standing; is != nil {
		for _, source := range is.Quarantined {
			list = append(list, v.banner("bad", v.t("banners.quarantine", map[string]string{"Source": source}), v.sourcePath(source)))
		}
		if is.Disk.Bad() {
			list = append(list, v.banner("bad", v.t("banners.disk", nil), "/config"))
		}
		if !is.Leads {
			list = append(list, v.standby(is))
		}
		for _, e := range is.Ends {
			if e.Ends.Sub(v.now) < endsSoon {
				list = append(list, v.ending("certificate", v.endingLabel(e), e.Ends, v.endingPath(e)))
			}
		}
	}
	for i := range a.tokens {
		list = append(list, v.ending("token", a.tokens[i].Name, a.tokens[i].EndsAt, "/tokens"))
	}
	for _, n := range a.full {
		name := n.Name
		if name == "" {
			name = n.Package
		}
		list = append(list, v.banner("warn", v.t("banners.full", map[string]string{"Package": name}), "/seats/"+n.Package))
	}
	slices.SortStableFunc(list, func(x, y banner) int { return strings.Compare(x.Kind, y.Kind) }) // bad before warn
	if v.r.URL.Path == "/" {
		return list
	}
	return v.few(list)
}

// mostBanners is how many are shown; the others are announced.
const mostBanners = 4

func (v *visit) few(list []banner) []banner {
	if more := len(list) - mostBanners; more > 0 {
		list = append(list[:mostBanners:mostBanners], v.banner("warn", v.s.pages.Count(v.lang, "banners.more", more), "/"))
	}
	return list
}

// banner is one with a way to a page that this person may see.
func (v *visit) banner(kind, text, path string) banner {
	b := banner{Kind: kind, Text: text}
	if v.reaches(path) && v.r.URL.Path != path {
		b.Link, b.Address = v.t("banners.look", nil), v.link(path)
	}
	return b
}

// reaches reports whether there is a page at a path, and this person may see it.
func (v *visit) reaches(path string) bool {
	pattern := path
	for _, list := range []string{"/sources/", "/seats/"} {
		if strings.HasPrefix(path, list) {
			pattern = list + map[string]string{"/sources/": "{source}", "/seats/": "{package}"}[list]
		}
	}
	p, there := v.s.permissionOf(pattern)
	return there && v.may(p)
}

// sourcePath is the page of a source, or that of its failed runs while there is none.
func (v *visit) sourcePath(source string) string {
	if path := "/sources/" + source; v.reaches(path) {
		return path
	}
	return "/runs"
}

func (v *visit) standby(is *system.Standing) banner {
	if is.Leader == "" {
		return v.banner("warn", v.t("banners.noleader", nil), "/system")
	}
	return v.banner("warn", v.t("banners.standby", map[string]string{"Leader": is.Leader}), "/system")
}

// ending tells of something that ends soon, or has.
func (v *visit) ending(what, name string, ends time.Time, path string) banner {
	kind, key := "warn", "banners."+what
	if ends.Sub(v.now) < endsNow {
		kind = "bad"
	}
	if ends.Before(v.now) {
		key += "over"
	}
	return v.banner(kind, v.t(key, map[string]string{"Name": name, "When": v.relative(ends)}), path)
}

// endingLabel names a certificate for people.
func (v *visit) endingLabel(e system.Ending) string {
	if e.Source == "" {
		return e.Name
	}
	return v.t("banners.of", map[string]string{"Name": e.Name, "Source": e.Source})
}

func (v *visit) endingPath(e system.Ending) string {
	if e.Source != "" {
		return v.sourcePath(e.Source)
	}
	return "/system"
}
