package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
)

const (
	// selectionStep is how many of a selection are done between two notes of how far it is. As many are done while the browser waits.
	selectionStep = 250
	// stalled is after how long without a note nobody can be at work on a selection any more.
	stalled = 2 * time.Minute
)

// works reports whether a selection is being carried out, by whatever process.
func (v *visit) works(s *connector.Selection) bool {
	return !s.Begun.IsZero() && !s.Over() && v.now.Sub(s.Begun) < stalled
}

// labour is a selection that is carried out: it may outlive the request that asked for it.
type labour struct {
	s       *Server
	l       *listing
	d       *bulk
	org     *Organization
	text    func(key string, data any) string
	words   func(error) string
	request string
	down    map[string]string // sources that did not answer, with what was told then
}

// toldError is one that is told as it is, in the language of who asked.
type toldError string

func (e toldError) Error() string { return string(e) }

// labour carries a selection out: a short one while the browser waits, a long one as what goes on.
func (v *visit) labour(s *connector.Selection, l *listing, d *bulk) {
	w := &labour{s: v.s, l: l, d: d, org: v.org, text: v.t, words: v.words, down: map[string]string{}, request: v.w.Header().Get("X-Request-Id")}
	ctx := context.WithoutCancel(v.r.Context()) // it goes on when the browser does not wait
	if len(s.IDs) <= d.steps() || v.s.o.Go == nil {
		w.carryOut(ctx, context.WithoutCancel(ctx), s)
		return
	}
	v.s.o.Go(func(stop context.Context) { w.carryOut(ctx, stop, s) })
}

// carryOut goes on with a selection to its end, or until stop ends or somebody else has taken it over: then that one goes on where it was.
func (w *labour) carryOut(ctx, stop context.Context, s *connector.Selection) {
	ours, err := true, error(nil)
	if w.s.o.Now().Sub(s.Begun) > stalled/2 { // it has waited long for its turn
		ours, err = w.s.o.Store.MoveSelection(ctx, s, w.s.o.Now())
	}
	for ours && err == nil && stop.Err() == nil && !s.Over() {
		err = w.step(ctx, stop, s)
		var wrong error
		ours, wrong = w.s.o.Store.MoveSelection(ctx, s, w.s.o.Now())
		err = errors.Join(err, wrong)
	}
	if err != nil {
		w.s.o.Log.Error("a selection could not be carried out to its end: its page goes on with it", zap.String("org", s.Org), zap.String("selection", s.ID.String()), zap.Error(err))
	}
}

// steps is how many are done between two notes.
func (d *bulk) steps() int { return cmp.Or(d.step, selectionStep) }

// step does the next few. The error is one that concerns all of them.
func (w *labour) step(ctx, stop context.Context, s *connector.Selection) error {
	ids := s.IDs[len(s.Done):min(len(s.Done)+w.d.steps(), len(s.IDs))]
	list, err := w.s.chosen(ctx, w.l, s.Org, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if stop.Err() != nil {
			return nil //nolint:nilerr // the rest is for somebody else
		}
		out := connector.SelectionOutcome{ID: id}
		i := slices.IndexFunc(list, func(x chosen) bool { return x.id == id })
		if i < 0 || !w.d.fits(w.org.Settings, list[i]) {
			out.Left = true
		} else {
			out.Changed, out.Failure, err = w.d.do(ctx, w, list[i], s)
		}
		var told toldError
		switch kind := connector.KindOf(err); {
		case err == nil:
		case errors.As(err, &told):
			out.Fault = string(told)
		case kind == connector.Unavailable:
			return err
		case kind == connector.NotFound: // it was there a moment ago
			out.Left = true
		case kind == connector.Internal:
			out.Fault = w.s.logFault("selection", s.Org, w.request, err)
		default:
			out.Fault = w.words(err)
		}
		err = nil
		s.Done = append(s.Done, out)
	}
	return nil
}

// outcomeRow is one whom it was not done to, with what refused it.
type outcomeRow struct {
	Who   selectedRow
	Card  *failCard
	Fault string
}

// showOutcome says what came of a selection: how many are changed, and who is not and why; or how far it is.
func (v *visit) showOutcome(s *connector.Selection, l *listing, d *bulk) {
	f := frame{v: v}
	fr, p := v.selectionFrame(l, d), selectionPage{Back: v.link(l.path), Until: f.At(s.Until), Share: 100 * len(s.Done) / len(s.IDs)}
	switch done := map[string]string{"Done": v.number(len(s.Done)), "All": v.number(len(s.IDs))}; {
	case s.Over():
		p.Share = 100
	case v.works(s):
		p.Summary, fr.Refresh = v.t("people.select.goeson", done), 5
	default:
		p.Summary, p.Broken = v.t("people.select.broken", done), true
		p.Button = v.s.pages.Count(v.lang, "people.select.goon", len(s.IDs)-len(s.Done))
	}
	if s.Over() {
		if err := v.tellOutcome(&p, s, l, d); err != nil {
			v.accident("selection", err)
			return
		}
	}
	v.show(http.StatusOK, "selection", fr, p)
}

// tellOutcome counts what came of a selection that is over, and names who was refused, a page at a time.
func (v *visit) tellOutcome(p *selectionPage, s *connector.Selection, l *listing, d *bulk) error {
	changed, reasons := 0, map[connector.Reason]int{}
	var refused []connector.SelectionOutcome
	for _, x := range s.Done {
		switch {
		case x.Changed:
			changed++
		case x.Failure != nil:
			reasons[x.Failure.Reason]++
			refused = append(refused, x)
		case x.Fault != "":
			refused = append(refused, x)
		}
	}
	p.Summary = v.s.pages.Count(v.lang, l.key("done", d), changed)
	if len(refused) > 1 {
		for r, n := range reasons {
			p.Reasons = append(p.Reasons, tile{Text: string(r), Number: v.number(n), Kind: "bad", Share: -1})
		}
		slices.SortFunc(p.Reasons, func(a, b tile) int { return reasons[connector.Reason(b.Text)] - reasons[connector.Reason(a.Text)] })
	}
	from, _ := strconv.Atoi(v.after()) // what is none begins at the begin
	from = min(max(from, 0), len(refused))
	page, next := refused[from:min(from+perPage, len(refused))], ""
	if from+perPage < len(refused) {
		next = strconv.Itoa(from + perPage)
	}
	p.Pager = v.pager(next, len(page))
	return v.nameRefused(p, page, s, l)
}

// nameRefused shows these with what refused each.
func (v *visit) nameRefused(p *selectionPage, page []connector.SelectionOutcome, s *connector.Selection, l *listing) error {
	ids := make([]connector.ID, len(page))
	for i, x := range page {
		ids[i] = x.ID
	}
	list, err := v.s.chosen(v.r.Context(), l, s.Org, ids)
	for _, x := range page {
		i := slices.IndexFunc(list, func(c chosen) bool { return c.id == x.ID })
		row := outcomeRow{Fault: x.Fault}
		switch {
		case i >= 0:
			row.Who = l.row(v, list[i])
		case l.lost != nil && x.Failure != nil:
			row.Who = l.lost(v, x.Failure)
		default:
			continue
		}
		if x.Failure != nil {
			card := v.failCard(*x.Failure, x.Failure.At)
			row.Card = &card
		}
		p.Outcomes = append(p.Outcomes, row)
	}
	return err
}
