package subscribers

import (
	"encoding/csv"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

// Subscriber is one as JSON, in commands and the API. Names of members never change.
type Subscriber struct {
	ID           string            `json:"id" format:"uuid"`
	SubscriberID string            `json:"subscriber_id" doc:"How the upstream system calls the person; of who came alone, self: and the address."`
	Org          string            `json:"org"`
	Template     string            `json:"template"`
	Status       string            `json:"status" enum:"pending_email_input,pending_email_validation,pending_claim,provisioning,provisioned,updating,error"`
	Name         string            `json:"name" doc:"Of the person, else the subscriber id."`
	Email        string            `json:"email,omitempty" doc:"The address that the account has or is to have."`
	EmailProven  bool              `json:"email_proven" doc:"Its holder has proved it."`
	Announced    bool              `json:"announced"`
	Package      string            `json:"package,omitempty" doc:"Left out: the template's."`
	Profile      connector.Profile `json:"profile" doc:"What was announced."`
	Given        connector.Profile `json:"given,omitempty" doc:"What the person has written into the form of the portal."`
	UserID       string            `json:"user_id,omitempty"`
	Tries        int               `json:"tries"`
	Failure      *failure.Document `json:"failure,omitempty" doc:"Why the last attempt failed, or the account cannot be used."`
	Link         string            `json:"activation_link,omitempty" doc:"The person's own way to the portal. Whoever has it may enter an address and activate: hand it to that person only."`
	CreatedAt    time.Time         `json:"created_at"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

// Form is how subscribers are shown.
type Form struct {
	Catalogue *failure.Catalogue
	Lang      string
	// Link gives the person's own way to the portal; nil = it is not shown.
	Link func(*connector.Subscriber) string
}

// Document returns a subscriber in its one form.
func (f Form) Document(s *connector.Subscriber) Subscriber {
	d := Subscriber{
		ID: s.ID.String(), SubscriberID: s.Name, Org: s.Org, Template: s.Template, Status: string(s.Status), Name: s.Shown(), Email: s.Email,
		EmailProven: !s.ProvenAt.IsZero(), Announced: s.Announced, Package: s.Package, Profile: s.Profile, Given: s.Given, UserID: s.User.String(), Tries: s.Tries,
		CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
	}
	if d.Email == "" {
		d.Email = s.Profile.Get(connector.Email)
	}
	if s.Failure != nil {
		doc := f.Catalogue.Document(*s.Failure, f.Lang)
		d.Failure = &doc
	}
	if f.Link != nil {
		d.Link = f.Link(s)
	}
	return d
}

// ErrorText is what somebody copies who asks for help: the failure in words, and below it its facts in English.
func (f Form) ErrorText(s *connector.Subscriber) string {
	if s.Failure == nil {
		return ""
	}
	return f.Catalogue.Line(*s.Failure, f.Lang) + "\n" + s.Failure.At.UTC().Format("2006-01-02 15:04:05Z") + " " + s.Template + " " + failure.Clean(s.Name)
}

// Columns of the CSV form; new ones are only added at the end.
func Columns() []string {
	return []string{
		IDColumn, "template", "status", "name", "email", "email_proven", "package", "code", "reason", "error", "ref", "failed_at", "tries", "user_id", "created_at",
		"updated_at", "activation_link",
	}
}

// Layout says how a CSV is written.
type Layout struct {
	BOM bool // a byte order mark, for spreadsheets that ask for one
	Sep rune // 0 = a comma
}

// CSV writes one row for each subscriber (RFC 4180, UTF-8, with a head in English that never changes). A cell that a
// spreadsheet would take for a formula begins with an apostrophe.
func (f Form) CSV(w io.Writer, list iter.Seq2[*connector.Subscriber, error], layout Layout) error {
	if layout.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
	}
	out := csv.NewWriter(w)
	if layout.Sep != 0 {
		out.Comma = layout.Sep
	}
	if err := out.Write(Columns()); err != nil {
		return err
	}
	for s, err := range list {
		if err != nil {
			return err
		}
		row := f.Row(s)
		for i := range row {
			row[i] = report.Unformula(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Row is a subscriber as cells of Columns.
func (f Form) Row(s *connector.Subscriber) []string {
	d := f.Document(s)
	var code, reason, text, ref, at string
	if x := d.Failure; x != nil {
		code, reason, ref = strconv.Itoa(x.Code), x.Reason, x.Ref
		text = f.Catalogue.Line(*s.Failure, f.Lang)
		at = stamp(x.At)
	}
	return []string{
		d.SubscriberID, d.Template, d.Status, d.Name, d.Email, strconv.FormatBool(d.EmailProven), d.Package, code, reason, text, ref, at, strconv.Itoa(d.Tries),
		d.UserID, stamp(d.CreatedAt), stamp(d.UpdatedAt), d.Link,
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// FileName is that of an export.
func FileName(org string, now time.Time) string {
	return "provisioning_" + org + "_" + now.UTC().Format("20060102T150405Z") + ".csv"
}

// ShareLink is the address of a template's page, below that of the portal.
func ShareLink(portal, org, template string) string {
	return strings.TrimRight(portal, "/") + "/activate/" + url.PathEscape(org) + "/" + url.PathEscape(template)
}

// OwnLink is ShareLink for one subscriber, whom it ties to whoever has it.
func OwnLink(portal string, key connector.LinkKey, s *connector.Subscriber) string {
	q := url.Values{"subscriber": {s.Name}, "key": {key.Subscriber(s)}}
	return ShareLink(portal, s.Org, s.Template) + "?" + q.Encode()
}
