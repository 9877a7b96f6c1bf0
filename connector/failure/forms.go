package failure

import (
	"encoding/xml"
	"slices"
	"time"

	"usherd/connector"
)

// Document is a failure as JSON, in the API, reports and exports. Names of members never change.
type Document struct {
	Code    int       `json:"code"`
	Reason  string    `json:"reason"`
	Title   string    `json:"title"`
	Message string    `json:"message"`
	Remedy  []string  `json:"remedy"`
	Fields  []string  `json:"fields,omitempty"` // names of attributes, not labels
	Org     string    `json:"org,omitempty"`
	Source  string    `json:"source,omitempty"`
	Subject string    `json:"subject,omitempty"`
	UserID  string    `json:"user_id,omitempty"`
	Ref     string    `json:"ref,omitempty"`
	At      time.Time `json:"at,omitzero"` // UTC
	Package string    `json:"package,omitempty"`
	Domain  string    `json:"domain,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// Document returns f with its texts in the language that fits lang best.
func (c *Catalogue) Document(f connector.Failure, lang string) Document {
	t := c.Text(f, lang)
	return Document{
		Code: int(f.Code), Reason: string(f.Reason), Title: t.Title, Message: t.Message, Remedy: t.Remedy,
		Fields: slices.Clone(f.Fields), Org: f.Org, Source: f.Source, Subject: f.Subject, UserID: f.UserID.String(),
		Ref: f.Ref, At: f.At.UTC(), Package: f.Package, Domain: f.Domain, Detail: f.Detail,
	}
}

// FederatedSSO is a failure as XML, for clients that expect that form.
type FederatedSSO struct {
	XMLName   xml.Name `xml:"federatedSSO"`
	Title     string   `xml:"title"`
	Status    string   `xml:"status"` // always FAILURE
	ErrorCode int      `xml:"errorcode"`
	Reason    string   `xml:"reason"` // slug and what it is about: "required_missing: First Name, Email"
}

// FederatedSSO returns f in its XML form; encoding/xml writes it.
func (c *Catalogue) FederatedSSO(f connector.Failure, lang string) FederatedSSO {
	lang = Match(lang)
	return FederatedSSO{Title: c.title(f.Code, lang), Status: "FAILURE", ErrorCode: int(f.Code), Reason: c.cause(f, lang)}
}

// Entry is one code of the catalogue.
type Entry struct {
	Code    connector.Code
	Title   string
	Reasons []connector.Reason
}

// Codes returns all codes in order with their titles and reasons, for a list.
func (c *Catalogue) Codes(lang string) []Entry {
	lang = Match(lang)
	list := make([]Entry, 0, lastCode)
	for code := connector.Code(1); code <= lastCode; code++ {
		list = append(list, Entry{code, c.title(code, lang), Reasons(code)})
	}
	return list
}

// Description is all that the catalogue says of one code.
type Description struct {
	Code    connector.Code
	Title   string
	Reasons []ReasonText

	NeverTitle, BeforeTitle string   // headings of the checklists
	Never, Before           []string // nil but for code 31
}

// ReasonText is all that the catalogue says of one reason of a code.
type ReasonText struct {
	Reason  connector.Reason
	When    string
	Message string
	Remedy  []string
}

// Describe returns all there is of a code; ok is false for one that does not exist.
func (c *Catalogue) Describe(code connector.Code, lang string) (d Description, ok bool) {
	reasons := Reasons(code)
	if reasons == nil {
		return d, false
	}
	lang = Match(lang)
	d = Description{Code: code, Title: c.title(code, lang)}
	for _, r := range reasons {
		t := c.Text(connector.Failure{Code: code, Reason: r}, lang)
		d.Reasons = append(d.Reasons, ReasonText{r, c.When(r, lang), t.Message, t.Remedy})
		d.Never, d.Before = t.Never, t.Before
	}
	if d.Never != nil {
		d.NeverTitle, d.BeforeTitle = c.ChecklistTitles(lang)
	}
	return d, true
}

// When says in one or two sentences when the reason is given; "" for an unknown one.
func (c *Catalogue) When(reason connector.Reason, lang string) string {
	key := "reason." + string(reason) + ".when"
	if !c.texts.Has(key) {
		return ""
	}
	return c.texts.Text(Match(lang), key, nil)
}
