package testserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"usherd/internal/testproc"
	"usherd/ldapsync/testserver/ldifgen"
)

// SambaOptions say what a domain is to be like. The zero value is a new domain with its built-in accounts
// and one ordinary account, reader@lab.test.
type SambaOptions struct {
	LDIF func(io.Writer) error // writes entries to add, such as ldifgen's with AD
	// StrongAuth is Samba's "ldap server require strong auth": yes, no or allow_sasl_over_tls. When empty it
	// is the last, with which a password in the clear is refused with code 8.
	StrongAuth string
	LogLevel   int // 0 is 1
}

const (
	sambaBase     = "DC=lab,DC=test"
	sambaHost     = "dc1.lab.test"
	sambaPassword = "Passw0rd!"
)

//go:embed smb.conf.tmpl
var sambaConf string

var sambaTemplate = template.Must(template.New("smb.conf").Parse(sambaConf))

var sambaNeeds = testproc.Needs{
	Server:   "samba",
	Packages: "samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind ldb-tools ldap-utils",
	Programs: []string{"samba", "samba-tool", "ldbadd", "ldapmodify", "tar"},
	Files:    []string{"/usr/share/samba/setup/provision.ldif"},
	Root:     "a domain controller's ports are fixed and below 1024",
}

// StartSamba starts an Active Directory domain controller for the domain lab.test in dir, which is made when
// missing and must not hold another server; a short path, since it holds Unix sockets. It has a loopback
// address of its own. A domain is made once for each content and kept in the user's cache directory;
// later starts take a copy of it. The context limits the start only. The caller ends the server with
// Close. The error is a *MissingError when Samba is not installed or the caller is not root.
func StartSamba(ctx context.Context, dir string, o SambaOptions) (*Server, error) {
	if err := sambaNeeds.Check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	address, release, err := loopback()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Kind: "samba", Host: sambaHost, Realm: "LAB.TEST", KDC: address + ":88", Base: sambaBase, Dir: dir,
		URL: "ldap://" + address + ":389", LDAPSURL: "ldaps://" + address + ":636", CAFile: filepath.Join(dir, "tls", "ca.crt"),
		AdminDN: "Administrator@lab.test", AdminPassword: sambaPassword,
		SyncDN: "Administrator@lab.test", SyncPassword: sambaPassword,
		LimitedDN: "reader@lab.test", LimitedPassword: sambaPassword,
		argv:    []string{testproc.Program("samba"), "-F", "-M", "prefork", "--debug-stdout", "-s", filepath.Join(dir, "smb.conf")},
		release: release,
	}
	if err = s.prepareSamba(ctx, address, o); err == nil {
		err = s.run(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) prepareSamba(ctx context.Context, address string, o SambaOptions) error {
	for d := range strings.FieldsSeq("tls run log cache ncalrpc winbind") {
		if err := os.MkdirAll(filepath.Join(s.Dir, d), 0o700); err != nil {
			return err
		}
	}
	if err := s.domain(ctx, o.LDIF); err != nil {
		return err
	}
	if err := testproc.WriteCertificate(filepath.Join(s.Dir, "tls"), s.Host, address, false); err != nil {
		return err
	}
	return s.writeSambaConf(address, o)
}

func (s *Server) writeSambaConf(address string, o SambaOptions) error {
	if o.StrongAuth == "" {
		o.StrongAuth = "allow_sasl_over_tls"
	}
	if o.LogLevel == 0 {
		o.LogLevel = 1
	}
	var conf bytes.Buffer
	err := sambaTemplate.Execute(&conf, struct {
		SambaOptions
		Dir, Address string
	}{o, s.Dir, address})
	if err != nil {
		return fmt.Errorf("testserver: smb.conf: %w", err)
	}
	return os.WriteFile(filepath.Join(s.Dir, "smb.conf"), conf.Bytes(), 0o600)
}

// domain puts a domain with the entries given into Dir: a copy from the cache, or a new one that is put
// into the cache.
func (s *Server) domain(ctx context.Context, fill func(io.Writer) error) error {
	version, err := output(exec.CommandContext(ctx, testproc.Program("samba"), "--version"))
	if err != nil {
		return err
	}
	entries := filepath.Join(s.Dir, "entries.ldif")
	// Everything that the domain depends on goes into the name of its copy.
	h := sha256.New()
	h.Write(fmt.Append(nil, version, sambaConf, provisionSteps("DIR", "LDIF")))
	if err := writeEntries(entries, h, fill); err != nil {
		return err
	}
	cached, err := testproc.CacheFile("samba-" + hex.EncodeToString(h.Sum(nil))[:24] + ".tgz")
	if err != nil {
		return err
	}
	unlock, err := testproc.LockFile(cached+".lock", true) // so that only one of several test programs makes the domain
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(cached); err == nil {
		_, err := output(exec.CommandContext(ctx, "tar", "-C", s.Dir, "-xzf", cached))
		return err
	}
	for _, argv := range provisionSteps(s.Dir, entries) {
		if argv[0] == "ldbadd" { // a step before it wrote a configuration of its own
			if err := s.writeSambaConf("127.0.0.1", SambaOptions{}); err != nil {
				return err
			}
		}
		if _, err := output(exec.CommandContext(ctx, argv[0], argv[1:]...)); err != nil {
			return err
		}
	}
	if _, err := output(exec.CommandContext(ctx, "tar", "-C", s.Dir, "-czf", cached+".new", "private", "state")); err != nil {
		return err
	}
	return os.Rename(cached+".new", cached)
}

// provisionSteps are the commands that make a domain in dir with the entries of the file ldif.
func provisionSteps(dir, ldif string) [][]string {
	conf, db := dir+"/smb.conf", dir+"/private/sam.ldb"
	steps := [][]string{
		// An empty configuration: that of the machine must play no part.
		{"sh", "-c", ": > " + conf},
		{
			"samba-tool", "domain", "provision", "-s", conf, "--targetdir=" + dir, "--realm=LAB.TEST", "--domain=LAB",
			"--host-name=dc1", "--host-ip=127.0.0.1", "--server-role=dc", "--dns-backend=NONE", "--adminpass=" + sambaPassword,
		},
		{"samba-tool", "domain", "passwordsettings", "set", "-s", conf, "-H", db, "--complexity=off", "--min-pwd-age=0", "--max-pwd-age=0"},
	}
	// The DNS service, which does not run here, would add these; Kerberos needs them.
	for _, name := range []string{"dc1.lab.test", "dc1", "dc1.lab.test/lab.test"} {
		steps = append(steps, []string{"samba-tool", "spn", "add", "ldap/" + name, "DC1$", "-s", conf, "-H", db})
	}
	// Without batch_mode it takes three times as long. Its -s is the scope, not the configuration.
	return append(steps, []string{"ldbadd", "--configfile=" + conf, "-o", "batch_mode:1", "-H", db, ldif})
}

// writeEntries writes the ordinary account and then what fill writes to a file, and to h as well.
func writeEntries(path string, h io.Writer, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := io.MultiWriter(f, h)
	// 0x10200: an ordinary account whose password does not expire.
	_, err = fmt.Fprintf(w, "dn: CN=reader,CN=Users,%s\nobjectClass: user\nsAMAccountName: reader\n"+
		"userPrincipalName: reader@lab.test\nuserAccountControl: 66048\nunicodePwd:: %s\n\n",
		sambaBase, base64.StdEncoding.EncodeToString([]byte(ldifgen.UnicodePwd(sambaPassword))))
	if err != nil {
		return err
	}
	if fill != nil {
		if err := fill(w); err != nil {
			return fmt.Errorf("testserver: entries for samba: %w", err)
		}
	}
	return f.Close()
}
