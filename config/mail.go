package config

import (
	"net/mail"

	"usherd/connector/notify"
	"usherd/connector/policy"
)

const (
	inviteAuto = "auto"
	maxRate    = 6000 // mails a minute
)

// mail checks how mails are sent, and fills in defaults.
func (v *validator) mail() {
	c := v.config.Mail
	if c == nil {
		return
	}
	v.word("mail.tls", c.TLS, "mail.tls")
	if c.TLS == "" {
		c.TLS = notify.StartTLS
	}
	if c.Server == "" {
		v.reject("mail.server", "it is not said which mail server takes the mails: write host:port, as in smtp.example.com:587")
	} else {
		v.address("mail.server", c.Server, "smtp.example.com:587")
	}
	if c.TLS == notify.NoTLS && !loopback(c.Server) {
		v.reject("mail.tls", "what is in the mails, links and the password would cross the network in the clear: write starttls or implicit")
	}
	switch {
	case c.User != "" && c.Password.IsZero():
		v.reject("mail.password", "there is a user without a password: %s", secretForms)
	case c.User == "" && !c.Password.IsZero():
		v.reject("mail.user", "there is a password without a user: write the account on the mail server")
	}
	v.sender(c.From)
	if c.ReplyTo != "" {
		if err := policy.CheckAddress(c.ReplyTo); err != nil {
			v.reject("mail.reply_to", "%q is no e-mail address: %s", clip(c.ReplyTo), err)
		}
	}
	if c.Rate < 0 || c.Rate > maxRate || c.Rate == 0 && v.given("mail.rate") {
		v.reject("mail.rate", "%d is out of range: write 1 to %d mails a minute", c.Rate, maxRate)
	}
	c.CAFile = v.absolute(c.CAFile)
	if v.config.Portal == nil {
		v.doubt("mail", "there is no portal block: mails with a link have nowhere to lead to, and wait")
	}
}

// sender checks the address that mails come from.
func (v *validator) sender(from string) {
	if from == "" {
		v.reject("mail.from", "it is not said who sends the mails: write an address, as in accounts@example.com")
		return
	}
	a, err := mail.ParseAddress(from)
	if err == nil {
		err = policy.CheckAddress(a.Address)
	}
	if err != nil {
		v.reject("mail.from", "%q is no sender: write it as in accounts@example.com, or as in Example accounts <accounts@example.com>", clip(from))
	}
}

// letters checks what an organization says of mails and of the pages for its people.
func (v *validator) letters(o *Organization, path string) {
	v.word(join(path, "invite"), o.Invite, "invite")
	if o.Invite == inviteAuto && v.config.Mail == nil {
		v.doubt(join(path, "invite"), "nobody is invited: there is no mail block at the top of the file, so that invitations wait in the outbox")
	}
	if o.Application != "" {
		v.webAddress(join(path, "application"), o.Application, "https://app.example.com")
	}
}
