package console

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"usherd/connector"
	"usherd/connector/sources"
)

// failing are the open failures of an organization.
var failing = &listing{
	path: "/failures", name: "failing", title: "nav.failures", texts: "failures.select", gone: "failures.select.gone", deeds: failureDeeds(),
	row: (*visit).failingRow, lost: (*visit).lostFailure, heads: []string{"users.name", "runs.source", "failures.reason", "failures.why"},
	all: func(v *visit) iter.Seq2[chosen, error] { return chosenOf(v.filteredItems(), ofItem) },
	load: func(ctx context.Context, s *Server, org string, ids []connector.ID) ([]chosen, error) {
		list, err := s.o.Store.OpenItemsByID(ctx, org, ids)
		return mapped(pointers(list), ofItem), err
	},
}

func ofItem(i *connector.OpenItem) chosen { return chosen{id: i.ID, item: i} }

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

func (v *visit) failingRow(x chosen) selectedRow {
	return v.failedRow(&x.item.Failure, x.item.Source)
}

// lostFailure is about somebody who failed for another reason than the one that was open: that is an entry of its own.
func (v *visit) lostFailure(f *connector.Failure) selectedRow { return v.failedRow(f, f.Source) }

func (v *visit) failedRow(f *connector.Failure, source string) selectedRow {
	return selectedRow{
		Address: v.link("/failures/" + f.Ref), Name: v.personal(f.Subject), Email: source, State: pill{string(f.Reason), "bad"},
		Package: v.s.catalogue.Title(f.Code, v.lang),
	}
}

// retryStep is how many are asked for between two notes: a directory may take its time for each.
const retryStep = 20

// failureDeeds are what can be done to many failures.
func failureDeeds() []bulk {
	return []bulk{
		{
			name: "retry", link: "failures.retry.link", permission: handle, step: retryStep, do: retryItem,
			fits: func(o *connector.Organization, x chosen) bool { return canAsk(o, x.item.Source) },
		},
		{
			name: "dismiss", link: "failures.dismiss.link", permission: decide, danger: true, reason: true, do: dismissItem,
			fits: func(*connector.Organization, chosen) bool { return true },
		},
	}
}

// retryItem asks the directory for the one person, as the page of the failure does. What was closed in between is left out: the person
// may have had several. A directory that did not answer is not asked for the others.
func retryItem(ctx context.Context, w *labour, x chosen, s *connector.Selection) (changed bool, refused *connector.Failure, err error) {
	i := x.item
	if told, down := w.down[i.Source]; down {
		return false, nil, toldError(told)
	}
	if _, err := w.s.o.Store.OpenItem(ctx, s.Org, i.Ref); err != nil {
		return false, nil, err
	}
	p, err := w.s.o.Runner.Retry(ctx, s.Org, i.Source, i.Key(), s.Actor)
	switch {
	case errors.Is(err, sources.ErrBusy): // with others, which does not last
		return false, nil, toldError(w.words(err))
	case connector.KindOf(err) == connector.Unavailable:
		w.down[i.Source] = w.words(err)
		return false, nil, toldError(w.down[i.Source])
	case err != nil:
		return false, nil, err
	case p.Change == nil:
		return false, nil, toldError(w.text("failures.retry.nobody", nil))
	case len(p.Change.Failures) > 0:
		return false, &p.Change.Failures[0], nil
	}
	return true, nil, nil
}

// dismissItem closes the entry, with the reason that was given when the selection began.
func dismissItem(ctx context.Context, w *labour, x chosen, s *connector.Selection) (changed bool, refused *connector.Failure, err error) {
	actor := connector.ActorOf(ctx)
	actor.Reason = s.Reason
	err = w.s.o.Store.Dismiss(connector.Acting(ctx, actor), s.Org, x.item.Ref)
	return err == nil, nil, err
}

// filteredItems are all failures that the filters ask for.
func (v *visit) filteredItems() iter.Seq2[*connector.OpenItem, error] {
	return func(yield func(*connector.OpenItem, error) bool) {
		for q := v.askedItems(exportStep); ; {
			items, next, err := v.s.o.Store.OpenItems(v.r.Context(), q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range items {
				if !yield(&items[i], nil) {
					return
				}
			}
			if q.After = next; next == "" {
				return
			}
		}
	}
}

// chooseFromRun is chooseFrom for the failures that a run met and that are still open.
func (v *visit) chooseFromRun() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	l := *failing
	l.path = "/runs/" + r.ID.String()
	l.all = func(v *visit) iter.Seq2[chosen, error] { return chosenOf(v.openOfRun(r), ofItem) }
	v.chooseFrom(&l)
}

// openOfRun are the failures of a run that are still open, of the reason that was asked for, in the order in which the run met them.
func (v *visit) openOfRun(r *connector.Run) iter.Seq2[*connector.OpenItem, error] {
	return func(yield func(*connector.OpenItem, error) bool) {
		reason := connector.Reason(v.query("reason"))
		for after, more := (connector.ID{}), true; more; {
			list, err := v.s.o.Store.Outcomes(v.r.Context(), r.ID, after, exportStep)
			var open map[string]*connector.OpenItem
			if err == nil {
				open, err = v.stillOpen(list)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, o := range list {
				for _, f := range o.Change.Failures {
					if i := open[f.Ref]; i != nil && (reason == "" || f.Reason == reason) && !yield(i, nil) {
						return
					}
				}
			}
			if more = len(list) == exportStep; more {
				after = list[len(list)-1].ID
			}
		}
	}
}

// stillOpen are those failures of what a run kept that are open now, by reference.
func (v *visit) stillOpen(list []connector.Outcome) (map[string]*connector.OpenItem, error) {
	refs := map[string]bool{}
	for _, o := range list {
		for _, f := range o.Change.Failures {
			if f.Ref != "" && o.Change.Action == connector.Failed {
				refs[f.Ref] = true
			}
		}
	}
	items, err := v.s.o.Store.OpenItemsByRef(v.r.Context(), v.id(), slices.Sorted(maps.Keys(refs)))
	open := make(map[string]*connector.OpenItem, len(items))
	for i := range items {
		open[items[i].Ref] = &items[i]
	}
	return open, err
}
