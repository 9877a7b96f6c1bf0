package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
	"usherd/connector/subscribers"
)

func (a *app) subscribersCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "subscribers", Short: "Announce, list and help people who activate themselves under a template",
		Long: `subscribers is about people whom an upstream system announces under a template of the configuration. Where their
addresses are believed, they have an account at once; else they enter an address at the portal and prove it.`,
		Args: noSuchCommand, RunE: showHelp,
	}
	var f subscriberFlags
	cmd.PersistentFlags().StringVar(&f.org, "org", "", "organization (may be left out when there is only one)")
	cmd.PersistentFlags().StringVar(&f.template, "template", "", "template (may be left out when there is only one)")
	cmd.AddCommand(a.subscribersAnnounceCmd(&f), a.subscribersListCmd(&f), a.subscribersErrorsCmd(&f), a.subscribersShowCmd(&f), a.subscribersRetryCmd(&f),
		a.subscribersPackageCmd(&f), a.subscribersDeleteCmd(&f), a.subscribersExportCmd(&f))
	return cmd
}

// subscriberFlags are those of all commands about subscribers, and of lists.
type subscriberFlags struct {
	org, template          string
	status, reason, search string
	exclude                bool
	limit                  int
}

func (f *subscriberFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.status, "status", "", "only this status, such as error")
	cmd.Flags().StringVar(&f.reason, "reason", "", "only those whose last failure has this reason, such as no_seat")
	cmd.Flags().StringVar(&f.search, "search", "", "beginning of the subscriber id or of an address")
	cmd.Flags().BoolVar(&f.exclude, "exclude-provisioned", false, "leave out whoever is provisioned")
}

// query refuses what cannot be asked for.
func (f *subscriberFlags) query(o *org) (connector.SubscriberQuery, error) {
	if f.template != "" && o.Org.Template(f.template) == nil {
		return connector.SubscriberQuery{}, noSuchTemplate(o, f.template)
	}
	if all := connector.SubscriberStatuses(); f.status != "" && !slices.Contains(all, connector.SubscriberStatus(f.status)) {
		return connector.SubscriberQuery{}, usagef("--status %s: one of %s", f.status, wordsOf(all))
	}
	return connector.SubscriberQuery{
		Org: o.Org.ID, Template: f.template, Status: connector.SubscriberStatus(f.status), Reason: connector.Reason(f.reason), Search: f.search,
		HideProvisioned: f.exclude,
	}, limit(f.limit)
}

func templateIDs(o *org) []string {
	var ids []string
	for _, t := range o.Org.Templates {
		ids = append(ids, t.ID)
	}
	return ids
}

func noSuchTemplate(o *org, id string) error {
	if len(o.Org.Templates) == 0 {
		return usagef("organization %s has no templates: add one to the configuration under templates", o.Org.ID)
	}
	return usagef("there is no template %q in organization %s; there are: %s", id, o.Org.ID, strings.Join(templateIDs(o), ", "))
}

// oneTemplate is the one that the flag names, or the only one.
func (f *subscriberFlags) oneTemplate(o *org) (*connector.TemplateSettings, error) {
	if f.template == "" && len(o.Org.Templates) == 1 {
		return &o.Org.Templates[0], nil
	}
	if t := o.Org.Template(f.template); t != nil {
		return t, nil
	}
	if f.template == "" && len(o.Org.Templates) > 1 {
		return nil, usagef("there are several templates: name one with --template %s", strings.Join(templateIDs(o), " | "))
	}
	return nil, noSuchTemplate(o, f.template)
}

// each walks a list, page by page; most = 0 is all of it.
func (s *site) eachSubscriber(ctx context.Context, q connector.SubscriberQuery, most int) iter.Seq2[*connector.Subscriber, error] {
	return func(yield func(*connector.Subscriber, error) bool) {
		for n := 0; ; {
			page, next, err := s.db.Subscribers(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, x := range page {
				if !yield(x, nil) {
					return
				}
				if n++; n == most {
					return
				}
			}
			if next == "" {
				return
			}
			q.After = next
		}
	}
}

// findSubscriber returns the one that a person means by its id or its subscriber id.
func (s *site) findSubscriber(ctx context.Context, o *org, f *subscriberFlags, name string) (*connector.Subscriber, error) {
	if id, err := connector.ParseID(name); err == nil {
		if x, err := s.db.Subscriber(ctx, o.Org.ID, id); err == nil || connector.KindOf(err) != connector.NotFound {
			return x, err
		}
	}
	var found []*connector.Subscriber
	for _, t := range o.Org.Templates {
		if f.template != "" && f.template != t.ID {
			continue
		}
		list, err := s.db.SubscribersNamed(ctx, o.Org.ID, t.ID, []string{name})
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	switch len(found) {
	case 0:
		return nil, &connector.Error{
			Kind: connector.NotFound, Op: "subscribers", Err: fmt.Errorf("there is no subscriber %q in organization %s", name, o.Org.ID),
			Hint: "see them with: usherd subscribers list --org " + o.Org.ID,
		}
	case 1:
		return found[0], nil
	}
	return nil, usagef("%q is a subscriber of several templates: name one with --template", name)
}

// form is how subscribers are shown, with their own ways to the portal where those are wanted and there is a portal.
func (s *site) subscriberForm(ctx context.Context, lang string, links bool) (subscribers.Form, error) {
	cat, err := s.catalogue()
	f := subscribers.Form{Catalogue: cat, Lang: lang}
	if err != nil || !links || s.file.Config.Portal == nil {
		return f, err
	}
	key, err := linkKey(ctx, s.db)
	f.Link = func(x *connector.Subscriber) string { return subscribers.OwnLink(s.file.Config.Portal.URL, key, x) }
	return f, err
}

func (a *app) subscribersListCmd(f *subscriberFlags) *cobra.Command {
	var o outputFlag
	var lang string
	cmd := &cobra.Command{
		Use: "list", Short: "List subscribers with id, package, status and error", Args: noArgs,
		Example: "  usherd subscribers list --exclude-provisioned\n  usherd subscribers list --status error -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error { return a.listSubscribers(cmd.Context(), s, f, lang, o) })
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&f.limit, "limit", 200, "how many; 0 = all")
	addLang(cmd, &lang, "language of the texts")
	o.add(cmd, "text", "json")
	return cmd
}

func (a *app) listSubscribers(ctx context.Context, s *site, f *subscriberFlags, lang string, out outputFlag) error {
	o, err := s.org(f.org)
	if err != nil {
		return err
	}
	q, err := f.query(o)
	if err != nil {
		return err
	}
	form, err := s.subscriberForm(ctx, lang, false)
	if err != nil {
		return err
	}
	docs := []subscribers.Subscriber{}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Subscriber id", Flex: true}, report.Column{Title: "Template"}, report.Column{Title: "Name", Flex: true},
		report.Column{Title: "E-mail", Flex: true}, report.Column{Title: "Package"}, report.Column{Title: "Status"}, report.Column{Title: "Code", Right: true}, report.Column{Title: "Reason"})
	n := 0
	for x, err := range s.eachSubscriber(ctx, q, f.limit) {
		if err != nil {
			return err
		}
		n++
		d := form.Document(x)
		if out.json() {
			docs = append(docs, d)
			continue
		}
		code, reason := "", ""
		if d.Failure != nil {
			code, reason = strconv.Itoa(d.Failure.Code), d.Failure.Reason
		}
		tab.Row(d.SubscriberID, d.Template, d.Name, d.Email, d.Package, d.Status, code, reason)
	}
	if out.json() {
		return writeJSON(a.out, map[string]any{"subscribers": docs})
	}
	if n == 0 {
		_, err := fmt.Fprintln(a.err, "there are no such subscribers")
		return err
	}
	return tab.Flush()
}

func (a *app) subscribersErrorsCmd(f *subscriberFlags) *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use: "errors", Short: "Show the error texts of subscribers, to be copied to who helps", Args: noArgs,
		Example: "  usherd subscribers errors --lang sv",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				o, err := s.org(f.org)
				if err != nil {
					return err
				}
				f.exclude = true
				q, err := f.query(o)
				if err != nil {
					return err
				}
				form, err := s.subscriberForm(cmd.Context(), lang, false)
				if err != nil {
					return err
				}
				for x, err := range s.eachSubscriber(cmd.Context(), q, 0) {
					if err != nil {
						return err
					}
					if x.Failure != nil {
						fmt.Fprintln(a.out, form.ErrorText(x))
					}
				}
				return nil
			})
		},
	}
	f.add(cmd)
	addLang(cmd, &lang, "language of the texts")
	return cmd
}

// subscriberKey names one subscriber.
var subscriberKey = exactArgs("the subscriber: its subscriber id, or its id")

// subscriberSub is a command that changes one subscriber.
func (a *app) subscriberSub(use, short string, f *subscriberFlags, do func(ctx context.Context, o *org, c provision.SubscriberCommand) (*connector.Subscriber, error)) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use: use, Short: short, Args: subscriberKey, Example: "  usherd subscribers " + verb + " 4711@phones",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				o, err := s.org(f.org)
				if err != nil {
					return err
				}
				x, err := s.findSubscriber(cmd.Context(), o, f, args[0])
				if err != nil {
					return err
				}
				if err := s.adopt(cmd.Context(), a); err != nil {
					return err
				}
				name := x.Name
				if x, err = do(cmd.Context(), o, provision.SubscriberCommand{ID: x.ID, Actor: actor()}); err != nil || x == nil {
					if err == nil {
						fmt.Fprintf(a.out, "%s: deleted\n", name)
					}
					return err
				}
				return a.tellSubscriber(cmd.Context(), s, x)
			})
		},
	}
}

// claimFirst says what a subscriber waits for whose address another organization has.
func claimFirst(x *connector.Subscriber) string {
	return "another organization has an account with this address: claim it with: usherd claim start --org " + x.Org + " " + x.Email
}

// tellSubscriber tells how far somebody has come. A failure is an error only where the attempt was refused.
func (a *app) tellSubscriber(ctx context.Context, s *site, x *connector.Subscriber) error {
	form, err := s.subscriberForm(ctx, "en", false)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: %s\n", x.Name, x.Status)
	if x.Failure != nil {
		fmt.Fprintln(a.out, "  "+form.Catalogue.Line(*x.Failure, "en"))
		if x.Status == connector.SubscriberError {
			a.worse(exitFailed)
		}
	}
	switch x.Status { //nolint:exhaustive // the others say it all
	case connector.PendingEmailValidation:
		fmt.Fprintf(a.out, "  a link is on its way to %s\n", x.Email)
	case connector.PendingClaim:
		fmt.Fprintln(a.out, "  "+claimFirst(x))
	}
	return nil
}

func (a *app) subscribersRetryCmd(f *subscriberFlags) *cobra.Command {
	var email string
	cmd := a.subscriberSub("retry SUBSCRIBER [--email ADDRESS]", "Try to activate again, with a valid address", f,
		func(ctx context.Context, o *org, c provision.SubscriberCommand) (*connector.Subscriber, error) {
			return o.prov.RetrySubscriber(ctx, c, email)
		})
	cmd.Long = `retry tries to activate a subscriber again. Where the template does not believe announced addresses, an address that the
person has not proved yet is sent a link, and links that were sent before are good for nothing.`
	cmd.Example = "  usherd subscribers retry 4711@phones --email ann.lee@example.com"
	cmd.Flags().StringVar(&email, "email", "", "the address; default the one that is known")
	return cmd
}

func (a *app) subscribersPackageCmd(f *subscriberFlags) *cobra.Command {
	var to string
	cmd := a.subscriberSub("package SUBSCRIBER --to PACKAGE", "Give a subscriber another package", f,
		func(ctx context.Context, o *org, c provision.SubscriberCommand) (*connector.Subscriber, error) {
			return o.prov.SetSubscriberPackage(ctx, c, to)
		})
	cmd.Example = "  usherd subscribers package 4711@phones --to premium"
	cmd.Flags().StringVar(&to, "to", "", "the package; empty = the template's")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func (a *app) subscribersDeleteCmd(f *subscriberFlags) *cobra.Command {
	cmd := a.subscriberSub("delete SUBSCRIBER", "Forget a subscriber, who may then try again", f,
		func(ctx context.Context, o *org, c provision.SubscriberCommand) (*connector.Subscriber, error) {
			return nil, o.prov.DeleteSubscriber(ctx, c)
		})
	cmd.Long = `delete forgets a subscriber, for instance because the configuration had to change first. The person may be announced
and activate again. An account that no other source knows is deactivated, and comes back with the subscriber.`
	return cmd
}
