package notice

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

// calm is how soon something that was in order again can be told of again: what goes to and fro is told once an hour.
const calm = time.Hour

// Condition is how something is that lasts.
type Condition struct {
	Org   string
	Topic string // names it in its organization: "source/ad"
	// Level is how bad it is; 0 = it is in order. When it has grown, Kind is told; when it is 0 again, Over, unless that is "".
	Level int
	// Follows says that it was told of before, at a lower level, or is not told at all.
	Follows    bool
	Kind, Over connector.NoticeKind
	Data       connector.NoticeData
}

// lasting begins the topics of marks that tell of conditions.
const lasting = "is/"

// tellConditions compares how everything is with what was told of it.
func (r *Reporter) tellConditions(ctx context.Context, s *Settings) error {
	all, err := r.o.Conditions(ctx)
	if err != nil {
		return err
	}
	of := map[string][]Condition{}
	for _, c := range all {
		of[c.Org] = append(of[c.Org], c)
	}
	for _, org := range s.Organizations {
		m, err := r.marks(ctx, org)
		if err != nil {
			return err
		}
		facts, changed := compare(org, m, of[org], r.o.Now())
		if len(changed) == 0 {
			continue
		}
		err = r.o.Store.Write(ctx, func(tx connector.Tx) error {
			for _, k := range changed {
				if err := tx.PutNoticeMark(ctx, k); err != nil {
					return err
				}
			}
			return r.put(ctx, tx, s, org, facts, m)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare finds what is to be told of an organization, and what is to be remembered.
func compare(org string, m marks, conditions []Condition, now time.Time) (facts []fact, changed []connector.NoticeMark) {
	known := map[string]bool{}
	for _, c := range conditions {
		topic := lasting + c.Topic
		if known[topic] { // one certificate in two files
			continue
		}
		known[topic] = true
		mark, told := m[topic]
		level := 0
		if told {
			level, _ = strconv.Atoi(mark.Value) // what is no number is as if nothing had been told
		}
		if c.Follows && level == 0 {
			c.Level = 0
		}
		next := connector.NoticeMark{Org: org, Topic: topic, Value: strconv.Itoa(c.Level), At: mark.At}
		switch {
		case c.Level > level && (level > 0 || !told || now.Sub(mark.At) >= calm):
			facts = append(facts, fact{c.Kind, c.Data})
			next.At = now
			changed = append(changed, next)
		case c.Level == 0 && level > 0 && c.Over != "":
			facts = append(facts, fact{c.Over, c.Data})
			changed = append(changed, next)
		case c.Level < level:
			changed = append(changed, next)
		case told && c.Level == 0 && now.Sub(mark.At) >= calm:
			next.Value = ""
			changed = append(changed, next)
		}
	}
	for topic := range m {
		if strings.HasPrefix(topic, lasting) && !known[topic] {
			changed = append(changed, connector.NoticeMark{Org: org, Topic: topic})
		}
	}
	slices.SortFunc(changed, func(a, b connector.NoticeMark) int { return strings.Compare(a.Topic, b.Topic) })
	return facts, changed
}
