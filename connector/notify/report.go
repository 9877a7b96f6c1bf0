package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/wording"
)

// section is one notice in words.
type section struct {
	Title, When   string
	Lines         []string
	Items         []item
	After         []string
	Open, Address string // where the console shows it; "" = nowhere
}

// item is a line of a list, with steps that help.
type item struct {
	Text  string
	Steps []string
}

// plain is the section as plain text.
func (s *section) plain() string {
	var b strings.Builder
	b.WriteString(s.Title + "\n" + s.When + "\n")
	for _, line := range s.Lines {
		b.WriteString(line + "\n")
	}
	for _, i := range s.Items {
		b.WriteString("  - " + i.Text + "\n")
		for _, step := range i.Steps {
			b.WriteString("      " + step + "\n")
		}
	}
	for _, line := range s.After {
		b.WriteString(line + "\n")
	}
	if s.Address != "" {
		b.WriteString(s.Open + ": " + s.Address + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// Report puts notices in words, for administrators. They lead to the console where it has a public address, otherwise to a command.
func (t *Texts) Report(m connector.Mail, org *connector.Organization, console string) (Letter, error) {
	var notices []connector.Notice
	if err := json.Unmarshal([]byte(m.Values["notices"]), &notices); err != nil || len(notices) == 0 {
		return Letter{}, fmt.Errorf("notify: a report without notices: %w", err)
	}
	more := 0
	if text := m.Values["more"]; text != "" {
		var err error
		if more, err = strconv.Atoi(text); err != nil {
			return Letter{}, fmt.Errorf("notify: %w", err)
		}
	}
	lang := language(&m, org)
	w := reportWords{t: t, texts: t.kinds[connector.ReportMail], lang: lang, console: console}
	c := content{Lang: lang, Organization: failure.Clean(org.Name), Greeting: t.common.Text(lang, "stranger", nil)}
	for i := range notices {
		c.Sections = append(c.Sections, w.section(&notices[i]))
	}
	data := map[string]any{"Organization": c.Organization, "First": c.Sections[0].Title, "N": len(notices) + more - 1}
	c.Subject = w.texts.Text(lang, "subject", data)
	if len(notices)+more > 1 {
		c.Subject = w.texts.Count(lang, "subject_more", len(notices)+more-1, data)
	}
	c.Heading = w.count("heading", len(notices)+more, nil)
	if more > 0 {
		c.After = append(c.After, w.count("more", more, nil))
	}
	c.Footer = []string{w.say("why", nil)}
	return t.letter(&c)
}

// reportWords words notices in one language.
type reportWords struct {
	t       *Texts
	texts   *failure.Texts
	lang    string
	console string
}

// words are what a text has places for.
type words map[string]any

func (w *reportWords) say(key string, data words) string { return w.texts.Text(w.lang, key, data) }

func (w *reportWords) count(key string, n int, data words) string {
	all := words{"N": n}
	maps.Copy(all, data)
	return w.texts.Count(w.lang, key, n, all)
}

func moment(at time.Time) string { return at.UTC().Format(time.DateOnly+" 15:04") + " UTC" }

func (w *reportWords) section(n *connector.Notice) section {
	s := section{When: moment(n.At)}
	if n.Data.Test {
		s.Lines = append(s.Lines, w.say("test", nil))
	}
	d := &n.Data
	source := words{"Source": failure.Clean(d.Source)}
	if !whole(n) { // a newer version has written it
		s.Title = string(n.Kind)
		return s
	}
	switch n.Kind {
	case connector.NoticeRunChanged, connector.NoticePeople, connector.NoticeRunFailed, connector.NoticeRunHeld:
		w.run(&s, n, source)
	case connector.NoticeQuarantined:
		w.trouble(&s, d, source)
	case connector.NoticeRecovered:
		s.Title = w.say("kinds.source.recovered.title", source)
		s.Lines = append(s.Lines, w.say("kinds.source.recovered.text", nil))
	case connector.NoticeSeats:
		x := words{"Package": failure.Clean(d.Seats.Package), "Used": d.Seats.Used, "Total": d.Seats.Total, "Waiting": d.Seats.Waiting}
		s.Title = w.count("kinds.seats.low.title", d.Seats.Free, x)
		s.Lines = append(s.Lines, w.say("kinds.seats.low.text", x))
	case connector.NoticeEnds:
		w.ends(&s, d.End, source)
	case connector.NoticeOutbox:
		s.Title = w.say("kinds.outbox.failing.title", nil)
		if d.Mails.GivenUp > 0 {
			s.Lines = append(s.Lines, w.count("kinds.outbox.failing.given_up", d.Mails.GivenUp, nil))
		}
		if d.Mails.Stuck {
			s.Lines = append(s.Lines, w.say("kinds.outbox.failing.stuck", nil))
		}
	case connector.NoticeDomain:
		w.proof(&s, d.Domain)
	}
	if n.Kind != connector.NoticeRunChanged && d.Suppressed > 0 {
		s.After = append(s.After, w.count("suppressed", d.Suppressed, nil))
	}
	if w.console != "" {
		s.Open, s.Address = w.say("open", nil), w.console+n.Path()
	} else {
		s.After = append(s.After, w.say("command", words{"Text": n.Command()}))
	}
	return s
}

// whole reports whether a notice has what is told of its kind.
func whole(n *connector.Notice) bool {
	d := &n.Data
	switch n.Kind {
	case connector.NoticeRunChanged, connector.NoticePeople, connector.NoticeRunFailed:
		return d.Run != nil
	case connector.NoticeRunHeld:
		return d.Run != nil && d.Hold != nil
	case connector.NoticeQuarantined:
		return d.Trouble != nil
	case connector.NoticeRecovered:
		return true
	case connector.NoticeSeats:
		return d.Seats != nil
	case connector.NoticeEnds:
		return d.End != nil
	case connector.NoticeOutbox:
		return d.Mails != nil
	case connector.NoticeDomain:
		return d.Domain != nil
	}
	return false
}

// run words what a run did.
func (w *reportWords) run(s *section, n *connector.Notice, source words) {
	d := &n.Data
	c := d.Run.Counts
	switch n.Kind { //nolint:exhaustive // of runs
	case connector.NoticeRunChanged:
		s.Title = w.count("kinds.run.changed.title", c.Changed(), source)
		s.Items = w.counts(c)
		if d.Suppressed > 0 {
			s.After = append(s.After, w.count("same_failed", c.Failed, nil))
		}
	case connector.NoticePeople:
		s.Title = w.count("kinds.run.people_failed.title", c.Failed, source)
		for _, f := range d.Failures {
			s.Items = append(s.Items, w.failure(n, f))
		}
	case connector.NoticeRunFailed:
		s.Title = w.say("kinds.run.failed.title", source)
		if d.Run.Result == connector.ResultPartial {
			s.Title = w.say("kinds.run.failed.partial", source)
		}
		w.cause(s, d)
		if d.Run.Counts.Deactivated+d.Run.Counts.Deleted == 0 {
			s.Lines = append(s.Lines, w.say("kinds.run.failed.text", nil))
		}
	case connector.NoticeRunHeld:
		if d.Hold.Groups != nil {
			w.heldGroups(s, n, source)
			return
		}
		s.Title = w.count("kinds.run.held.title", d.Hold.People, source)
		s.Lines = append(s.Lines, w.say("cause", words{"Text": w.told(d.Why)}))
		if !d.Hold.Expires.IsZero() {
			s.Lines = append(s.Lines, w.say("kinds.run.held.until", words{"Until": moment(d.Hold.Expires)}))
		}
		s.After = append(s.After, w.say("kinds.run.held.decide", words{"Run": d.Run.ID.Short()}))
	}
}

// heldGroups words what would become of groups that were left as they are.
func (w *reportWords) heldGroups(s *section, n *connector.Notice, source words) {
	h := n.Data.Hold
	s.Title = w.say("kinds.run.held.groups", source)
	s.Lines = append(s.Lines, w.say("cause", words{"Text": w.told(n.Data.Why)}))
	for _, x := range []struct {
		key string
		n   int
	}{
		{"created", h.Groups.Created},
		{"updated", h.Groups.Updated},
		{"deleted", h.Groups.Deleted},
		{"members_added", h.Groups.MembersAdded},
		{"members_removed", h.Groups.MembersRemoved},
	} {
		if x.n > 0 {
			s.Items = append(s.Items, item{Text: w.say("groups."+x.key, words{"N": x.n})})
		}
	}
	if h.Accept == "" {
		s.After = append(s.After, w.say("kinds.run.held.never", nil))
		return
	}
	command := "usherd sync --org " + failure.Clean(n.Org) + " --source " + failure.Clean(n.Data.Source) + " --accept-groups " + failure.Clean(h.Accept)
	s.After = append(s.After, w.say("kinds.run.held.accept", words{"Text": command}))
}

// counts lists what is not zero.
func (w *reportWords) counts(c connector.Counts) (list []item) {
	for _, x := range []struct {
		key string
		n   int
	}{
		{"created", c.Created},
		{"updated", c.Updated},
		{"reactivated", c.Reactivated},
		{"deactivated", c.Deactivated},
		{"deleted", c.Deleted},
		{"failed", c.Failed},
		{"held", c.Held},
	} {
		if x.n > 0 {
			list = append(list, item{Text: w.say("counts."+x.key, words{"N": x.n})})
		}
	}
	return list
}

// failure is one reason, with what helps.
func (w *reportWords) failure(n *connector.Notice, f connector.NoticeFailure) item {
	x := connector.Failure{Code: f.Code, Reason: f.Reason, Package: f.Package, Domain: f.Domain, Org: n.Org, Source: n.Data.Source}
	text := w.t.catalogue.Text(x, w.lang)
	return item{Text: w.count("failure", f.People, words{"Title": text.Title, "Reason": failure.Clean(string(f.Reason))}), Steps: text.Remedy}
}

// told is what a run has said, which is kept in English.
func (w *reportWords) told(text string) string { return failure.Clean(wording.Say(w.lang, text)) }

// cause tells why something failed, and what helps: words of usherd, and of servers in English.
func (w *reportWords) cause(s *section, d *connector.NoticeData) {
	if d.Error != "" {
		s.Lines = append(s.Lines, w.say("cause", words{"Text": w.told(d.Error)}))
	}
	if d.Hint != "" {
		s.Lines = append(s.Lines, w.say("hint", words{"Text": w.told(d.Hint)}))
	}
}

func (w *reportWords) trouble(s *section, d *connector.NoticeData, source words) {
	s.Title = w.say("kinds.source.quarantined.title", source)
	s.Lines = append(s.Lines, w.count("kinds.source.quarantined.text", d.Trouble.Runs, words{"Since": moment(d.Trouble.Since)}))
	if d.Trouble.Refused {
		s.Lines = append(s.Lines, w.say("kinds.source.quarantined.refused", nil))
	}
	w.cause(s, d)
}

func (w *reportWords) ends(s *section, e *connector.NoticeEnd, source words) {
	what := words{"What": w.say("kinds.expiry.soon.what."+e.What, source)}
	if e.Days > 0 {
		s.Title = w.count("kinds.expiry.soon.title", e.Days, what)
	} else {
		s.Title = w.say("kinds.expiry.soon.today", what)
	}
	s.Lines = append(s.Lines, w.say("kinds.expiry.soon.text", words{"Name": failure.Clean(e.Name), "Ends": moment(e.Ends)}),
		w.say("hint", words{"Text": w.say("kinds.expiry.soon.do."+e.What, nil)}))
}

func (w *reportWords) proof(s *section, p *connector.NoticeProof) {
	s.Title = w.say("kinds.domain.failing.title", words{"Domain": failure.Clean(p.Name)})
	key, x := "kinds.domain.failing.lost", words{"Domain": failure.Clean(p.Name)}
	if !p.KeptUntil.IsZero() {
		key, x["Until"] = "kinds.domain.failing.kept", moment(p.KeptUntil)
	}
	s.Lines = append(s.Lines, w.say(key, x))
}
