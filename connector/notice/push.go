package notice

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"usherd/connector"
)

// receivers is how many webhooks are spoken to at a time.
const receivers = 8

// Push sends what is due to webhooks: to each one after the other, in the order in which it is due, and to several at a time.
func (r *Reporter) Push(ctx context.Context) error {
	list, err := r.o.Store.DueDeliveries(ctx, connector.ByWebhook, r.o.Now(), batch)
	if err != nil || len(list) == 0 {
		return err
	}
	s := r.o.Settings()
	var order []string
	of := map[string][]connector.Delivery{}
	for _, d := range list {
		if of[d.Target] == nil {
			order = append(order, d.Target)
		}
		of[d.Target] = append(of[d.Target], d)
	}
	var g errgroup.Group
	g.SetLimit(receivers)
	for _, name := range order {
		g.Go(func() error { return r.pushTo(ctx, &s, s.target(name, connector.ByWebhook), of[name]) })
	}
	return g.Wait()
}

// turn is how long one webhook is spoken to in a round, and the last of it a tryTime longer: the next round, with what is due to others by
// then, waits for it.
const turn = 15 * time.Second

// pushTo sends to one webhook until it fails or its turn is over: the rest of its reports wait, so that one that is away is asked once
// a round, and one that is slow keeps no other one waiting.
func (r *Reporter) pushTo(ctx context.Context, s *Settings, t *Target, list []connector.Delivery) error {
	begun := r.o.Now()
	for _, d := range list {
		if r.o.Now().Sub(begun) >= turn {
			return nil
		}
		v := verdict{final: true, words: gone}
		if t != nil {
			v = post(ctx, t, &d.Notice, s.Console, r.o.Now())
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the term has ended: whoever leads next sends it again
		}
		if err := r.note(ctx, d, v); err != nil {
			return err
		}
		if t != nil && !v.ok {
			return nil
		}
	}
	return nil
}

// note writes down what became of an attempt.
func (r *Reporter) note(ctx context.Context, d connector.Delivery, v verdict) error {
	now := r.o.Now()
	result := again
	d.Attempts++
	d.Code, d.Answer = v.code, v.words
	switch {
	case v.ok:
		result, d.State, d.DoneAt = sent, connector.DeliverySent, now
	case v.final || d.Attempts > len(pauses):
		result, d.State, d.DoneAt = failed, connector.DeliveryFailed, now
	default:
		d.Next = now.Add(max(pauses[d.Attempts-1], v.wait))
	}
	err := r.o.Store.Write(ctx, func(tx connector.Tx) error {
		_, err := tx.SetDelivery(ctx, d)
		return err
	})
	if err != nil {
		return err
	}
	r.o.Metrics.add(connector.ByWebhook, result, 1)
	if result != sent {
		r.o.Log.Warn("a webhook has not taken a report", zap.String("webhook", d.Target), zap.Stringer("report", d.Notice.ID), zap.String("kind", string(d.Notice.Kind)),
			zap.Int("attempts", d.Attempts), zap.Int("code", d.Code), zap.String("answer", d.Answer), zap.String("result", result),
			zap.Time("next", d.Next), zap.String("what_to_do", "usherd reports --to "+d.Target))
	}
	return nil
}
