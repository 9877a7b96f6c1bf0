package notify

import "usherd/connector"

// The ways to TLS.
const (
	StartTLS = "starttls" // STARTTLS, which the server must know
	Implicit = "implicit" // TLS from the first byte on
	NoTLS    = "none"
)

// Config is how mails are sent.
type Config struct {
	// Server is host:port of the mail server that takes mails for everybody: 587 with starttls, 465 with implicit TLS.
	Server string `yaml:"server"`
	// TLS is starttls, implicit, or none, which is allowed on a loopback address only; default starttls.
	TLS string `yaml:"tls,omitempty"`
	// CAFile holds the certificates of the authorities that the server's is checked with (PEM); default those of the machine.
	CAFile string `yaml:"ca_file,omitempty"`
	// User is the account on the server; left out, there is none.
	User string `yaml:"user,omitempty"`
	// Password is that of User.
	Password connector.Secret `yaml:"password,omitempty"`
	// From is the sender of all mails: accounts@example.com, or Example accounts <accounts@example.com>.
	From string `yaml:"from"`
	// ReplyTo is the address that answers go to; default that of From.
	ReplyTo string `yaml:"reply_to,omitempty"`
	// Rate is how many mails are sent in a minute at most; default 300.
	Rate int `yaml:"rate,omitempty"`
	// Hello is the name by which usherd greets the server; default that of the machine.
	Hello string `yaml:"hello,omitempty"`
}
