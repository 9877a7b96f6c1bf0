package testserver

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"usherd/internal/testproc"
)

// SlapdOptions say what a slapd is to be like. The zero value is an empty directory that keeps 10,000
// changes for RFC 4533.
type SlapdOptions struct {
	LDIF         func(io.Writer) error // writes the entries, suffix first; nil: the suffix, ou=People and ou=Groups
	NoSessionLog bool                  // every syncrepl refresh gets a present phase
	SessionLog   int                   // changes kept for RFC 4533; 0 is 10000
	MemberOf     bool                  // the memberof overlay; entries of LDIF do not get the attribute
	PPolicy      bool                  // the ppolicy overlay, for pwdAccountLockedTime
	LDAPI        bool                  // a Unix socket too, with SASL EXTERNAL
	MaxSize      int64                 // largest size of the database in bytes; 0 is 4 GiB, which holds a million people
}

const (
	slapdBase     = "dc=example,dc=test"
	slapdPassword = "secret"
	slapdSchema   = "/etc/ldap/schema"
	slapdModules  = "/usr/lib/ldap"
)

//go:embed slapd.conf.tmpl
var slapdConf string

var slapdTemplate = template.Must(template.New("slapd.conf").Parse(slapdConf))

var slapdNeeds = testproc.Needs{
	Server:   "slapd",
	Packages: "slapd ldap-utils",
	Programs: []string{"slapd", "ldapmodify"},
	Files:    []string{slapdSchema + "/inetorgperson.schema", slapdModules + "/back_mdb.so"},
}

// StartSlapd starts an OpenLDAP slapd in dir, which is made when missing and must not hold another server;
// a short path, since it may hold a Unix socket. The context limits the start only. The caller ends the
// server with Close. The error is a *MissingError when slapd is not installed.
func StartSlapd(ctx context.Context, dir string, o SlapdOptions) (*Server, error) {
	if err := slapdNeeds.Check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	bin, err := slapdBinary(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Kind: "slapd", Host: "localhost", Base: slapdBase, Dir: dir, CAFile: filepath.Join(dir, "tls", "ca.crt"),
		AdminDN: "cn=admin," + slapdBase, AdminPassword: slapdPassword,
		SyncDN: "cn=sync," + slapdBase, SyncPassword: slapdPassword,
		LimitedDN: "cn=limited," + slapdBase, LimitedPassword: slapdPassword,
	}
	if err := s.prepareSlapd(ctx, bin, o); err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ { // somebody may take a port between our look and slapd's
		if err = s.listenSlapd(bin, o); err != nil {
			return nil, err
		}
		if err = s.run(ctx); err == nil {
			return s, nil
		}
		if attempt == 3 || ctx.Err() != nil {
			return nil, err
		}
	}
}

// slapdBinary returns the program to run. Where AppArmor confines slapd to the system's folders (Ubuntu),
// that is a copy, to which the profile does not apply.
func slapdBinary(dir string) (string, error) {
	bin := testproc.Program("slapd")
	on, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	profiles, _ := filepath.Glob("/etc/apparmor.d/usr.sbin.slapd")
	if len(profiles) == 0 || !strings.HasPrefix(string(on), "Y") {
		return bin, nil
	}
	b, err := os.ReadFile(bin)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	own := filepath.Join(dir, "slapd")
	return own, os.WriteFile(own, b, 0o700)
}

// prepareSlapd writes certificates and configuration and loads the entries.
func (s *Server) prepareSlapd(ctx context.Context, bin string, o SlapdOptions) error {
	if err := os.MkdirAll(filepath.Join(s.Dir, "db"), 0o700); err != nil {
		return err
	}
	if err := testproc.WriteCertificate(filepath.Join(s.Dir, "tls"), s.Host, "127.0.0.1", false); err != nil {
		return err
	}
	if o.SessionLog == 0 {
		o.SessionLog = 10000
	}
	if o.MaxSize == 0 {
		o.MaxSize = 4 << 30
	}
	var conf bytes.Buffer
	err := slapdTemplate.Execute(&conf, struct {
		SlapdOptions
		Dir, Base, Password, Schema, Modules string
	}{o, s.Dir, s.Base, slapdPassword, slapdSchema, slapdModules})
	if err != nil {
		return fmt.Errorf("testserver: slapd.conf: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "slapd.conf"), conf.Bytes(), 0o600); err != nil {
		return err
	}
	fill := o.LDIF
	if fill == nil {
		fill = emptyDirectory("dcObject\nobjectClass: organization\no: Example")
	}
	if err := s.slapadd(ctx, bin, fill); err != nil {
		return err
	}
	// -w writes the contextCSN, without which syncrepl has no cookie to give.
	return s.slapadd(ctx, bin, Text(slapdAccounts), "-w")
}

const slapdAccounts = `dn: cn=sync,dc=example,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sync
userPassword: secret

dn: cn=limited,dc=example,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: limited
userPassword: secret
`

func (s *Server) slapadd(ctx context.Context, bin string, fill func(io.Writer) error, flags ...string) error {
	// slapd decides by its first argument which of its tools it is.
	args := append([]string{"-T", "add", "-q", "-f", filepath.Join(s.Dir, "slapd.conf")}, flags...)
	return pipe(exec.CommandContext(ctx, bin, args...), fill)
}

// listenSlapd chooses new ports.
func (s *Server) listenSlapd(bin string, o SlapdOptions) error {
	ports, err := testproc.FreePorts(2)
	if err != nil {
		return err
	}
	s.URL = "ldap://127.0.0.1:" + strconv.Itoa(ports[0])
	s.LDAPSURL = "ldaps://127.0.0.1:" + strconv.Itoa(ports[1])
	listen := s.URL + " " + s.LDAPSURL
	if o.LDAPI {
		s.LDAPIPath = filepath.Join(s.Dir, "ldapi")
		listen += " ldapi://" + url.PathEscape(s.LDAPIPath)
	}
	s.argv = []string{bin, "-d", "0", "-f", filepath.Join(s.Dir, "slapd.conf"), "-h", listen}
	return nil
}
