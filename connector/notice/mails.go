package notice

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"usherd/connector"
)

// perMail is how many notices one mail tells of; it says how many more there are.
const perMail = 30

// ever is later than whatever waits.
const ever = 10 * 365 * 24 * time.Hour

// key is one recipient in one organization: the mails of each are of their own, as organizations know nothing of each other.
type key struct{ org, target string }

// write puts mails into the outbox for everybody to whom something is due, with all that waits for them.
func (r *Reporter) write(ctx context.Context, s *Settings) error {
	now := r.o.Now()
	due, err := r.o.Store.DueDeliveries(ctx, connector.ByMail, now, batch)
	if err != nil || len(due) == 0 {
		return err
	}
	is := map[key]bool{}
	for i := range due {
		is[key{due[i].Notice.Org, due[i].Target}] = true
	}
	all, err := r.o.Store.DueDeliveries(ctx, connector.ByMail, now.Add(ever), batch)
	if err != nil {
		return err
	}
	var order []key
	of := map[key][]connector.Delivery{}
	for _, d := range all {
		k := key{d.Notice.Org, d.Target}
		if !is[k] {
			continue
		}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], d)
	}
	for _, k := range order {
		if err := r.writeOne(ctx, s.target(k.target, connector.ByMail), k, of[k]); err != nil {
			return err
		}
	}
	return nil
}

// writeOne makes one mail of what waits for a recipient, in one transaction with what becomes of that.
func (r *Reporter) writeOne(ctx context.Context, t *Target, k key, list []connector.Delivery) error {
	now := r.o.Now()
	m := connector.Mail{ID: connector.NewID(now), Org: k.org, Kind: connector.ReportMail, At: now}
	if t != nil {
		m.To, m.Language = t.Email, t.Language
		notices := make([]connector.Notice, 0, min(len(list), perMail))
		for i := range list[:min(len(list), perMail)] {
			notices = append(notices, list[i].Notice)
		}
		text, err := json.Marshal(notices)
		if err != nil {
			return err
		}
		m.Values = map[string]string{"notices": string(text)}
		if more := len(list) - len(notices); more > 0 {
			m.Values["more"] = strconv.Itoa(more)
		}
	}
	written := 0
	err := r.o.Store.Write(ctx, func(tx connector.Tx) error {
		written = 0
		for _, d := range list {
			d.State, d.DoneAt, d.Mail, d.Attempts = connector.DeliverySent, now, m.ID, d.Attempts+1
			if t == nil {
				d.State, d.Answer, d.Mail = connector.DeliveryFailed, gone, connector.ID{}
			}
			ok, err := tx.SetDelivery(ctx, d)
			if err != nil {
				return err
			}
			if ok {
				written++
			}
		}
		if t == nil || written == 0 {
			return nil
		}
		if err := tx.PutNoticeMark(ctx, connector.NoticeMark{Org: k.org, Topic: mailTopic(k.target), Value: "written", At: now}); err != nil {
			return err
		}
		return tx.PutMail(ctx, m)
	})
	if err == nil {
		r.o.Metrics.count(connector.ByMail, t != nil, written)
	}
	return err
}

// gone is said of deliveries whose target is not configured any more.
const gone = "the recipient is not in the configuration any more"
