package testserver

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"usherd/internal/testproc"
)

// DS389Options say what a 389 Directory Server is to be like. The zero value is an empty directory.
// Content synchronization (RFC 4533), the retro change log and memberOf are always on.
type DS389Options struct {
	LDIF func(io.Writer) error // writes the entries, suffix first; nil: the suffix, ou=People and ou=Groups
}

const (
	ds389Password = "secret123"
	ds389Share    = "/usr/share/dirsrv"
	ds389Etc      = "/etc/dirsrv/config"
)

var ds389Needs = testproc.Needs{
	Server:   "389-ds",
	Packages: "389-ds-base ldap-utils openssl",
	Programs: []string{"ns-slapd", "certutil", "pk12util", "openssl", "ldapmodify"},
	Files:    []string{ds389Share + "/data/template-dse.ldif", ds389Etc},
	Root:     "it reads " + ds389Etc,
}

// StartDS389 starts a 389 Directory Server in dir, which is made when missing and must not hold another
// server. It does without dscreate, which wants systemd and writes below /etc. The context limits the
// start only. The caller ends the server with Close. The error is a *MissingError when 389-ds is not
// installed or the caller is not root.
func StartDS389(ctx context.Context, dir string, o DS389Options) (*Server, error) {
	if err := ds389Needs.Check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "slapd-test")
	s := &Server{
		Kind: "389-ds", Host: "localhost", Base: slapdBase, Dir: dir, CAFile: filepath.Join(dir, "tls", "ca.crt"),
		AdminDN: "cn=Directory Manager", AdminPassword: ds389Password,
		SyncDN: "cn=sync," + slapdBase, SyncPassword: ds389Password,
		LimitedDN: "cn=limited," + slapdBase, LimitedPassword: ds389Password,
		argv: []string{testproc.Program("ns-slapd"), "-D", conf, "-i", filepath.Join(dir, "run", "slapd.pid"), "-d", "0"},
	}
	if err := s.prepareDS389(ctx, conf, o); err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ { // somebody may take a port between our look and the server's
		if err = s.run(ctx); err == nil {
			break
		}
		if attempt == 3 || ctx.Err() != nil {
			return nil, err
		}
		if err := s.configureDS389(ctx, conf); err != nil {
			return nil, err
		}
	}
	if err := s.Modify(ctx, strings.ReplaceAll(ds389Accounts, "BASE", s.Base)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

const ds389Accounts = `dn: BASE
changetype: modify
add: aci
aci: (targetattr!="userPassword")(version 3.0; acl "read"; allow(read,search,compare) userdn="ldap:///cn=sync,BASE || ldap:///cn=limited,BASE";)

dn: cn=sync,BASE
changetype: add
objectClass: applicationProcess
objectClass: simpleSecurityObject
userPassword: secret123
nsSizeLimit: -1
nsLookThroughLimit: -1
nsPagedSizeLimit: -1
nsTimeLimit: -1
nsIdleTimeout: 0

dn: cn=limited,BASE
changetype: add
objectClass: applicationProcess
objectClass: simpleSecurityObject
userPassword: secret123
nsSizeLimit: 500
nsPagedSizeLimit: 2000
`

// prepareDS389 makes folders, schema, certificates and configuration and loads the entries.
func (s *Server) prepareDS389(ctx context.Context, conf string, o DS389Options) error {
	for d := range strings.FieldsSeq("run lock log tmp ldif bak db dbhome tls") {
		if err := os.MkdirAll(filepath.Join(s.Dir, d), 0o700); err != nil {
			return err
		}
	}
	if err := copyFiles(ds389Etc, conf); err != nil {
		return err
	}
	if err := copyFiles(ds389Share+"/schema", filepath.Join(conf, "schema")); err != nil {
		return err
	}
	if err := s.nssDatabase(ctx, conf); err != nil {
		return err
	}
	if err := s.configureDS389(ctx, conf); err != nil {
		return err
	}
	fill := o.LDIF
	if fill == nil {
		fill = emptyDirectory("domain")
	}
	entries := filepath.Join(s.Dir, "ldif", "entries.ldif") // it reads no pipe
	f, err := os.OpenFile(entries, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := fill(f); err != nil {
		return fmt.Errorf("testserver: entries for 389-ds: %w", err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	_, err = output(exec.CommandContext(ctx, testproc.Program("ns-slapd"), "ldif2db", "-D", conf, "-n", "userroot", "-i", entries))
	return err
}

// nssDatabase puts certificate and key where the server looks for them; only by PKCS 12 does a key get in.
func (s *Server) nssDatabase(ctx context.Context, conf string) error {
	tls := filepath.Join(s.Dir, "tls")
	if err := testproc.WriteCertificate(tls, s.Host, "127.0.0.1", true); err != nil {
		return err
	}
	db, p12 := "sql:"+conf, filepath.Join(tls, "server.p12")
	for _, argv := range [][]string{
		{
			"openssl", "pkcs12", "-export", "-in", filepath.Join(tls, "server.crt"), "-inkey", filepath.Join(tls, "server.key"),
			"-name", "Server-Cert", "-out", p12, "-passout", "pass:",
		},
		{"certutil", "-N", "-d", db, "--empty-password"},
		{"certutil", "-A", "-d", db, "-n", "ca", "-t", "CT,,", "-a", "-i", s.CAFile},
		{"pk12util", "-i", p12, "-d", db, "-W", "", "-K", ""},
	} {
		if _, err := output(exec.CommandContext(ctx, argv[0], argv[1:]...)); err != nil {
			return err
		}
	}
	return nil
}

// configureDS389 chooses ports and writes dse.ldif from the templates of the package.
func (s *Server) configureDS389(ctx context.Context, conf string) error {
	ports, err := testproc.FreePorts(2)
	if err != nil {
		return err
	}
	s.URL = "ldap://127.0.0.1:" + strconv.Itoa(ports[0])
	s.LDAPSURL = "ldaps://127.0.0.1:" + strconv.Itoa(ports[1])
	// Its exit status says failure even when it has told its version.
	version, _ := exec.CommandContext(ctx, testproc.Program("ns-slapd"), "-v").CombinedOutput()
	values, err := s.ds389Values(conf, string(version), ports)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range []string{"template-dse.ldif", "template-suffix-db.ldif"} {
		b, err := os.ReadFile(filepath.Join(ds389Share, "data", name))
		if err != nil {
			return err
		}
		text.Write(append(b, '\n')) // entries end with an empty line
	}
	dse := amendDSE(strings.NewReplacer(values...).Replace(text.String()), ports[1])
	return os.WriteFile(filepath.Join(conf, "dse.ldif"), dse, 0o600)
}

// ds389Values are the values for the templates' placeholders, in the form of strings.NewReplacer.
func (s *Server) ds389Values(conf, version string, ports []int) ([]string, error) {
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("testserver: who am I: %w", err)
	}
	backend := "bdb"
	if _, v, ok := strings.Cut(version, "389-Directory/"); ok && v[0] >= '3' && v[0] <= '9' {
		backend = "mdb" // 3.0 came without Berkeley DB
	}
	salt := "test" // a throw-away password needs no better one
	sum := sha512.Sum512([]byte(ds389Password + salt))
	in := func(name string) string { return filepath.Join(s.Dir, name) }
	return []string{
		"%schema_dir%", filepath.Join(conf, "schema"), "%lock_dir%", in("lock"), "%tmp_dir%", in("tmp"), "%cert_dir%", conf,
		"%ldif_dir%", in("ldif"), "%bak_dir%", in("bak"), "%run_dir%", in("run"), "%inst_dir%", s.Dir, "%log_dir%", in("log"),
		"%config_dir%", conf, "%db_dir%", in("db"), "%db_home_dir%", in("dbhome"), "%db_lib%", backend, "%fqdn%", "localhost",
		"%ds_port%", strconv.Itoa(ports[0]), "%ds_user%", me.Username, "%rootdn%", s.AdminDN,
		"%ds_passwd%", "{SSHA512}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...)),
		"%ds_suffix%", s.Base, "%ds_bename%", "userroot", "%ldapi_enabled%", "off", "%ldapi%", in("run/ldapi"), "%ldapi_autobind%", "off",
	}, nil
}

// amendDSE returns a configuration without its comments and with what tests need: TLS, loopback only, three
// plug-ins switched on, paged searches without limit, caches of a size that does not grow with the machine.
func amendDSE(text string, tlsPort int) []byte {
	more := map[string]string{ // what follows the first attribute of a name
		"nsslapd-port": "nsslapd-secureport: " + strconv.Itoa(tlsPort) + "\nnsslapd-security: on\nnsslapd-listenhost: 127.0.0.1\n" +
			"nsslapd-securelistenhost: 127.0.0.1\nnsslapd-pagedsizelimit: -1\n",
		"nsslapd-db-home-directory": "nsslapd-cache-autosize: 0\nnsslapd-dbcachesize: 67108864\n",
		"nsslapd-suffix":            "nsslapd-cachememsize: 1073741824\n",
	}
	var w bytes.Buffer
	on := false // in the entry of a plug-in that is to be on
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); {
		case strings.HasPrefix(line, "#"):
			continue
		case line == "\n":
			on = false
			if bytes.HasSuffix(w.Bytes(), []byte("\n\n")) {
				continue // a second empty line would be an entry without a name
			}
		case name == "cn":
			on = value == "Content Synchronization" || value == "MemberOf Plugin" || value == "Retro Changelog Plugin"
		case on && strings.EqualFold(name, "nsslapd-pluginenabled"):
			line = "nsslapd-pluginenabled: on\n"
		}
		w.WriteString(line + more[name])
		delete(more, name)
		if line == "cn: Retro Changelog Plugin\n" {
			w.WriteString("nsslapd-attribute: nsuniqueid:targetUniqueId\n")
		}
	}
	return w.Bytes()
}

// copyFiles copies the plain files of a folder to another, which is made when missing.
func copyFiles(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
