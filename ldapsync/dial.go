package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// dialOptions is what dial needs.
type dialOptions struct {
	Config   *Config
	Resolver *net.Resolver // nil = net.DefaultResolver
	Observe  func(Step)    // nil = nobody
	Now      func() time.Time
	// Dial opens the connection, nil = a net.Dialer. Names are not resolved beforehand when it is set.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	defaultConnectTimeout = 10 * time.Second
	defaultReadTimeout    = time.Minute
)

func (o *dialOptions) connectTimeout() time.Duration {
	return o.Config.ConnectTimeout.Or(defaultConnectTimeout)
}

// conn is one authenticated connection for one stream at a time. Not safe for concurrent use.
type conn struct {
	server  string // as in the configuration, or as DNS gave it
	net     net.Conn
	raw     net.Conn // the socket below net; the same when there is no TLS
	in      *messages
	silence *silence
	lastID  int // message id of the last request
	broken  atomic.Bool
	once    sync.Once
}

// firstID is above every message id that go-ldap has used on the connection.
const firstID = 1 << 20

// newConn takes over a connection that is bound; raw is the socket below nc.
func newConn(server string, nc, raw net.Conn, readTimeout time.Duration) *conn {
	s := newSilence(raw, readTimeout)
	return &conn{server: server, net: nc, raw: raw, silence: s, in: newMessages(nc, s), lastID: firstID}
}

// Close says goodbye and closes the connection. Closing twice does nothing.
func (c *conn) Close() error {
	if c.broken.Load() {
		return nil
	}
	c.silence.limit = min(c.silence.limit, time.Second)
	b := appendInt(nil, tagInteger, c.lastID+1)
	_ = c.silence.write(c.net, appendTLV(nil, tagSequence, append(b, tagUnbind, 0))) // RFC 4511 section 4.3
	c.shut()
	return nil
}

// shut closes the socket: at once, whoever reads from it. It may be called from anywhere.
func (c *conn) shut() {
	c.broken.Store(true)
	c.once.Do(func() { _ = c.raw.Close() })
}

// within lets reads end with os.ErrDeadlineExceeded after d, until lift is called. It interrupts a read like a
// tap does, and so does a tls.Conn no harm.
func (c *conn) within(d time.Duration) (lift func()) {
	fired := make(chan struct{})
	timer := time.AfterFunc(d, func() {
		defer close(fired)
		_ = c.net.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !timer.Stop() {
			<-fired
		}
		_ = c.net.SetReadDeadline(time.Time{})
	}
}

// dial connects to the first server that answers and binds. Each server gets ConnectTimeout for all of
// it. It stops at a refusal that concerns the account, which all servers share: going on would lock it.
func dial(ctx context.Context, o dialOptions) (*conn, error) {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	cred, err := o.credentials()
	if err != nil {
		return nil, err
	}
	defer cred.close()
	list, err := o.targets(ctx)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, t := range list {
		c, err := o.dialOne(ctx, t, cred)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		faults = append(faults, err)
		if concernsAccount(err) || cred.lost() {
			break
		}
	}
	return nil, combine(faults)
}

// combine makes one error of those of several servers. What does not pass by itself counts for more
// than what does.
func combine(faults []error) error {
	if len(faults) == 1 {
		return faults[0]
	}
	worst := faults[len(faults)-1]
	for _, err := range faults {
		if connector.KindOf(err) != connector.Unavailable {
			worst = err
		}
	}
	return &connector.Error{
		Kind: connector.KindOf(worst), Op: "ldapsync: connect to any server", Err: errors.Join(faults...),
		Hint: connector.HintOf(worst),
	}
}

// dialOne does all steps with one server.
func (o *dialOptions) dialOne(ctx context.Context, t target, cred credentials) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.connectTimeout())
	defer cancel()
	if err := o.resolve(ctx, t); err != nil {
		return nil, o.inTime(ctx, "resolve", t, err)
	}
	raw, err := o.connect(ctx, t)
	if err != nil {
		return nil, o.inTime(ctx, "connect", t, err)
	}
	nc, err := o.secure(ctx, t, raw)
	if err == nil {
		err = o.bind(ctx, t, nc, raw, cred)
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return newConn(t.url, nc, raw, o.Config.ReadTimeout.Or(defaultReadTimeout)), nil
}

// connect opens the socket.
func (o *dialOptions) connect(ctx context.Context, t target) (net.Conn, error) {
	dialer := &net.Dialer{Resolver: o.Resolver, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4,
	}}
	open := dialer.DialContext
	if o.Dial != nil {
		open = o.Dial
	}
	var c net.Conn
	err := o.step("connect", t.url, func() (string, error) {
		var err error
		if c, err = open(ctx, t.network, t.address); err != nil {
			return "", &connector.Error{
				Kind: connector.Unavailable, Op: "ldapsync: connect " + t.url, Err: err,
				Hint: "check that the server runs, and that no firewall is in between",
			}
		}
		return c.RemoteAddr().String(), nil
	})
	return c, err
}

// inTime replaces err when it only says that the time was over.
func (o *dialOptions) inTime(ctx context.Context, step string, t target, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return &connector.Error{
		Kind: connector.Unavailable, Op: "ldapsync: " + step + " " + t.url,
		Err:  fmt.Errorf("no answer within %v", o.connectTimeout()),
		Hint: "check that the server is well and that no firewall is in between, or raise connect_timeout",
	}
}
