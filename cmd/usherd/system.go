package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/system"
)

// daemonSystem tells the doors how the daemon is.
type daemonSystem struct {
	d     *daemon
	since time.Time // it serves
	disk  diskLook
}

// Standing is how the daemon is, and what of an organization it looks after.
func (p *daemonSystem) Standing(ctx context.Context, org string) (system.Standing, error) {
	d := p.d
	is := system.Standing{Next: map[string]time.Time{}, Disk: p.disk.look(d.app, d.current().file), Ends: d.endings(org)}
	health := d.replicaHealth()
	is.Leads, is.Leader = health.Leads, health.Leader
	for _, s := range d.sources(ctx) {
		name, ok := strings.CutPrefix(s.Source, org+"/")
		switch {
		case !ok:
			continue
		case s.Quarantined:
			is.Quarantined = append(is.Quarantined, name)
		}
		if next := s.Next; next != nil {
			is.Next[name] = *next
		}
		if s.Quarantined && s.NextTry != nil {
			is.Next[name] = *s.NextTry
		}
	}
	return is, nil
}

// Configuration is the one in force.
func (p *daemonSystem) Configuration() system.Configuration {
	s := p.d.current()
	is := system.Configuration{Path: s.file.Path, Revision: s.file.Revision, Loaded: s.since}
	if s.since.IsZero() {
		is.Loaded = p.since
	}
	for _, v := range s.file.Tree() {
		is.Values = append(is.Values, system.Value(v))
	}
	return is
}

// Differences are those between two revisions, without secrets.
func (p *daemonSystem) Differences(older, newer connector.Revision) ([]system.Difference, error) {
	var files [2]*config.File
	for i, r := range []connector.Revision{older, newer} {
		file, err := p.d.app.bare(r.ID, []byte(r.Text))
		if err != nil {
			return nil, &connector.Error{Kind: connector.Invalid, Op: "config", Err: fmt.Errorf("revision %s has faults for this version: %w", r.ID, err)}
		}
		files[i] = file
	}
	return differencesOf(files[0], files[1]), nil
}

// bare reads a text without its secrets.
func (a *app) bare(name string, text []byte) (*config.File, error) {
	o := config.LoadOptions{NoSecrets: true, Env: a.env}
	o.CredentialsDir, _ = a.env("CREDENTIALS_DIRECTORY")
	return config.Parse(filepath.Join(filepath.Dir(a.configPath), name), text, o)
}

func differencesOf(older, newer *config.File) (list []system.Difference) {
	for _, d := range config.Diff(older, newer) {
		list = append(list, system.Difference(d))
	}
	return list
}

// diskLook looks at the configuration file, and again when it is another one, or after a while: what it names may have changed.
type diskLook struct {
	mu      sync.Mutex
	at      time.Time
	changed time.Time
	size    int64
	against *config.File // that was in force
	is      system.Disk
}

// diskFor is how long a file that looks the same is taken for what it was.
const diskFor = time.Minute

func (l *diskLook) look(a *app, now *config.File) system.Disk {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := os.Stat(a.configPath)
	same := err == nil && info.ModTime().Equal(l.changed) && info.Size() == l.size && l.against == now
	if since := a.now().Sub(l.at); same && since >= 0 && since < diskFor {
		return l.is
	}
	l.at, l.against, l.is = a.now(), now, onDisk(a, now)
	if err == nil {
		l.changed, l.size = info.ModTime(), info.Size()
	}
	return l.is
}

// onDisk checks the file as usherd check does.
func onDisk(a *app, now *config.File) system.Disk {
	is := system.Disk{Path: a.configPath}
	file, err := a.checked()
	if faults, ok := errors.AsType[config.Faults](err); ok {
		for _, f := range faults {
			is.Faults = append(is.Faults, system.Fault(f))
		}
		return is
	}
	if err != nil {
		is.Error = err.Error()
		return is
	}
	is.Revision, is.Differences = file.Revision, differencesOf(now, file)
	return is
}

// endings are the certificates of the doors, of our signatures, and of the identity providers of an organization, soonest first.
func (d *daemon) endings(org string) []system.Ending {
	var list []system.Ending
	for _, l := range d.listeners() {
		if c := l.certificate(); c != nil {
			list = append(list, system.Ending{Name: l.what + ".tls", Ends: c.NotAfter})
		}
	}
	if d.signOn != nil {
		list = append(list, d.signOn.idps.endings(org)...)
	}
	slices.SortStableFunc(list, func(x, y system.Ending) int { return x.Ends.Compare(y.Ends) })
	return list
}

// endings are the certificates of our signatures, and of the identity providers of an organization.
func (x *idps) endings(org string) (list []system.Ending) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range x.keys {
		list = append(list, system.Ending{Name: k.Certificate.Subject.String(), Ends: k.Certificate.NotAfter})
	}
	for key, i := range x.all {
		if key.Org != org || i.code != 0 {
			continue
		}
		for _, c := range i.is.Certificates {
			list = append(list, system.Ending{Source: key.ID, Name: c.Subject.String(), Ends: c.NotAfter})
		}
	}
	return list
}

// listeners are those of the doors that there are.
func (d *daemon) listeners() (list []*listener) {
	if d.door != nil {
		list = append(list, d.door.listener)
	}
	if d.signOn != nil {
		list = append(list, d.signOn.listener)
	}
	if d.portal != nil {
		list = append(list, d.portal.listener)
	}
	if d.api != nil {
		list = append(list, d.api.listener)
	}
	if d.console != nil {
		list = append(list, d.console.listener)
	}
	return list
}

// certificate is that of the door, nil where it speaks plain HTTP.
func (x *listener) certificate() *x509.Certificate {
	if x.tls == nil {
		return nil
	}
	pair, err := x.tls.GetCertificate(nil)
	if err != nil {
		return nil
	}
	return pair.Leaf
}
