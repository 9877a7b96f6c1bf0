package console

import (
	"time"

	"usherd/connector"
)

// nextSeats is whom the next run would leave without a seat of a package, as far as that is known without asking a directory.
type nextSeats struct {
	Again   string // of those who wait, by the seats that are free now
	Sources []nextOfSource
}

// nextOfSource is what the last look at a directory says about that.
type nextOfSource struct {
	Source, Address string
	Basis           string // what it rests on
	At              *instant
	Run             string // address of that; "" = there is none
	Found           string // how many would find no seat; "" = there is nothing to say it by
	Short           bool   // there is somebody
	People          []nextPerson
	More            string // address of all failures of the run, where there may be more; "" = these are all
	Preview         string // address where a preview is started; "" = this administrator starts none
}

type nextPerson struct{ Name, Address string }

// nextSeats looks at who waits now and at what the last preview of each directory has found; nil where seats never run out.
func (v *visit) nextSeats(n connector.SeatCount) (*nextSeats, error) {
	if _, configured := v.org.Settings.Package(n.Package); n.Seats == connector.Unlimited || !configured {
		return nil, nil //nolint:nilnil // nobody is left without one
	}
	x := &nextSeats{Again: v.t("seats.next.nobody", nil)}
	if n.Waiting > 0 {
		x.Again = v.t("seats.next.enough", nil)
	}
	if left := n.Waiting - n.Free(); left > 0 {
		x.Again = v.s.pages.Count(v.lang, "seats.next.again", left)
	}
	for _, source := range v.org.Settings.Sources {
		if source.Kind != connector.Directory {
			continue
		}
		row, err := v.nextOfSource(source.ID, n.Package)
		if err != nil {
			return nil, err
		}
		x.Sources = append(x.Sources, row)
	}
	return x, nil
}

func (v *visit) nextOfSource(source, pkg string) (nextOfSource, error) {
	row := nextOfSource{Source: source, Address: v.link("/sources/" + source), Basis: v.t("seats.next.never", nil)}
	if v.may(run) {
		row.Preview = v.link("/sources/" + source + "/preview")
	}
	r, err := v.lastLook(source)
	if err != nil || r == nil {
		return row, err
	}
	f := frame{v: v}
	row.At, row.Run = f.At(r.Finished), v.link("/runs/"+r.ID.String())
	if !showsNext(r, v.now) {
		row.Basis = v.t("seats.next.applied", nil)
		return row, nil
	}
	row.Basis = v.t("seats.next.looked", nil)
	if r.Mode != connector.ModePreview {
		row.Basis = v.t("seats.next.held", nil)
	}
	return row, v.withoutSeat(&row, r, pkg)
}

// lastLook is the last run that has read a whole directory to its end, nil where there is none among the last.
func (v *visit) lastLook(source string) (*connector.Run, error) {
	list, err := v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Source: source, Limit: stripLength})
	for _, r := range list {
		whole := r.Mode == connector.ModePreview || r.Mode == connector.ModeFull
		if whole && r.Result != connector.ResultRunning && r.Result != connector.ResultFailed && r.Result != connector.ResultCancelled {
			return r, err
		}
	}
	return nil, err
}

// showsNext reports whether a run tells what the next one would do: a preview does, and one that waits as a whole. Whom another has
// left without a seat waits for one.
func showsNext(r *connector.Run, now time.Time) bool {
	return r.Mode == connector.ModePreview || r.Hold.Open(now) && r.Hold.Whole
}

// withoutSeat finds the first people of a run who would find no seat of the package.
func (v *visit) withoutSeat(row *nextOfSource, r *connector.Run, pkg string) error {
	next := ""
	if r.Counts.Failed > 0 {
		var err error
		next, err = scan(connector.ID{}, func(after connector.ID, limit int) ([]connector.Outcome, error) {
			return v.s.o.Store.Outcomes(v.r.Context(), r.ID, after, limit)
		}, func(o connector.Outcome) (connector.ID, bool) {
			short := findsNoSeat(o.Change, pkg)
			if short {
				row.People = append(row.People, v.nextPerson(o.Change))
			}
			return o.ID, short
		})
		if err != nil {
			return err
		}
	}
	if next != "" {
		row.More = v.link("/runs/"+r.ID.String(), "tab", "failures")
	}
	switch n := len(row.People); {
	case n == 0 && next == "":
		row.Found = v.t("seats.next.none", nil)
	case n == 0:
		row.Found = v.t("seats.next.part", nil)
	case next == "":
		row.Found, row.Short = v.s.pages.Count(v.lang, "seats.next.found", n), true
	default: // not all failures were looked at
		row.Found, row.Short = v.t("seats.next.least", map[string]string{"Number": v.number(n)}), true
	}
	return nil
}

func findsNoSeat(ch *connector.Change, pkg string) bool {
	for _, f := range ch.Failures {
		if f.Reason == connector.NoSeat && f.Package == pkg {
			return true
		}
	}
	return false
}

func (v *visit) nextPerson(ch *connector.Change) nextPerson {
	p := nextPerson{Name: v.personal(ch.Subject)}
	if ch.Subject == "" {
		p.Name = v.personal(ch.DN)
	}
	if ch.After != nil && ch.BaseVersion > 0 {
		p.Address = v.link("/users/" + ch.After.ID.String())
	}
	return p
}
