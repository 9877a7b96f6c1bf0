package config

import (
	"net"
	"net/url"
	"time"

	"usherd/connector"
	"usherd/connector/notice"
	"usherd/connector/policy"
)

const (
	usualSeatsUnder = "10%"
	usualEvery      = connector.Duration(time.Hour)
)

// Reports says which administrators are told of what happens without their asking: by mail, by webhooks, or both.
type Reports struct {
	// Recipients get mails, by the server of the block mail.
	Recipients []Recipient `yaml:"recipients,omitempty"`
	// Webhooks are programs that get a signed JSON document for each event.
	Webhooks []Webhook `yaml:"webhooks,omitempty"`
	// SeatsUnder is how few free seats of a package are told of: a number, as in 20, or a part of its seats; default 10%.
	SeatsUnder string `yaml:"seats_under,omitempty"`
}

// Recipient is an administrator who gets mails.
type Recipient struct {
	// ID is a short name, unique among recipients and webhooks, that usherd reports uses.
	ID string `yaml:"id"`
	// Email is where the mails go.
	Email string `yaml:"email"`
	// Language is that of the mails; default the first one of the organization.
	Language string `yaml:"language,omitempty"`
	// Organizations are ids of those of which mails tell, each in mails of its own. Left out, it is all of them.
	Organizations []string `yaml:"organizations,omitempty"`
	// Events are what mails tell of. Left out, it is everything.
	Events []string `yaml:"events,omitempty"`
	// Every is how much time lies between two mails about runs that have changed or refused people: what comes meanwhile is told in one.
	// What is urgent goes at once; default 1h.
	Every connector.Duration `yaml:"every,omitempty"`
}

// Webhook is a program that is told by HTTP, signed as Standard Webhooks say.
type Webhook struct {
	// ID is a short name, unique among recipients and webhooks, that usherd reports uses.
	ID string `yaml:"id"`
	// URL is where the documents are posted: https, or http on this machine. Redirects are not followed, and no proxy is used.
	URL string `yaml:"url"`
	// Secret is the key that they are signed by: whsec_ with at least 24 bytes in base64, or as many characters.
	Secret connector.Secret `yaml:"secret"`
	// Organizations are ids of those of which it is told. Left out, it is all of them.
	Organizations []string `yaml:"organizations,omitempty"`
	// Events are what it is told of. Left out, it is everything.
	Events []string `yaml:"events,omitempty"`
}

// Targets are all who are told; nil has none. It is for a configuration without faults.
func (r *Reports) Targets() []notice.Target {
	if r == nil {
		return nil
	}
	var list []notice.Target
	for _, x := range r.Recipients {
		list = append(list, notice.Target{
			Name: x.ID, Channel: connector.ByMail, Email: x.Email, Language: x.Language, Organizations: x.Organizations, Events: noticeKinds(x.Events),
			Every: time.Duration(x.Every),
		})
	}
	for _, x := range r.Webhooks {
		secret, _ := notice.ParseSecret(x.Secret) // it has been checked
		list = append(list, notice.Target{
			Name: x.ID, Channel: connector.ByWebhook, URL: x.URL, Secret: secret, Organizations: x.Organizations, Events: noticeKinds(x.Events),
		})
	}
	return list
}

// Limit is SeatsUnder; nil has the default.
func (r *Reports) Limit() notice.Limit {
	text := usualSeatsUnder
	if r != nil {
		text = r.SeatsUnder
	}
	l, _ := notice.ParseLimit(text) // it has been checked
	return l
}

func noticeKinds(words []string) []connector.NoticeKind {
	var list []connector.NoticeKind
	for _, w := range words {
		list = append(list, connector.NoticeKind(w))
	}
	return list
}

// eventWords are the words for what can be told.
func eventWords() []string {
	var list []string
	for _, k := range connector.NoticeKinds() {
		list = append(list, string(k))
	}
	return list
}

// reports checks who is told of what, and fills in defaults.
func (v *validator) reports() {
	r := v.config.Reports
	if r == nil {
		return
	}
	if r.SeatsUnder == "" {
		r.SeatsUnder = usualSeatsUnder
	}
	if _, err := notice.ParseLimit(r.SeatsUnder); err != nil {
		v.reject("reports.seats_under", "%q: %s", clip(r.SeatsUnder), err)
	}
	if len(r.Recipients)+len(r.Webhooks) == 0 {
		v.doubt("reports", "nobody is told: write recipients, webhooks, or both")
	}
	if len(r.Recipients) > 0 && v.config.Mail == nil {
		v.doubt("reports.recipients", "there is no mail block: reports wait in the outbox")
	}
	ids := map[string]int{}
	for i := range r.Recipients {
		x, at := &r.Recipients[i], index("reports.recipients", i)
		v.id("recipient or webhook", x.ID, at, ids)
		if err := policy.CheckAddress(x.Email); err != nil {
			v.reject(join(at, "email"), "%q is no e-mail address: %s", clip(x.Email), err)
		}
		v.word(join(at, "language"), x.Language, "languages")
		v.period(join(at, "every"), &x.Every, usualEvery)
		v.wants(at, x.Organizations, x.Events)
	}
	for i := range r.Webhooks {
		x, at := &r.Webhooks[i], index("reports.webhooks", i)
		v.id("recipient or webhook", x.ID, at, ids)
		v.hook(at, x)
		v.wants(at, x.Organizations, x.Events)
	}
}

// hook checks where a webhook is and by what it is signed. The address is not quoted: it may hold a key.
func (v *validator) hook(at string, x *Webhook) {
	u, err := url.Parse(x.URL)
	switch {
	case x.URL == "":
		v.reject(join(at, "url"), "it is not said where the documents go: write an address, as in https://chat.example.com/hooks/usherd")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "":
		v.reject(join(at, "url"), "this is no address for documents: write it as in https://chat.example.com/hooks/usherd")
	case u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")):
		v.reject(join(at, "url"), "everybody on the way could read and change what is sent: write https://%s", clip(u.Host))
	}
	if x.Secret.IsZero() {
		v.reject(join(at, "secret"), "without a secret the receiver cannot tell who has sent it: %s", secretForms)
		return
	}
	if v.get.none {
		return
	}
	if _, err := notice.ParseSecret(x.Secret); err != nil {
		v.reject(join(at, "secret"), "%s", err)
	}
}

// wants checks of which organizations and events somebody is told.
func (v *validator) wants(at string, organizations, events []string) {
	for key, list := range map[string][]string{"organizations": organizations, "events": events} {
		if list != nil && len(list) == 0 {
			v.reject(join(at, key), "an empty list could mean nothing or everything: name what is meant, or leave it out for everything")
		}
	}
	v.organizations(join(at, "organizations"), organizations)
	v.list(join(at, "events"), events, func(at, s string) { v.word(at, s, "reports.recipients.events") })
}
