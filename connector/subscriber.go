package connector

import (
	"context"
	"strings"
	"time"
)

// TemplateSettings say how people activate themselves under a template. Package, approval and allowed domains are those
// of the source of the same id (Kind Template).
type TemplateSettings struct {
	ID   string // of the source
	Name string // for people
	// Untrusted says that the address which the upstream system announces is not believed: the person has to enter one,
	// and to prove it.
	Untrusted bool
	// Unannounced lets people activate whom nobody has announced.
	Unannounced bool
	Languages   []string // of its pages and mails, first is the default; none = the organization's
	Fields      []string // attributes that the portal asks for; they count where the upstream system says nothing
}

// Template returns the settings of the template with that id, or nil.
func (o *Organization) Template(id string) *TemplateSettings {
	for i := range o.Templates {
		if o.Templates[i].ID == id {
			return &o.Templates[i]
		}
	}
	return nil
}

// LanguagesOf are the languages of a template's pages and mails.
func (o *Organization) LanguagesOf(t *TemplateSettings) []string {
	if t != nil && len(t.Languages) > 0 {
		return t.Languages
	}
	return o.Languages
}

// SubscriberStatus is how far a subscriber has come.
type SubscriberStatus string

// The statuses of domain.md section 4.
const (
	PendingEmailInput      SubscriberStatus = "pending_email_input"      // the person has to enter an address
	PendingEmailValidation SubscriberStatus = "pending_email_validation" // a mail with a link is on its way to it
	PendingClaim           SubscriberStatus = "pending_claim"            // a user of another organization has the address
	Provisioning           SubscriberStatus = "provisioning"             // there is an account, which waits for approval
	Provisioned            SubscriberStatus = "provisioned"
	Updating               SubscriberStatus = "updating" // there is an account, and a change of it waits for a seat
	SubscriberError        SubscriberStatus = "error"
)

// SubscriberStatuses are all of them in the order in which they are shown.
func SubscriberStatuses() []SubscriberStatus {
	return []SubscriberStatus{PendingEmailInput, PendingEmailValidation, PendingClaim, Provisioning, Provisioned, Updating, SubscriberError}
}

// Subscriber is a person whom an upstream system has announced under a template, or who came by itself where the
// template allows it.
type Subscriber struct {
	ID       ID // made when it was announced, so that ids grow with time
	Org      string
	Template string
	// Name is the subscriber id: how the upstream system calls the person, compared by Fold. Whoever came by itself is
	// called by the address.
	Name      string
	Announced bool
	// Profile is what was announced, the address included. Given is what the person wrote into the form of the portal: it
	// counts where nothing was announced.
	Profile Profile
	Given   Profile
	Package string // announced, or chosen by an administrator; "" = the template's

	Status SubscriberStatus
	// Email is the address that the account has or is to have: the announced one where it is believed, else the one that
	// was entered last.
	Email    string
	Language string // of mails; "" = the template's first
	// ProvenAt is when the holder of Email has proved it; zero = not yet.
	ProvenAt time.Time
	// LinksSince: links that were sent before are good for nothing.
	LinksSince time.Time
	User       ID       // the account; zero = there is none
	Failure    *Failure // why the last attempt failed; nil = it did not
	Tries      int      // attempts to provision

	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // grows by one with each change; 1 when it is stored first
}

// Anchor is how the source knows the person.
func (s *Subscriber) Anchor() Anchor { return Anchor{Kind: TextAnchor, Raw: Fold(s.Name)} }

// Believed is the address that may be used without a word of the person: the proven one, or the announced one where
// the template trusts it. "" = there is none.
func (s *Subscriber) Believed(t *TemplateSettings) string {
	switch {
	case !s.ProvenAt.IsZero():
		return s.Email
	case s.Announced && !t.Untrusted:
		return s.Profile.Get(Email)
	}
	return ""
}

// Record is what the source says of the person, with that address.
func (s *Subscriber) Record(email string) *Record {
	p := s.Profile.Clone()
	if p == nil {
		p = Profile{}
	}
	for name, values := range s.Given {
		if _, announced := p[name]; !announced {
			p.Set(name, values...)
		}
	}
	p.Set(Email, email)
	r := &Record{Anchor: s.Anchor(), Enabled: EnabledYes, Package: s.Package}
	for _, name := range p.Names() {
		a := Attribute{Name: name}
		for _, v := range p[name] {
			a.Values = append(a.Values, []byte(v))
		}
		r.Attributes = append(r.Attributes, a)
	}
	return r
}

// Shown is what people call the subscriber: the name of the person, else the subscriber id.
func (s *Subscriber) Shown() string {
	for _, p := range []Profile{s.Profile, s.Given} {
		if n := p.Get(DisplayName); n != "" {
			return n
		}
	}
	full := strings.TrimSpace(s.value(GivenName) + " " + s.value(FamilyName))
	if full == "" {
		return s.Name
	}
	return full
}

func (s *Subscriber) value(name string) string {
	if v := s.Profile.Get(name); v != "" {
		return v
	}
	return s.Given.Get(name)
}

// SubscriberEvent is one thing that happened to a subscriber.
type SubscriberEvent struct {
	ID     ID // grows with time
	At     time.Time
	What   SubscriberStep
	Actor  string           // who did it: "cli:root", "portal", "waiting list"
	Status SubscriberStatus // afterwards
	Email  string           // that it was about; "" = none
	Code   Code             // of the failure; 0 = none
	Reason Reason
	Detail string // of the failure, or one sentence in English
	Ref    string // of the failure
}

// SubscriberStep says what happened.
type SubscriberStep string

// The steps.
const (
	StepAnnounced   SubscriberStep = "announced"
	StepAsked       SubscriberStep = "link_sent"   // a link was sent to the address
	StepProved      SubscriberStep = "proved"      // the link was used
	StepProvisioned SubscriberStep = "provisioned" // the account was created, found or changed
	StepRefused     SubscriberStep = "refused"     // there is a failure
	StepPackage     SubscriberStep = "package"     // an administrator has chosen another one
	StepAccount     SubscriberStep = "account"     // something else has changed the account
	StepRetried     SubscriberStep = "retried"     // an administrator has asked for another attempt
)

// SubscriberQuery chooses subscribers of a list in the order in which they came; empty fields choose all.
type SubscriberQuery struct {
	Org      string
	Template string
	Status   SubscriberStatus
	// HideProvisioned leaves out whoever is provisioned.
	HideProvisioned bool
	Reason          Reason // of the last failure
	Search          string // beginning of the subscriber id or of an address, in any case
	After           string // what the page before gave as next
	Limit           int    // at most 1,000, which is also what 0 means
}

// SubscriberReader reads subscribers. What it returns belongs to the caller.
type SubscriberReader interface {
	// Subscriber returns one, or an error of Kind NotFound.
	Subscriber(ctx context.Context, org string, id ID) (*Subscriber, error)
	// SubscribersNamed returns those of a template with these subscriber ids; absent ones are left out.
	SubscribersNamed(ctx context.Context, org, template string, names []string) ([]*Subscriber, error)
	// SubscribersByEmail returns at most a few of a template ("" = of any) whose announced address, or the one they
	// have entered, it is.
	SubscribersByEmail(ctx context.Context, org, template, email string) ([]*Subscriber, error)
	// SubscribersOfUsers returns those whose accounts these are.
	SubscribersOfUsers(ctx context.Context, org string, users []ID) ([]*Subscriber, error)
	// Subscribers returns a page; next is "" after the last one.
	Subscribers(ctx context.Context, q SubscriberQuery) (list []*Subscriber, next string, err error)
	// CountSubscribers counts those of a template ("" = of all) by status.
	CountSubscribers(ctx context.Context, org, template string) (map[SubscriberStatus]int, error)
	// SubscriberEvents returns what happened to one, latest first, at most limit.
	SubscriberEvents(ctx context.Context, org string, id ID, limit int) ([]SubscriberEvent, error)
}

// SubscriberWriter writes subscribers.
type SubscriberWriter interface {
	// PutSubscriber stores one and what happened to it. It is new where its Version is 0; the version that is stored
	// is one more, and s has it afterwards. It fails with ErrMoved where another one is stored, or another subscriber of
	// the template has the name.
	PutSubscriber(ctx context.Context, s *Subscriber, events ...SubscriberEvent) error
	// DeleteSubscriber forgets one with all that happened to it.
	DeleteSubscriber(ctx context.Context, s *Subscriber) error
}

// Announcement is what an upstream system says of a person under a template.
type Announcement struct {
	Template string
	Name     string  // the subscriber id
	Profile  Profile // with the address, where there is one
	Package  string  // "" = the template's
}

// Same reports whether the announcement says what is known of the subscriber already.
func (a *Announcement) Same(s *Subscriber) bool {
	return s.Announced && s.Profile.Equal(a.Profile) && (a.Package == "" || a.Package == s.Package)
}

// Announceable are the attributes that may be announced: those of a profile that are plain values, and Member Status,
// which is refused by the rules as at every door.
func Announceable(name string) bool {
	info, ok := AttributeByName(name)
	return ok && info.Type != ElementsType && info.Type != BinaryType
}
