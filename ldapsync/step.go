package ldapsync

import "time"

// Step is one thing done on the way to a usable connection, told as it ends. The names are "resolve",
// "connect", "tls", "kerberos" and "bind"; what stands above the connection adds its own.
type Step struct {
	Name   string
	Server string // as in the configuration, or as DNS gave it
	Detail string // what was found, for people: addresses, the certificate chain, who is bound
	Took   time.Duration
	Err    error // nil when it went well
}

// step runs f as a Step and tells the observer how it went.
func (o *dialOptions) step(name, server string, f func() (detail string, err error)) error {
	start := o.Now()
	detail, err := f()
	if o.Observe != nil {
		o.Observe(Step{Name: name, Server: server, Detail: detail, Took: o.Now().Sub(start), Err: err})
	}
	return err
}
