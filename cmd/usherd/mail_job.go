package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/notify"
	"usherd/ldapsync"
)

// keepMails is how long mails that are done are kept, and links after their time is over: whoever still uses one is told that
// it has ended.
const keepMails = 30 * 24 * time.Hour

// postman empties the outbox while this daemon leads.
type postman struct {
	notifier *notify.Notifier
	daemon   *daemon
	file     *config.File // whose mail server smtp is
	smtp     *notify.SMTP
}

// newPostman puts it together. Nothing is sent before serve.
func (d *daemon) newPostman(ctx context.Context) (*postman, error) {
	links, err := linkKey(ctx, d.site.db)
	if err != nil {
		return nil, err
	}
	p := &postman{daemon: d}
	p.notifier, err = notify.New(notify.Options{
		Store: d.site.db, Links: links, Settings: p.settings, Now: d.app.now, Log: d.log, Metrics: notify.NewMetrics(d.metrics.registry),
	})
	if err == nil && d.site.file.Config.Mail != nil { // a file that cannot be read is told at the start, and not with the first mail
		_, err = notify.NewSMTP(*d.site.file.Config.Mail)
	}
	return p, err
}

// settings are those of the configuration in force.
func (p *postman) settings() notify.Settings {
	s := p.daemon.current()
	if s.file != p.file {
		p.file, p.smtp = s.file, nil
		if c := s.file.Config.Mail; c != nil {
			var err error
			if p.smtp, err = notify.NewSMTP(*c); err != nil {
				p.daemon.log.Error("mails cannot be sent", zap.Error(err), zap.String("what_to_do", connector.HintOf(err)))
			}
		}
	}
	out := notify.Settings{SMTP: p.smtp, Organizations: map[string]notify.Organization{}}
	if c := s.file.Config.Portal; c != nil {
		out.Portal = c.URL
	}
	if c := s.file.Config.Console; c != nil {
		out.Console = c.URL
	}
	for _, o := range s.orgs {
		out.Organizations[o.Org.ID] = notify.Organization{Settings: o.Org, Answerer: o.prov}
	}
	return out
}

// forgetMails drops mails that are done, and links that have ended.
func (d *daemon) forgetMails(ctx context.Context, s *site) error {
	before := d.app.now().Add(-keepMails)
	n, err := s.db.DropMails(ctx, before)
	if n > 0 {
		d.log.Info("old mails forgotten", zap.Int("mails", n))
	}
	_, late := s.db.DropMailLinks(ctx, before)
	return errors.Join(err, late)
}

// checkMail tries whether the mail server takes us.
func (a *app) checkMail(ctx context.Context, file *config.File, o outputFlag) ([]checkStep, error) {
	c := file.Config.Mail
	if c == nil {
		return nil, nil
	}
	began := a.now()
	server, err := notify.NewSMTP(*c)
	if err == nil {
		err = server.Check(ctx)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	x := ldapsync.Step{Name: "mail", Server: c.Server, Detail: "the server takes us", Took: a.now().Sub(began), Err: err}
	if err != nil {
		a.worse(exitError)
		x.Detail = ""
	}
	if !o.json() {
		fmt.Fprintf(a.out, "\nmail, %s\n", c.Server)
		a.showStep(x)
	}
	return []checkStep{step("", "", x)}, nil
}

// outbox counts the mails that are not sent, when it is asked.
type outbox struct {
	daemon *daemon
	mails  *prometheus.Desc
}

func newOutbox(d *daemon) *outbox {
	return &outbox{d, prometheus.NewDesc("usherd_outbox_messages", "Mails in the outbox, by state.", []string{"org", "state"}, nil)}
}

// Describe implements prometheus.Collector.
func (x *outbox) Describe(c chan<- *prometheus.Desc) { c <- x.mails }

// scrapeTime bounds how long a scrape waits for the store.
const scrapeTime = 5 * time.Second

// Collect implements prometheus.Collector.
func (x *outbox) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	s := x.daemon.current()
	for _, o := range s.orgs {
		for _, state := range []connector.MailState{connector.MailWaiting, connector.MailFailed} {
			n, err := s.db.CountMails(ctx, o.Org.ID, state)
			if err != nil {
				c <- prometheus.NewInvalidMetric(x.mails, err)
				return
			}
			c <- prometheus.MustNewConstMetric(x.mails, prometheus.GaugeValue, float64(n), o.Org.ID, string(state))
		}
	}
}
