package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

// dueFlag is --due [DURATION].
type dueFlag struct{ value string }

func (d *dueFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.value, "due", "", "only users who will be deleted within this time, soonest first, such as 7d")
	cmd.Flags().Lookup("due").NoOptDefVal = connector.Duration(connector.DueSoon).String()
}

// args allows the duration to stand apart from its flag, which may stand alone.
func (d *dueFlag) args(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && cmd.Flags().Changed("due") {
		return nil
	}
	return noArgs(cmd, args)
}

func (d *dueFlag) within(args []string) (time.Duration, error) {
	text := d.value
	if len(args) == 1 {
		text = args[0]
	}
	var within connector.Duration
	if err := within.UnmarshalText([]byte(text)); err != nil {
		return 0, usagef("--due %s: %s", text, err)
	}
	return time.Duration(within), nil
}

// listDue lists who will be deleted, when and why.
func (a *app) listDue(ctx context.Context, s *site, q connector.UserQuery, within time.Duration, o outputFlag) error {
	org, err := s.org(q.Org)
	if err != nil {
		return err
	}
	until := a.now().Add(within)
	sink := a.userJSONSink()
	if !o.json() {
		sink = a.dueSink()
	}
	return a.pageUsers(q.Limit, sink, o, func(after string, limit int) ([]*connector.User, string, error) {
		return org.prov.Due(ctx, until, after, limit)
	})
}

func (a *app) dueSink() userSink {
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "User name", Flex: true}, report.Column{Title: "Name", Flex: true},
		report.Column{Title: "Deleted at"}, report.Column{Title: "Inactive since"}, report.Column{Title: "By", Flex: true}, report.Column{Title: "Reason", Flex: true})
	return userSink{func(u *connector.User) error {
		by := u.DeactivatedSource
		if by == "" {
			by = string(u.DeactivatedBy)
		}
		tab.Row(u.UserName(), fullName(u.Profile), date(u.DeleteAt), date(u.DeactivatedAt), by, u.DeactivatedReason)
		return nil
	}, tab.Flush}
}

// maxKeepDays bounds how long a deletion may be put off: ten years.
const maxKeepDays = 3650

func (a *app) userKeepCmd(orgID *string) *cobra.Command {
	var until string
	var days int
	var at time.Time
	cmd := a.userSub("keep KEY [--until DATE | --days N]", "Delete a deactivated user later", orgID,
		func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error) {
			if at.IsZero() {
				at = a.now().Add(o.Org.DeleteAfter)
			}
			return o.prov.Keep(ctx, c, at)
		})
	cmd.Long = `keep puts off the deletion of a deactivated user: until a day, for a number of days from now, or for another
grace period (delete_after) from now. No source makes it sooner again.`
	cmd.Example = "  usherd user keep ann.lee --days 90\n  usherd user keep ann.lee --until 2027-01-31"
	cmd.Flags().StringVar(&until, "until", "", "the day on which it is deleted, such as 2027-01-31 (UTC)")
	cmd.Flags().IntVar(&days, "days", 0, "how many days from now it is kept")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		byDays := cmd.Flags().Changed("days")
		switch {
		case byDays && until != "":
			return usagef("say either --until DATE or --days N")
		case byDays && (days < 1 || days > maxKeepDays):
			return usagef("--days %d: from 1 to %s", days, strconv.Itoa(maxKeepDays))
		case byDays:
			at = a.now().Add(time.Duration(days) * 24 * time.Hour)
		case until != "":
			if at, err = time.Parse(time.DateOnly, until); err != nil || at.After(a.now().Add(maxKeepDays*24*time.Hour)) {
				return usagef("--until %s: a day as in 2027-01-31, within ten years", until)
			}
		}
		return nil
	}
	return cmd
}
