package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

func (a *app) userCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "Show or change one user",
		Long: "user shows or changes one user, named by user name, e-mail, id or anchor.",
		Args: noSuchCommand, RunE: showHelp,
	}
	var orgID string
	cmd.PersistentFlags().StringVar(&orgID, "org", "", "organization (may be left out when there is only one)")
	cmd.AddCommand(a.userShowCmd(&orgID), a.userExplainCmd(&orgID), a.userDeactivateCmd(&orgID), a.userReactivateCmd(&orgID), a.userApproveCmd(&orgID), a.userRejectCmd(&orgID),
		a.userPackageCmd(&orgID), a.userDeleteCmd(&orgID), a.userKeepCmd(&orgID), a.userRetryCmd(&orgID))
	return cmd
}

var key = exactArgs("the user: user name, e-mail, id or anchor")

type userDo func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error)

// userSub is a command that changes one user.
func (a *app) userSub(use, short string, orgID *string, do userDo) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use: use, Short: short, Args: key, Example: "  usherd user " + verb + " ann.lee@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				o, err := s.org(*orgID)
				if err != nil {
					return err
				}
				u, err := s.findUser(cmd.Context(), o, args[0])
				if err != nil {
					return err
				}
				if err := s.adopt(cmd.Context(), a); err != nil {
					return err
				}
				ch, err := do(cmd.Context(), o, provision.Command{User: u.ID, Actor: actor()})
				if err != nil {
					return err
				}
				return a.showChange(ch)
			})
		},
	}
}

func (s *site) findUser(ctx context.Context, o *org, name string) (*connector.User, error) {
	u, err := s.db.FindUser(ctx, o.Org.ID, name)
	if connector.KindOf(err) == connector.NotFound && connector.HintOf(err) == "" {
		err = &connector.Error{
			Kind: connector.NotFound, Op: "user", Err: fmt.Errorf("there is no user %q in organization %s", name, o.Org.ID),
			Hint: "see them with: usherd users --org " + o.Org.ID,
		}
	}
	return u, err
}

// showChange tells what one command did.
func (a *app) showChange(ch *connector.Change) error {
	if len(ch.Failures) > 0 {
		a.worse(exitFailed)
		f := ch.Failures[0]
		return &connector.Error{
			Kind: connector.Refused, Op: ch.Subject, Err: fmt.Errorf("refused (%d %s): nothing is changed", f.Code, f.Reason),
			Hint: fmt.Sprintf("see: usherd errors %d", f.Code),
		}
	}
	if ch.Action == connector.Unchanged {
		_, err := fmt.Fprintf(a.out, "%s: nothing to do\n", ch.Subject)
		return err
	}
	fmt.Fprintf(a.out, "%s: %s\n", ch.Subject, ch.Action)
	if ch.Action == connector.Removed {
		return nil // every attribute is gone: to repeat them all here says nothing
	}
	for _, f := range ch.Fields {
		line, err := report.Field(f, "")
		if err != nil {
			return err
		}
		fmt.Fprintln(a.out, "  "+line)
	}
	return nil
}

// maxReason bounds what one writes into the history.
const maxReason = 500

func (a *app) userDeactivateCmd(orgID *string) *cobra.Command {
	var reason string
	cmd := a.userSub("deactivate KEY", "Take the access away; no source gives it back", orgID,
		func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error) {
			c.Reason = reason
			return o.prov.Deactivate(ctx, c)
		})
	addReason(cmd, &reason, "why, for the history")
	return cmd
}

// addReason adds --reason, one line.
func addReason(cmd *cobra.Command, reason *string, usage string) {
	cmd.Flags().StringVar(reason, "reason", "", usage)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if len(*reason) > maxReason || printable(*reason) != *reason {
			return usagef("--reason: one line of at most %d bytes", maxReason)
		}
		return nil
	}
}

func (a *app) userReactivateCmd(orgID *string) *cobra.Command {
	return a.userSub("reactivate KEY", "Give the access back", orgID,
		func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error) {
			return o.prov.Reactivate(ctx, c)
		})
}

func (a *app) userApproveCmd(orgID *string) *cobra.Command {
	return a.userSub("approve KEY", "Approve a user who waits for it", orgID,
		func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error) {
			return o.prov.Approve(ctx, c)
		})
}

func (a *app) userRejectCmd(orgID *string) *cobra.Command {
	var reason string
	cmd := a.userSub("reject KEY", "Refuse a user who waits for approval, and mail why", orgID,
		func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error) {
			c.Reason = reason
			return o.prov.RejectUser(ctx, c)
		})
	cmd.Long = `reject deactivates a user who waits for approval: no source, push or sign-in brings the account back, its seat is free at
once, and when no source has the person any more it is deleted after delete_after. usherd user reactivate takes the
rejection back.`
	cmd.Example = `  usherd user reject ann.lee --reason "not an employee of ours"`
	addReason(cmd, &reason, "why, for the history and for the person")
	return cmd
}

func (a *app) userPackageCmd(orgID *string) *cobra.Command {
	var to string
	var release bool
	cmd := a.userSub("package KEY --to PACKAGE | --release", "Give the user another package, which sources then leave alone", orgID,
		func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error) {
			return o.prov.SetPackage(ctx, c, to, release)
		})
	cmd.Example = "  usherd user package ann.lee --to premium\n  usherd user package ann.lee --release"
	cmd.Flags().StringVar(&to, "to", "", "the package; empty = none")
	cmd.Flags().BoolVar(&release, "release", false, "let the sources decide again")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("to") == release {
			return usagef("say either --to PACKAGE or --release; see: %s --help", cmd.CommandPath())
		}
		return nil
	}
	return cmd
}

func (a *app) userDeleteCmd(orgID *string) *cobra.Command {
	return a.userSub("delete KEY", "Delete a deactivated user before its time is over", orgID,
		func(ctx context.Context, o *org, c provision.Command) (*connector.Change, error) {
			ch, err := o.prov.Delete(ctx, c)
			if err == nil && ch.Action == connector.Unchanged {
				err = &connector.Error{
					Kind: connector.Refused, Op: ch.Subject, Err: errors.New("only a deactivated user can be deleted"),
					Hint: "deactivate it first: usherd user deactivate " + ch.Subject,
				}
			}
			return ch, err
		})
}

func (a *app) userRetryCmd(orgID *string) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "retry KEY", Short: "Try a person who failed again, now", Args: key,
		Example: "  usherd user retry ann.lee@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSite(cmd.Context(), func(s *site) error {
				f.org, f.person, f.output.value = *orgID, args[0], "text"
				source, err := s.failedIn(cmd.Context(), *orgID, args[0])
				if err != nil {
					return err
				}
				t, err := s.target(*orgID, source)
				if err != nil {
					return err
				}
				if t.org.Org.Template(t.id) != nil {
					return usagef("%s %s: try again with usherd subscribers retry", t.name(), byItself(connector.Template))
				}
				if t.org.Importers[t.id] != nil {
					return usagef("%s %s; import the file again in which %s stands", t.name(), byItself(connector.Import), args[0])
				}
				if t.pushes() {
					return usagef("%s %s: see that it brings %s again", t.name(), byItself(t.org.Org.Source(t.id).Kind), args[0])
				}
				return a.person(cmd.Context(), s, t, f, connector.ModeFull)
			})
		},
	}
	return cmd
}

// failedIn returns the source in which somebody of that name fails, "" when none does. Who has just that name comes before whose name has it
// in it, as the store finds them too.
func (s *site) failedIn(ctx context.Context, orgID, name string) (string, error) {
	o, err := s.org(orgID)
	if err != nil {
		return "", err
	}
	items, _, err := s.db.OpenItems(ctx, connector.ItemQuery{Org: o.Org.ID, Subject: name})
	if err != nil || len(items) == 0 {
		return "", err
	}
	i := slices.IndexFunc(items, func(x connector.OpenItem) bool { return connector.Fold(x.Subject) == connector.Fold(name) })
	return items[max(i, 0)].Source, nil
}

// userDocument is what `user show -o json` prints.
type userDocument struct {
	api.UserDetail
	History []api.Event `json:"history"`
}

func (a *app) userShowCmd(orgID *string) *cobra.Command {
	var o outputFlag
	cmd := &cobra.Command{
		Use: "show KEY", Short: "Show a user with its links, its groups and its whole history", Args: key,
		Example: "  usherd user show ann.lee\n  usherd user show ann.lee@example.com -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				org, err := s.org(*orgID)
				if err != nil {
					return err
				}
				doc, err := s.userDocument(cmd.Context(), org, args[0], a.now())
				if err != nil {
					return err
				}
				if o.json() {
					return writeJSON(a.out, doc)
				}
				return a.showUser(s, doc)
			})
		},
	}
	o.add(cmd, "text", "json")
	return cmd
}

func (s *site) userDocument(ctx context.Context, o *org, name string, now time.Time) (*userDocument, error) {
	u, err := s.findUser(ctx, o, name)
	if err != nil {
		return nil, err
	}
	doc := &userDocument{History: []api.Event{}}
	if doc.UserDetail, err = api.DescribeUser(ctx, s.db, u, now); err != nil {
		return nil, err
	}
	for e, err := range s.db.UserEvents(ctx, o.Org.ID, u.ID) {
		if err != nil {
			return nil, err
		}
		doc.History = append(doc.History, api.NewEvent(&e))
	}
	return doc, nil
}

// deactivated says when, by whom and why.
func deactivated(x *api.Deactivation) string {
	text := strings.TrimSpace(fmt.Sprintf("%s by %s %s", date(x.At), x.By, x.Source))
	if x.Reason != "" {
		text += ": " + x.Reason
	}
	return text
}

// claimedText says how the user came from another organization, and how far that is.
func claimedText(c *api.Claim) string {
	text := fmt.Sprintf("from another organization, where it was %s, at %s by %s", c.Was, date(c.At), c.By)
	switch c.Status {
	case connector.ClaimOpen:
		return text + ": the person has " + plural(c.DaysLeft, "day") + " to decide (usherd claim show " + c.ID + ")"
	case connector.ClaimDecided:
		return text + "; decided: " + string(c.Choice)
	case connector.ClaimExpired:
		return text + "; nobody decided, and the data went along"
	case connector.ClaimEnded, connector.ClaimCancelled: // which no user outlives
	}
	return text
}

func (a *app) showUser(s *site, d *userDocument) error {
	fmt.Fprintf(a.out, "%s  %s\n", d.UserName, d.State)
	tab := report.NewTable(a.out, 0, report.Column{}, report.Column{}) // nothing is cut: this is where one comes for all of it
	tab.Row("  id", d.ID)
	if d.Package != "" {
		tab.Row("  package", d.Package)
	}
	if d.PendingApproval {
		tab.Row("  approval", "waits for an administrator: usherd user approve "+provision.CommandKey(d.UserName, d.ID)+s.orgFlag(d.Org))
	}
	if x := d.Deactivated; x != nil {
		tab.Row("  deactivated", deactivated(x))
		if x.DeletedAt != nil {
			tab.Row("  deleted", "at "+date(*x.DeletedAt)+", unless it comes back")
		}
	}
	if c := d.Claim; c != nil {
		tab.Row("  claimed", claimedText(c))
	}
	for _, name := range d.Profile.Names() {
		value := strings.Join(d.Profile[name], ", ")
		if info, _ := connector.AttributeByName(name); info.Type == connector.BinaryType {
			value = fmt.Sprintf("%d bytes", len(value)*3/4)
		}
		tab.Row("  "+name, value)
	}
	for _, l := range d.Links {
		if l.Source == connector.Claimed {
			continue // the claim is told above
		}
		tab.Row("  link", fmt.Sprintf("%s %s (%s) %s", l.Source, l.Anchor, l.Standing, l.DN))
	}
	for _, g := range d.Groups {
		how := ""
		if !g.Direct {
			how = " (through another group)"
		}
		tab.Row("  group", g.Name+how)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "history")
	for _, e := range d.History {
		fmt.Fprintf(a.out, "  %s  %-11s by %s", date(e.At), e.Action, e.Cause)
		for _, t := range e.Transitions {
			fmt.Fprintf(a.out, "  %s -> %s (%s)", orNew(t.From), t.To, t.Signal)
		}
		fmt.Fprintln(a.out)
	}
	return nil
}

func orNew(s connector.State) string {
	if s == "" {
		return "new"
	}
	return string(s)
}
