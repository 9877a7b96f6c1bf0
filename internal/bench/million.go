package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
)

const (
	millionRoot    = "dc=example,dc=test"
	millionPeople  = "ou=People," + millionRoot
	millionReader  = "cn=sync," + millionRoot
	millionSecret  = "secret"
	millionChanged = 1000
	changeOrder    = "change"
)

// million is a site whose directory is this program in a second process: whatever a process holds, those
// that it starts count as their own peak.
type million struct {
	*site
	orders  io.WriteCloser
	answers *bufio.Scanner
	cmd     *exec.Cmd
}

// startMillion fills a directory and writes the configuration of an usherd that reads it.
func (b *bench) startMillion(ctx context.Context) (_ *million, err error) {
	b.fill("a directory in memory with %d people", b.o.million)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "million")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ca := filepath.Join(dir, "ca.pem")
	m := &million{cmd: exec.CommandContext(ctx, self, "-serve", ca, "-people", strconv.Itoa(b.o.million))} //nolint:gosec // this program
	m.cmd.Stderr = b.o.log
	if m.orders, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.answers = bufio.NewScanner(out)
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	url, err := m.answer()
	if err != nil {
		return nil, err
	}
	m.site = &site{
		server: &testserver.Server{LDAPSURL: url, CAFile: ca, Host: "127.0.0.1", SyncDN: millionReader, SyncPassword: millionSecret},
		size:   b.o.million, people: millionPeople, config: filepath.Join(dir, "usherd.yaml"), store: filepath.Join(dir, "usherd.db"),
	}
	if m.listen, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	return m, m.configure()
}

func (m *million) answer() (string, error) {
	if !m.answers.Scan() {
		return "", errors.Join(errors.New("the directory in memory has ended"), m.answers.Err())
	}
	return m.answers.Text(), nil
}

// change gives people another title.
func (m *million) change() error {
	if _, err := fmt.Fprintln(m.orders, changeOrder); err != nil {
		return err
	}
	_, err := m.answer()
	return err
}

// close ends the directory, which goes on until its orders end.
func (m *million) close() error { return errors.Join(m.orders.Close(), m.cmd.Wait()) }

// measureMillion measures a first sync of very many people and one with nothing changed, once: it is about
// memory, which hardly varies; then runs of changes.
func measureMillion(ctx context.Context, b *bench) (err error) {
	m, err := b.startMillion(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if _, err := b.usherd(ctx); err != nil {
		return err
	}
	b.say("million: first sync")
	first, _, err := b.sync(ctx, m.site, true)
	if err != nil {
		return err
	}
	b.say("million: unchanged sync")
	unchanged, _, err := b.sync(ctx, m.site, false)
	if err != nil {
		return err
	}
	b.add(figure{name: "million.first_s", unit: "s"}, first.wall.Seconds())
	b.add(figure{name: "million.unchanged_s", unit: "s"}, unchanged.wall.Seconds())
	peak := figure{name: "million.peak_mb", unit: "MB", goal: 400, peak: true}
	b.add(peak, first.peak)
	b.add(peak, unchanged.peak)
	return b.changedMillion(ctx, m)
}

// changedMillion measures runs of changes of a thousand people among very many; the first store is full.
func (b *bench) changedMillion(ctx context.Context, m *million) error {
	for i := range b.o.rounds {
		b.say("million: changes, round %d of %d", i+1, b.o.rounds)
		if err := m.change(); err != nil {
			return err
		}
		t, r, err := b.run(ctx, m.site, "--mode", "changes")
		if err != nil {
			return err
		}
		if r.Counts.Updated != min(millionChanged, m.size) {
			return fmt.Errorf("%d people were changed, this run says %+v", millionChanged, r.Counts)
		}
		b.add(figure{name: "million.changes_s", unit: "s"}, t.wall.Seconds())
		b.add(figure{name: "million.peak_mb", unit: "MB", goal: 400, peak: true}, t.peak)
	}
	return nil
}

// serveMillion is the second process: it serves people from memory, writes the certificate of its CA to a file
// and its address to out, and carries out the orders that come in until there are no more.
func serveMillion(people int, ca string, in io.Reader, out io.Writer) error {
	d, err := ldaptest.Start(ldaptest.Options{
		Kind: ldaptest.OpenLDAP, Bases: []string{millionRoot},
		Accounts: []ldaptest.Account{{Names: []string{millionReader}, Password: millionSecret}},
	})
	if err != nil {
		return err
	}
	defer d.Close()
	for i := range people {
		if err := d.Add(millionPerson(i + 1)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(ca, d.CA(), 0o600); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, d.LDAPSURL()); err != nil {
		return err
	}
	orders := bufio.NewScanner(in)
	for round := 1; orders.Scan(); round++ {
		for i := range min(millionChanged, people) {
			dn, _ := millionPerson(i + 1)
			if err := d.Modify(dn, ldaptest.Attrs{"title": {fmt.Sprint("Engineer ", round)}}); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(out, "done"); err != nil {
			return err
		}
	}
	return orders.Err()
}

var (
	millionGiven = strings.Fields("Anna Ben Chloé Dmitri Elif Femi Grace Hugo Ines Jürgen Kaito Lena Mateo Nadia Olu Priya Quinn Rosa Søren Tara")
	millionSur   = strings.Fields("Adeyemi Bauer Chen Díaz Eriksen Fischer García Haddad Ivanov Jones Kowalski Larsen Müller Nguyen O'Brien Patel")
)

// millionPerson has what the people of the other suites have.
func millionPerson(i int) (dn string, a ldaptest.Attrs) {
	uid, given, sur := fmt.Sprintf("u%07d", i), millionGiven[i%len(millionGiven)], millionSur[i/7%len(millionSur)]
	return "uid=" + uid + "," + millionPeople, ldaptest.Attrs{
		"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {given + " " + sur}, "sn": {sur}, "givenName": {given},
		"displayName": {given + " " + sur}, "mail": {uid + "@example.test"}, "employeeNumber": {strconv.Itoa(1_000_000 + i)},
		"employeeType": {"FTE"}, "title": {"Engineer"}, "telephoneNumber": {fmt.Sprintf("+49 30 %07d", i)}, "l": {"Berlin"},
		"departmentNumber": {strconv.Itoa(100 + i%900)}, "manager": {fmt.Sprintf("uid=u%07d,%s", 1+i/10, millionPeople)},
	}
}
