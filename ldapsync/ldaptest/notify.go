package ldaptest

import "errors"

// controlNotification is the control of a search that never ends ([MS-ADTS] section 3.1.1.3.4.1.9).
const controlNotification = "1.2.840.113556.1.4.528"

// notification sends each entry that changes, as long as the client says nothing more. Active Directory only.
type notification struct{}

func (notification) run(q *query, o *answer) error {
	f := q.req.filter
	if f.op != filterPresent || f.attr != "objectClass" {
		return o.done(opDone, result{code: 53, text: "00002077: SvcErr: DSID-03140396, problem 5003 (WILL_NOT_PERFORM), data 0\n\x00"})
	}
	t := q.c.s.tree
	t.mu.RLock()
	from := t.usn
	t.mu.RUnlock()
	return q.persist(from, func(e *entry, _ uint64) error {
		t.mu.RLock()
		if q.visible(e) {
			q.entry(&o.w, e, nil)
		}
		t.mu.RUnlock()
		return o.flush(true)
	})
}

// persist calls report with each entry that changes after a USN, until the client says anything more or
// goes away.
func (q *query) persist(from uint64, report func(e *entry, from uint64) error) error {
	said := make(chan struct{})
	q.c.s.wait.Go(func() {
		defer close(said)
		q.c.r.Peek(1) //nolint:errcheck,gosec // whatever comes, the end of the connection too
	})
	t := q.c.s.tree
	for {
		t.mu.RLock()
		usn, changed := t.usn, t.watch()
		list := t.changedSince(from)
		t.mu.RUnlock()
		for _, e := range list {
			err := report(e, from)
			if errors.Is(err, errSilence) {
				<-said // nobody else may read before
			}
			if err != nil {
				return err
			}
		}
		from = usn
		if len(list) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-said:
			return nil
		case <-q.c.s.closed:
			return errHangUp
		}
	}
}
