package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/report"
	"usherd/connector/subscribers"
)

// separatorOf reads --sep.
func separatorOf(sep string) (rune, error) {
	switch sep {
	case "":
		return 0, nil
	case ",", ";":
		return rune(sep[0]), nil
	case "tab":
		return '\t', nil
	}
	return 0, usagef("--sep %s: write , or ; or tab", sep)
}

func (a *app) subscribersAnnounceCmd(f *subscriberFlags) *cobra.Command {
	var preview bool
	var sep string
	var out outputFlag
	cmd := &cobra.Command{
		Use: "announce FILE.csv", Short: "Announce people from a list", Args: exactArgs("the file; - is the standard input"),
		Long: `announce reads a list whose first line names the columns: subscriber_id, and as many of email, package, givenName,
familyName, userName and other attributes of a profile as there are. Every fault of it is told with its line, and with
any nothing is done. Announced twice, somebody is not announced anew: only what differs is changed.`,
		Example: "  usherd subscribers announce lines.csv --template phones --preview\n  usherd subscribers announce lines.csv --template phones",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error { return a.announce(cmd.Context(), s, f, args[0], sep, preview, out) })
		},
	}
	cmd.Flags().BoolVar(&preview, "preview", false, "say what would be done, and do nothing")
	cmd.Flags().StringVar(&sep, "sep", "", "what separates cells: , or ; or tab (default what the head has)")
	out.add(cmd, "text", "json")
	return cmd
}

// announcedJSON is what `subscribers announce -o json` prints.
type announcedJSON struct {
	Preview bool                     `json:"preview"`
	New     int                      `json:"new"`
	Changed int                      `json:"changed"`
	Same    int                      `json:"unchanged"`
	Status  map[string]int           `json:"status,omitempty"` // of all that were announced, afterwards
	Failed  []subscribers.Subscriber `json:"failed"`
	Faults  []subscribers.Fault      `json:"faults"`
}

func (a *app) announce(ctx context.Context, s *site, f *subscriberFlags, path, sep string, preview bool, out outputFlag) error {
	o, err := s.org(f.org)
	if err != nil {
		return err
	}
	t, err := f.oneTemplate(o)
	if err != nil {
		return err
	}
	list, faults, err := a.readSubscribers(o, t.ID, path, sep)
	if err != nil {
		return err
	}
	doc := announcedJSON{Preview: preview, Faults: append([]subscribers.Fault{}, faults...), Failed: []subscribers.Subscriber{}, Status: map[string]int{}}
	switch {
	case len(faults) > 0:
	case preview:
		err = s.previewAnnounced(ctx, o, list, &doc)
	default:
		if err = s.adopt(ctx, a); err == nil {
			err = a.announceAll(ctx, s, o, list, &doc)
		}
	}
	if err != nil {
		return err
	}
	return a.tellAnnounced(&doc, path, out)
}

func (a *app) readSubscribers(o *org, template, path, sep string) ([]connector.Announcement, []subscribers.Fault, error) {
	comma, err := separatorOf(sep)
	if err != nil {
		return nil, nil, err
	}
	in := a.in
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // the administrator names it
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil, usagef("there is no file %s", path)
		}
		if err != nil {
			return nil, nil, err
		}
		defer file.Close() //nolint:errcheck // it is only read
		in = file
	}
	return subscribers.Read(in, o.Org, template, comma)
}

func (s *site) previewAnnounced(ctx context.Context, o *org, list []connector.Announcement, doc *announcedJSON) error {
	for i := range list {
		known, err := s.db.SubscribersNamed(ctx, o.Org.ID, list[i].Template, []string{list[i].Name})
		switch {
		case err != nil:
			return err
		case len(known) == 0:
			doc.New++
		case list[i].Same(known[0]):
			doc.Same++
		default:
			doc.Changed++
		}
	}
	return nil
}

// announceStep is how many are announced between two looks at whether somebody wants it to end.
const announceStep = 500

func (a *app) announceAll(ctx context.Context, s *site, o *org, list []connector.Announcement, doc *announcedJSON) error {
	form, err := s.subscriberForm(ctx, "en", false)
	if err != nil {
		return err
	}
	for from := 0; from < len(list); from += announceStep {
		done, err := o.prov.Announce(ctx, list[from:min(from+announceStep, len(list))], actor())
		for _, x := range done {
			switch {
			case x.New:
				doc.New++
			case x.Same:
				doc.Same++
			default:
				doc.Changed++
			}
			doc.Status[string(x.Subscriber.Status)]++
			if x.Subscriber.Status == connector.SubscriberError {
				doc.Failed = append(doc.Failed, form.Document(x.Subscriber))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) tellAnnounced(doc *announcedJSON, path string, out outputFlag) error {
	if len(doc.Failed) > 0 {
		a.worse(exitFailed)
	}
	if out.json() {
		if err := writeJSON(a.out, doc); err != nil {
			return err
		}
	}
	if len(doc.Faults) > 0 {
		for _, f := range doc.Faults {
			if !out.json() {
				fmt.Fprintf(a.out, "%s: %s\n", path, f)
			}
		}
		return usagef("%s: nothing is changed", plural(len(doc.Faults), "fault"))
	}
	if out.json() {
		return nil
	}
	what := "announced"
	if doc.Preview {
		what = "preview, nothing is changed"
	}
	fmt.Fprintf(a.out, "%s: %d new, %d changed, %d unchanged\n", what, doc.New, doc.Changed, doc.Same)
	for _, s := range connector.SubscriberStatuses() {
		if n := doc.Status[string(s)]; n > 0 {
			fmt.Fprintf(a.out, "  %s %d\n", s, n)
		}
	}
	for _, d := range doc.Failed {
		fmt.Fprintf(a.out, "  %s: %s: %s (%s)\n", d.SubscriberID, d.Failure.Title, d.Failure.Message, d.Failure.Reason)
	}
	return nil
}

func (a *app) subscribersExportCmd(f *subscriberFlags) *cobra.Command {
	var sep, file, lang string
	var bom, links bool
	cmd := &cobra.Command{
		Use: "export", Short: "Write the list as CSV", Args: noArgs,
		Long: `export writes the list as CSV: UTF-8, the names of the columns in English. With --links each line has the person's own
way to the portal, which ties whoever has it to the subscriber: hand each to that person only.`,
		Example: "  usherd subscribers export --exclude-provisioned > open.csv\n  usherd subscribers export --bom --sep ';' --file .",
		RunE: func(cmd *cobra.Command, _ []string) error {
			comma, err := separatorOf(sep)
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error {
				o, err := s.org(f.org)
				if err != nil {
					return err
				}
				return a.exportSubscribers(cmd.Context(), s, o, f, file, lang, links, subscribers.Layout{BOM: bom, Sep: comma})
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&sep, "sep", "", "what separates cells: , or ; or tab")
	cmd.Flags().BoolVar(&bom, "bom", false, "begin with a byte order mark, for spreadsheets that ask for one")
	cmd.Flags().BoolVar(&links, "links", false, "with the person's own way to the portal")
	cmd.Flags().StringVar(&file, "file", "", "the file to write, which must not exist; . makes a name")
	addLang(cmd, &lang, "language of the texts")
	return cmd
}

func (a *app) exportSubscribers(ctx context.Context, s *site, o *org, f *subscriberFlags, file, lang string, links bool, layout subscribers.Layout) (err error) {
	q, err := f.query(o)
	if err != nil {
		return err
	}
	form, err := s.subscriberForm(ctx, lang, links)
	if err != nil {
		return err
	}
	if links && form.Link == nil {
		return usagef("there are no ways to the portal: the configuration has no portal block")
	}
	out := a.out
	if file != "" {
		if file == "." {
			file = subscribers.FileName(o.Org.ID, a.now())
		}
		w, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the administrator names it
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.Close()) }()
		fmt.Fprintln(a.err, file)
		out = w
	}
	return form.CSV(out, s.eachSubscriber(ctx, q, 0), layout)
}

// subscriberDocument is what `subscribers show -o json` prints.
type subscriberDocument struct {
	subscribers.Subscriber
	ShareLink string            `json:"share_link,omitempty"`
	History   []subscriberEvent `json:"history"`
}

type subscriberEvent struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	By     string    `json:"by"`
	Status string    `json:"status"`
	Email  string    `json:"email,omitempty"`
	Code   int       `json:"code,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Ref    string    `json:"ref,omitempty"`
}

func (a *app) subscribersShowCmd(f *subscriberFlags) *cobra.Command {
	var out outputFlag
	var lang string
	cmd := &cobra.Command{
		Use: "show SUBSCRIBER", Short: "Show a subscriber with every attempt, and its own way to the portal", Args: subscriberKey,
		Example: "  usherd subscribers show 4711@phones\n  usherd subscribers show 4711@phones --lang sv -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error { return a.showSubscriber(cmd.Context(), s, f, args[0], lang, out) })
		},
	}
	addLang(cmd, &lang, "language of the texts")
	out.add(cmd, "text", "json")
	return cmd
}

func (a *app) showSubscriber(ctx context.Context, s *site, f *subscriberFlags, name, lang string, out outputFlag) error {
	o, err := s.org(f.org)
	if err != nil {
		return err
	}
	x, err := s.findSubscriber(ctx, o, f, name)
	if err != nil {
		return err
	}
	form, err := s.subscriberForm(ctx, lang, x.Status != connector.Provisioned)
	if err != nil {
		return err
	}
	events, err := s.db.SubscriberEvents(ctx, o.Org.ID, x.ID, 0)
	if err != nil {
		return err
	}
	doc := subscriberDocument{Subscriber: form.Document(x), History: []subscriberEvent{}}
	if s.file.Config.Portal != nil {
		doc.ShareLink = subscribers.ShareLink(s.file.Config.Portal.URL, x.Org, x.Template)
	}
	for _, e := range slices.Backward(events) {
		doc.History = append(doc.History, subscriberEvent{e.At, string(e.What), e.Actor, string(e.Status), e.Email, int(e.Code), string(e.Reason), e.Detail, e.Ref})
	}
	if out.json() {
		return writeJSON(a.out, doc)
	}
	fmt.Fprintf(a.out, "%s  %s\n", doc.SubscriberID, doc.Status)
	tab := report.NewTable(a.out, 0, report.Column{}, report.Column{})
	for _, row := range [][2]string{
		{"id", doc.ID},
		{"template", doc.Template},
		{"name", doc.Name},
		{"e-mail", doc.Email},
		{"proven", date(x.ProvenAt)},
		{"package", doc.Package},
		{"user", doc.UserID},
		{"share link", doc.ShareLink},
		{"own link", doc.Link},
		{"error", strings.ReplaceAll(form.ErrorText(x), "\n", " ")},
	} {
		if row[1] != "" {
			tab.Row("  "+row[0], row[1])
		}
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if x.Status == connector.PendingClaim {
		fmt.Fprintln(a.out, claimFirst(x))
	}
	fmt.Fprintln(a.out, "history")
	for _, e := range doc.History {
		fmt.Fprintf(a.out, "  %s  %-11s by %s  %s", date(e.At), e.What, e.By, e.Status)
		if e.Reason != "" {
			fmt.Fprintf(a.out, "  %s (%d) %s", e.Reason, e.Code, e.Detail)
		}
		fmt.Fprintln(a.out)
	}
	return nil
}
