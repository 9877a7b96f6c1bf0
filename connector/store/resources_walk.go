package store

import (
	"context"
	"database/sql"
	"slices"

	"usherd/connector"
)

// rowsOf is the part of a statement from FROM on that gives all rows the client sees for which test holds. With
// whole, the columns of user and link are there too.
func (a *asker) rowsOf(test clause, whole bool) clause {
	if a.kind == connector.GroupResource {
		return say(" FROM groups g WHERE g.org = ? AND g.source = ? AND ", a.org, a.client).then(test.wrapped("(", ")"))
	}
	from, where := say(" FROM users u"), say(" WHERE u.org = ? AND "+liveUser, a.org)
	if a.order != 0 {
		table := "user_keys"
		if a.order >= termKind {
			table = "user_terms"
		}
		from, where = say(" FROM "+table+" k"), say(" WHERE k.org = ? AND k.kind = ?", a.org, a.order)
		if whole || a.usesUser { // a name after the other, and not the other way round
			from, where = from.then(say(" CROSS JOIN users u")), where.then(say(" AND u.id = k.user_id"))
		}
	}
	seen := say(" AND "+a.id+" NOT IN ("+goneLinks+")", a.org, a.client)
	if whole || a.usesLink {
		from = from.then(say(" LEFT JOIN links l ON l.org = ? AND l.source = ? AND l.user_id = "+a.id, a.org, a.client))
		seen = say(" AND coalesce(l.standing, '') <> 'gone'")
	}
	return from.then(where, seen, test.wrapped(" AND (", ")"))
}

// keep reports whether a statement for the condition is worth keeping: the forms of those are few.
func keep(c *connector.Condition) bool { return c == nil || c.Op == connector.OpEq }

func (r *reader) ask(ctx context.Context, keep bool, q clause) (*sql.Rows, error) {
	if keep {
		return r.q.query(ctx, q.text, q.args...)
	}
	return r.q.once(ctx, q.text, q.args...)
}

// walk reads the rows in order from the place on.
func (p *pager[T]) walk(ctx context.Context) error {
	if p.q.Offset > 0 {
		if ok, err := p.skip(ctx); err != nil || !ok {
			return err
		}
	}
	a := p.asker(true)
	q := a.rowsOf(p.where(a), true).wrapped("SELECT "+p.columns, "").then(p.behind(a), p.inOrder(a), say(" LIMIT 0 + ?", p.q.Limit+1))
	return p.read(ctx, keep(p.q.Where), q)
}

// read adds the rows of a statement.
func (p *pager[T]) read(ctx context.Context, keep bool, q clause) error {
	take := func(r row) error {
		var v T
		if err := p.scan(r, &v); err != nil {
			return err
		}
		p.rows = append(p.rows, v)
		return nil
	}
	if keep {
		return p.r.short(ctx, q.text, q.args, take)
	}
	rows, err := p.r.q.once(ctx, q.text, q.args...)
	for _, err := range each(rows, err, func(r *sql.Rows, _ *struct{}) error { return take(r) }) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pager[T]) where(a *asker) clause {
	if p.q.Where == nil {
		return always
	}
	return a.test(p.q.Where)
}

// skip finds the last of the rows that are left out, in an index as far as the condition allows, and goes on
// from there; false when there are not so many.
func (p *pager[T]) skip(ctx context.Context) (bool, error) {
	a := p.asker(true)
	at := resourcePlace{Sort: p.q.Sort}
	column := at.column(p.kind)
	selected := a.id
	if column != "" {
		selected += ", " + column
	}
	test := p.where(a)
	if column == "u.created_at" || column == "u.updated_at" {
		a.usesUser = true
	}
	q := a.rowsOf(test, false).wrapped("SELECT "+selected, "").then(p.behind(a), p.inOrder(a), say(" LIMIT 1 OFFSET ?", p.q.Offset-1))
	rows, err := p.r.ask(ctx, keep(p.q.Where), q)
	at, ok, err := first(rows, err, func(r *sql.Rows, v *resourcePlace) error {
		v.Sort = p.q.Sort
		switch {
		case column == "":
			return r.Scan((*idColumn)(&v.ID))
		case p.q.Sort == connector.ByCreated || p.q.Sort == connector.ByLastModified:
			return r.Scan((*idColumn)(&v.ID), &v.Time)
		}
		return r.Scan((*idColumn)(&v.ID), &v.Text)
	})
	p.from = &at
	return ok, err
}

// behind is the rest of the WHERE: rows that come after the place.
func (p *pager[T]) behind(a *asker) clause {
	if p.from == nil {
		return clause{}
	}
	sign := " > "
	if p.down {
		sign = " < "
	}
	if column := p.from.column(p.kind); column != "" {
		return say(" AND ("+column+", "+a.id+")"+sign+"(?, ?)", p.from.value(), p.from.ID[:])
	}
	return say(" AND "+a.id+sign+"?", p.from.ID[:])
}

func (p *pager[T]) inOrder(a *asker) clause {
	way := ""
	if p.down {
		way = " DESC"
	}
	order := a.id + way
	if column := (&resourcePlace{Sort: p.q.Sort}).column(p.kind); column != "" {
		order = column + way + ", " + order
	}
	return say(" ORDER BY " + order)
}

// along goes through a set in order of its ids: who is in it is looked at once a page, and only those of the
// page are kept.
func (p *pager[T]) along(ctx context.Context, set clause) error {
	wanted := p.q.Offset + p.q.Limit + 1
	order, sign := " ORDER BY id LIMIT 0 + ?", " AND id > ?"
	if p.down {
		order, sign = " ORDER BY id DESC LIMIT 0 + ?", " AND id < ?"
	}
	q := set.wrapped("SELECT id FROM (", ") AS s WHERE ")
	if p.kind == connector.UserResource {
		q = q.then(say("id NOT IN ("+goneLinks+")", p.q.Org, p.q.Client))
	} else {
		q = q.then(always)
	}
	from := p.from
	for {
		page := q
		if from != nil {
			page = page.then(say(sign, from.ID[:]))
		}
		ids, err := p.r.ids(ctx, keep(p.q.Where), page.then(say(order, wanted)))
		if err != nil {
			return err
		}
		full := len(ids) == wanted
		ids = slices.Compact(ids)
		if err := p.byIDs(ctx, p.asker(false), always, ids); err != nil {
			return err
		}
		if !full || len(p.rows) >= wanted {
			p.cut()
			return nil
		}
		from = &resourcePlace{ID: ids[len(ids)-1]} // some came twice
	}
}

// few reads those of a small set who meet the rest, and puts them in order here. Where ids is nil the set is
// asked in the same statement.
func (p *pager[T]) few(ctx context.Context, d choice, ids []connector.ID) error {
	a := p.asker(false)
	test := always
	if d.rest != nil {
		test = a.test(d.rest)
	}
	if ids == nil || a.usesSets && len(ids) > 0 {
		is := " IN ("
		if ids == nil && !d.many { // of one row SQLite makes no table to look into
			is = " = ("
		}
		q := a.rowsOf(test, true).wrapped("SELECT "+p.columns, "").then(d.set.wrapped(" AND "+a.id+is, ")"))
		err := p.read(ctx, keep(p.q.Where), q)
		p.cut()
		return err
	}
	if p.q.Sort == connector.ByID { // no more of them than the page has
		ids = slices.DeleteFunc(ids, func(id connector.ID) bool { return !p.beyond(&resourcePlace{ID: id}) })
		if p.down {
			slices.Reverse(ids)
		}
	}
	err := p.byIDs(ctx, a, test, ids)
	p.cut()
	return err
}

// byIDs reads rows by id; in order of their ids, only as many as the page needs.
func (p *pager[T]) byIDs(ctx context.Context, a *asker, test clause, ids []connector.ID) error {
	q := a.rowsOf(test, true).wrapped("SELECT "+p.columns, " AND "+a.id+" IN (*)")
	for len(ids) > 0 && (p.q.Sort != connector.ByID || len(p.rows) <= p.q.Offset+p.q.Limit) {
		part := ids[:min(len(ids), inSizes[len(inSizes)-1])]
		ids = ids[len(part):]
		err := inLists(q.text, q.args, idArgs(part), func(text string, args []any) error {
			return p.read(ctx, test.text == always.text, say(text, args...))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// beyond reports whether a row comes after the place from which the page begins.
func (p *pager[T]) beyond(at *resourcePlace) bool {
	if p.from == nil {
		return true
	}
	c := at.compare(p.from)
	return p.down && c < 0 || !p.down && c > 0
}

// cut leaves the rows of the page and one more, in order.
func (p *pager[T]) cut() {
	sorted := p.rows
	slices.SortFunc(sorted, func(x, y T) int {
		a, b := p.place(&x, p.q.Sort), p.place(&y, p.q.Sort)
		if p.down {
			return b.compare(&a)
		}
		return a.compare(&b)
	})
	p.rows = slices.DeleteFunc(sorted, func(x T) bool {
		at := p.place(&x, p.q.Sort)
		return !p.beyond(&at)
	})
	p.rows = p.rows[min(len(p.rows), p.q.Offset):]
	p.rows = p.rows[:min(len(p.rows), p.q.Limit+1)]
}
