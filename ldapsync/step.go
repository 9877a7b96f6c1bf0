package ldapsync

import "usherd/connector"

// Step is one thing done on the way to a usable connection, told as it ends.
type Step = connector.CheckStep

// step runs f as a Step and tells the observer how it went.
func (o *dialOptions) step(name, server string, f func() (detail string, err error)) error {
	start := o.Now()
	detail, err := f()
	if o.Observe != nil {
		o.Observe(Step{Name: name, Server: server, Detail: detail, Took: o.Now().Sub(start), Err: err})
	}
	return err
}
