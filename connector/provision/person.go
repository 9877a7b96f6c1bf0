package provision

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"usherd/connector"
)

// Step is one station of one person's way, for `--person`.
type Step struct {
	Name   string `json:"step"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	// Say is Detail as the key of a text, with what is put into it: for who reads another language.
	Say   string            `json:"-"`
	About map[string]string `json:"-"`
}

// station makes one; about are names and values in turn.
func station(name string, ok bool, detail, say string, about ...string) Step {
	s := Step{Name: name, OK: ok, Detail: detail, Say: say, About: make(map[string]string, len(about)/2)}
	for i := 0; i+1 < len(about); i += 2 {
		s.About[about[i]] = about[i+1]
	}
	return s
}

// PersonRequest names one person of a source.
type PersonRequest struct {
	Source   string
	From     connector.Source
	Key      string // user name, e-mail, DN or anchor
	Preview  bool   // decide, write nothing
	Actor    string
	Revision string
}

// Person is what became of one person, step by step.
type Person struct {
	Run    *connector.Run
	Change *connector.Change // nil when nobody was found
	Steps  []Step

	Record *connector.Record // that the source has; nil when nobody was found
	Mapped connector.Mapped  // of the record
	User   *connector.User   // whom the record is about, as it was before; nil = there was none
}

// Person runs one person through the house: found, in scope, matched, mapped, rules, seat, state,
// stored. A person who has an account and is gone from the source, by the source's own word, is
// deactivated like in a full run.
func (p *Provisioner) Person(ctx context.Context, req PersonRequest) (*Person, error) {
	now := p.o.Now()
	out := &Person{Run: &connector.Run{
		ID: connector.NewID(now), Org: p.o.Org.ID, Source: req.Source, Mode: connector.ModePerson, Actor: req.Actor,
		Result: connector.ResultOK, Started: now, Revision: req.Revision, Skips: map[connector.SkipReason]int{},
	}}
	rec, found, err := p.find(ctx, req)
	if err != nil {
		return nil, err
	}
	out.Steps = append(out.Steps, found)
	if rec == nil {
		out.Run.Result, out.Run.Error = connector.ResultFailed, found.Detail
		return out, p.endPerson(ctx, req, out)
	}
	out.Run.Entries = 1
	var d *decision
	if req.Preview {
		d, err = p.decideOne(ctx, p.o.Store, req.Source, rec)
	} else {
		d, err = p.submit(ctx, constant(req.Source, rec, connector.Cause{Kind: connector.CauseRun, Run: out.Run.ID, Actor: req.Actor}))
	}
	if err != nil {
		return nil, err
	}
	out.Change, out.Record, out.Mapped, out.User = d.change, rec, d.mapped, d.user
	out.Run.Counts.Add(d.change)
	if d.change.Skip != "" {
		out.Run.Skips[d.change.Skip]++
	}
	out.Steps = append(out.Steps, d.steps(req.Preview)...)
	if err := p.endPerson(ctx, req, out); err != nil {
		return nil, err
	}
	return out, p.offerFreed(ctx, d.change)
}

func (p *Provisioner) endPerson(ctx context.Context, req PersonRequest, out *Person) error {
	out.Run.Finished = p.o.Now()
	if req.Preview {
		return nil
	}
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		if out.Change != nil && memorable(out.Change) {
			if err := tx.PutOutcomes(ctx, out.Run.ID, []*connector.Change{out.Change}); err != nil {
				return err
			}
		}
		return tx.PutRun(ctx, out.Run)
	})
}

// find asks the source for the key, and for the anchor of the user that the store knows by it.
func (p *Provisioner) find(ctx context.Context, req PersonRequest) (*connector.Record, Step, error) {
	records, err := req.From.Find(ctx, req.Key)
	if err != nil {
		return nil, Step{}, err
	}
	switch len(records) {
	case 1:
		return records[0].Clone(), station("found", true, records[0].DN, "found", "DN", records[0].DN), nil
	case 0:
		return p.lost(ctx, req)
	}
	var dns []string
	for _, r := range records {
		dns = append(dns, r.DN)
	}
	return nil, station("found", false, fmt.Sprintf("%q fits %d entries: %s; name one by its DN or anchor", req.Key, len(records), strings.Join(dns, "; ")),
		"found_many", "Key", req.Key, "DNs", strings.Join(dns, "; ")), nil
}

// lost looks for a person whom the source does not find any more by the name that the user has.
func (p *Provisioner) lost(ctx context.Context, req PersonRequest) (*connector.Record, Step, error) {
	none := station("found", false, fmt.Sprintf("nobody in %s has the user name, e-mail, DN or anchor %q", req.Source, req.Key), "found_nobody", "Key", req.Key)
	folded := connector.Fold(req.Key)
	users, err := p.o.Store.UsersByKey(ctx, p.o.Org.ID, []connector.UserKey{
		{Kind: connector.UserName, Value: folded}, {Kind: connector.Email, Value: folded},
	})
	if err != nil || len(users) != 1 {
		return nil, none, err
	}
	links, err := p.o.Store.LinksOfUsers(ctx, p.o.Org.ID, []connector.ID{users[0].ID})
	if err != nil {
		return nil, none, err
	}
	for _, l := range links {
		if l.Source != req.Source {
			continue
		}
		rec, presence, err := req.From.Lookup(ctx, l.Anchor)
		switch {
		case err != nil:
			return nil, none, err
		case rec != nil:
			return rec.Clone(), station("found", true, "by its anchor: "+rec.DN, "found_anchor", "DN", rec.DN), nil
		case presence == connector.PresenceGone:
			return &connector.Record{Anchor: l.Anchor, DN: l.DN, Gone: true}, station("found", true, "deleted in the directory: "+l.DN, "found_deleted", "DN", l.DN), nil
		}
		none.Detail += "; its entry was " + l.DN + ", and the directory cannot say that it is gone: nothing is changed"
	}
	return nil, none, nil
}

// steps tells the way of a decided person.
func (d *decision) steps(preview bool) []Step {
	rec, ch := d.rec, d.change
	s := []Step{scopeStep(rec)}
	switch {
	case d.user == nil && !d.rival.IsZero() && ch.Action == connector.Failed:
		s = append(s, station("matched", false, "another entry of this source holds the user", "matched_rival"))
	case d.user == nil:
		s = append(s, station("matched", true, "nobody: a new user", "matched_nobody"))
	case d.link == nil:
		s = append(s, station("matched", true, "user "+d.user.Profile.Subject()+" by a matching attribute", "matched_attribute", "User", d.user.Profile.Subject()))
	default:
		s = append(s, station("matched", true, "user "+d.user.Profile.Subject()+" by its link", "matched_link", "User", d.user.Profile.Subject()))
	}
	s = append(s, station("mapped", len(d.mapped.Faults) == 0, fmt.Sprintf("%d attributes", len(d.mapped.Profile)), "mapped", "Attributes", strconv.Itoa(len(d.mapped.Profile))))
	s = append(s, rulesStep(ch), seatStep(ch))
	for _, t := range ch.Transitions {
		s = append(s, station("state", true, fmt.Sprintf("%s -> %s (%s)", orNone(string(t.From)), t.To, t.Signal), "state_to", "To", string(t.To)))
	}
	if len(ch.Transitions) == 0 && d.user != nil {
		s = append(s, station("state", true, "stays "+string(d.user.State), "state_stays", "To", string(d.user.State)))
	}
	stored := string(ch.Action)
	if ch.Skip != "" {
		stored += ": " + string(ch.Skip)
	}
	switch {
	case preview && ch.Action == connector.Failed:
		stored = "would fail (preview: nothing is changed)"
	case preview:
		stored = "would be " + stored + " (preview: nothing is changed)"
	}
	return append(s, station("stored", ch.Action != connector.Failed, stored, "stored", "Action", string(ch.Action), "Skip", string(ch.Skip)))
}

func scopeStep(rec *connector.Record) Step {
	switch {
	case rec.Gone:
		return station("in scope", false, "gone", "scope_gone")
	case rec.OutOfScope != "":
		return station("in scope", false, rec.OutOfScope, "scope_out", "Why", rec.OutOfScope)
	case rec.Enabled == connector.EnabledNo:
		return station("in scope", true, "yes; "+rec.EnabledReason, "scope_off", "Why", rec.EnabledReason)
	}
	return station("in scope", true, "yes", "scope_in")
}

func rulesStep(ch *connector.Change) Step {
	var reasons []string
	for _, f := range ch.Failures {
		if f.Reason != connector.NoSeat {
			reasons = append(reasons, fmt.Sprintf("%s (%d) %s", f.Reason, f.Code, strings.Join(f.Fields, ", ")))
		}
	}
	if len(reasons) > 0 {
		return station("rules", false, strings.Join(reasons, "; "), "rules_broken")
	}
	return station("rules", true, "all kept", "rules_kept")
}

func seatStep(ch *connector.Change) Step {
	switch {
	case waitsStill(ch):
		return station("seat", false, "no free seat in package "+ch.Failures[0].Package, "seat_waits", "Package", ch.Failures[0].Package)
	case ch.TakeSeat != "":
		return station("seat", true, "takes one of package "+ch.TakeSeat, "seat_takes", "Package", ch.TakeSeat)
	case ch.FreeSeat != "":
		return station("seat", true, "frees one of package "+ch.FreeSeat, "seat_frees", "Package", ch.FreeSeat)
	}
	return station("seat", true, "none needed", "seat_none")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

var errNobody = errors.New("there is no such user")
