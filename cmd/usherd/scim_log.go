package main

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/connector"
)

// logFlags are those of `usherd scim log`.
type logFlags struct {
	o                      outputFlag
	org, source            string
	person, status, window string
	follow, bodies         bool
	limit                  int
}

func (a *app) scimLogCmd() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use: "log", Short: "Show what identity providers have asked, and what they were answered", Args: noArgs,
		Long: `log shows the requests of sources that push, the latest first; of a bulk request also each operation that was refused,
as if it had come alone (?bulk= says which it was). Secrets are masked before anything is stored. Bodies
are stored for sources with scim.log.bodies only. The daemon writes the log a moment after each answer; it may
run beside this command.`,
		Example: "  usherd scim log\n  usherd scim log --status 4xx --since 1h\n  usherd scim log --person ann@example.com\n" +
			"  usherd scim log --source entra --follow\n  usherd scim log --status 409 --bodies --limit 5\n  usherd scim log --since 1d -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limit(f.limit); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.scimLog(cmd.Context(), s, &f) })
		},
	}
	cmd.Flags().StringVar(&f.org, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&f.source, "source", "", "source (default: all)")
	cmd.Flags().StringVar(&f.person, "person", "", "only about this person: user name, e-mail or id")
	cmd.Flags().StringVar(&f.status, "status", "", "only answers with this status, such as 409, 4xx or 400-499")
	cmd.Flags().StringVar(&f.window, "since", "", "only the last time, such as 1h or 7d")
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what comes, until Ctrl-C; the latest last")
	cmd.Flags().BoolVar(&f.bodies, "bodies", false, "with the bodies, where they are stored")
	cmd.Flags().IntVar(&f.limit, "limit", 50, "how many; 0 = all")
	f.o.add(cmd, "text", "json")
	return cmd
}

// statusBounds reads 409, 4xx or 400-499.
func statusBounds(text string) (bounds [2]int, err error) {
	low, high, isRange := strings.Cut(strings.ToLower(text), "-")
	if digit, ok := strings.CutSuffix(low, "xx"); ok && !isRange {
		low, high = digit+"00", digit+"99"
	} else if !isRange {
		high = low
	}
	for i, part := range [...]string{low, high} {
		if bounds[i], err = strconv.Atoi(part); err != nil || bounds[i] < 100 || bounds[i] > 599 {
			return bounds, usagef("--status %s: write a status or a class of them, such as 409, 4xx or 400-499", text)
		}
	}
	return bounds, nil
}

// query makes of the flags what the store is asked for one organization.
func (f *logFlags) query(ctx context.Context, s *site, org string, now time.Time) (connector.RequestQuery, error) {
	q := connector.RequestQuery{Org: org, Source: f.source, Bodies: f.bodies}
	var err error
	if f.status != "" {
		if q.Status, err = statusBounds(f.status); err != nil {
			return q, err
		}
	}
	if f.window != "" {
		var d connector.Duration
		if err := d.UnmarshalText([]byte(f.window)); err != nil {
			return q, usagef("--since %s: %s", f.window, err)
		}
		q.Since = now.Add(-time.Duration(d))
	}
	return q, q.About(ctx, s.db, f.person)
}

// logReader reads the log of some organizations as one.
type logReader struct {
	s       *site
	queries []connector.RequestQuery
}

func (a *app) logReader(ctx context.Context, s *site, f *logFlags) (*logReader, error) {
	targets, err := s.clients(f.org, f.source)
	if err != nil {
		return nil, err
	}
	r := &logReader{s: s}
	for _, t := range targets {
		if slices.ContainsFunc(r.queries, func(q connector.RequestQuery) bool { return q.Org == t.org.Org.ID }) {
			continue
		}
		q, err := f.query(ctx, s, t.org.Org.ID, a.now())
		if err != nil {
			return nil, err
		}
		r.queries = append(r.queries, q)
	}
	return r, nil
}

// page returns the latest requests before one and after another; zero ids are the ends.
func (r *logReader) page(ctx context.Context, before, after connector.ID, limit int) (list []connector.Request, err error) {
	for _, q := range r.queries {
		q.Before, q.After, q.Limit = before, after, limit
		part, err := r.s.db.Requests(ctx, q)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	slices.SortFunc(list, func(a, b connector.Request) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return list[:min(len(list), limit)], nil
}

const logPage = 500

func (a *app) scimLog(ctx context.Context, s *site, f *logFlags) error {
	r, err := a.logReader(ctx, s, f)
	if err != nil {
		return err
	}
	if f.follow {
		return a.followLog(ctx, r, f)
	}
	sink := a.requestSink(f)
	var before connector.ID
	for left, all := f.limit, f.limit == 0; all || left > 0; {
		want := logPage
		if !all {
			want = min(left, logPage)
		}
		page, err := r.page(ctx, before, connector.ID{}, want)
		if err != nil {
			return err
		}
		for i := range page {
			if err := sink.row(&page[i]); err != nil {
				return err
			}
		}
		left -= len(page)
		if len(page) < want {
			break
		}
		before = page[len(page)-1].ID
	}
	return sink.end()
}

const (
	logLook = 500 * time.Millisecond // between two looks at the store
	logBack = 10                     // requests shown at the start
)

// followLog shows the last requests and then those that come, each once.
func (a *app) followLog(ctx context.Context, r *logReader, f *logFlags) error {
	latest, err := r.page(ctx, connector.ID{}, connector.ID{}, min(logBack, max(f.limit, 1)))
	if err != nil {
		return err
	}
	sink := a.requestSink(f)
	for after := (connector.ID{}); ; {
		for _, q := range slices.Backward(latest) {
			if err := sink.row(&q); err != nil {
				return err
			}
			after = q.ID
		}
		if !pause(ctx, logLook) {
			return nil
		}
		if latest, err = r.since(ctx, after); err != nil {
			return err
		}
	}
}

// since returns what has come after a request, the latest first.
func (r *logReader) since(ctx context.Context, after connector.ID) (list []connector.Request, err error) {
	for before := (connector.ID{}); ; {
		page, err := r.page(ctx, before, after, logPage)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(page) < logPage {
			return list, nil
		}
		before = page[len(page)-1].ID
	}
}
