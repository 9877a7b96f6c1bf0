package idpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/internal/testproc"
)

// home is where Debian's package puts it.
const home = "/usr/share/simplesamlphp"

var needs = testproc.Needs{
	Server: "SimpleSAMLphp", Programs: []string{"php"}, Files: []string{home + "/www/saml2/idp/SSOService.php"},
	Packages: "simplesamlphp php-cli php-xml php-mbstring",
}

// Person is somebody who has an account there.
type Person struct {
	Name       string // with which the person signs in there; the password is the same
	NameID     string
	Attributes map[string]string
}

// Options are what the identity provider knows.
type Options struct {
	People   []Person
	Services []Service
}

// Service is a service provider.
type Service struct {
	EntityID, ACS string
	// Certificate is a file (PEM), by which its requests are checked and, with Encrypt, for which assertions are
	// encrypted; "" = none.
	Certificate string
	Encrypt     bool
}

// Server is a running SimpleSAMLphp.
type Server struct {
	// Metadata is where it describes itself.
	Metadata string
	EntityID string

	dir     string
	process *testproc.Process
}

// Start starts an identity provider for one test and ends it with the test.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	needs.Demand(tb)
	ports, err := testproc.FreePorts(1)
	if err != nil {
		tb.Fatal(err)
	}
	base := fmt.Sprintf("http://127.0.0.1:%d/", ports[0])
	s := &Server{Metadata: base + "saml2/idp/metadata.php", EntityID: base + "idp", dir: tb.TempDir()}
	if err := s.write(base, o); err != nil {
		tb.Fatal(err)
	}
	log := filepath.Join(s.dir, "php.log")
	s.process, err = testproc.Start(tb.Context(), testproc.Command{
		Argv: []string{testproc.Program("php"), "-d", "variables_order=EGPCS", "-S", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/"), "-t", home + "/www"},
		Env:  []string{"SIMPLESAMLPHP_CONFIG_DIR=" + s.dir, "PHP_CLI_SERVER_WORKERS=2"}, Dir: s.dir, Log: log,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.process.Stop(5 * time.Second)
		if tb.Failed() {
			tb.Logf("the last words of SimpleSAMLphp: %s", testproc.LastWords(log))
		}
	})
	if err := s.await(tb.Context()); err != nil {
		tb.Fatal(err, testproc.LastWords(log))
	}
	return s
}

// await waits until it describes itself.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Metadata, nil)
		if err != nil {
			return err
		}
		a, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = a.Body.Close() // nothing is read
			if a.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(a.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("idpserver: SimpleSAMLphp does not describe itself: %w", err)
		case <-s.process.Done():
			return errors.New("idpserver: php has ended")
		case <-tick.C:
		}
	}
}

// write makes the configuration: PHP, since that is what it is.
func (s *Server) write(base string, o Options) error {
	for _, dir := range []string{"cert", "metadata", "log", "data", "tmp", "sessions"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			return err
		}
	}
	if err := testproc.WriteCertificate(filepath.Join(s.dir, "cert"), "idp.test", "127.0.0.1", true); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"config.php": `$config = [
 'baseurlpath' => ` + quote(base) + `, 'certdir' => ` + quote(s.dir+"/cert/") + `, 'loggingdir' => ` + quote(s.dir+"/log/") + `,
 'datadir' => ` + quote(s.dir+"/data/") + `, 'tempdir' => ` + quote(s.dir+"/tmp") + `, 'metadatadir' => ` + quote(s.dir+"/metadata") + `,
 'attributenamemapdir' => '/etc/simplesamlphp/attributemap/', 'secretsalt' => 'only-for-tests', 'auth.adminpassword' => 'only-for-tests-1',
 'technicalcontact_email' => 'na@example.org', 'timezone' => 'UTC', 'logging.handler' => 'errorlog', 'logging.level' => 4, 'enable.saml20-idp' => true,
 'session.cookie.secure' => false, 'session.cookie.samesite' => null, 'session.phpsession.savepath' => ` + quote(s.dir+"/sessions") + `,
 'store.type' => 'phpsession', 'language.default' => 'en', 'admin.checkforupdates' => false, 'showerrors' => true, 'errorreporting' => false,
 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
 'metadata.sources' => [['type' => 'flatfile']],
];`,
		"authsources.php": "$config = ['people' => ['exampleauth:UserPass',\n" + people(o.People) + "]];",
		"metadata/saml20-idp-hosted.php": `$metadata[` + quote(s.EntityID) + `] = ['host' => '__DEFAULT__', 'privatekey' => 'server.key',
 'certificate' => 'server.crt', 'auth' => 'people', 'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
 'authproc' => [3 => ['class' => 'saml:AttributeNameID', 'attribute' => 'nameid', 'Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'],
  4 => ['class' => 'core:AttributeLimit', 'default' => false, 'uid', 'mail', 'givenName', 'sn', 'title', 'Member Status', 'updatetimestamp', 'eduPersonPrincipalName']]];`,
		"metadata/saml20-sp-remote.php": remote(o.Services),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte("<?php\n"+text+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// remote describes the service providers.
func remote(services []Service) string {
	var b strings.Builder
	for _, x := range services {
		fmt.Fprintf(&b, "$metadata[%s] = ['AssertionConsumerService' => %s, 'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'", quote(x.EntityID), quote(x.ACS))
		if x.Certificate != "" {
			fmt.Fprintf(&b, ", 'certificate' => %s, 'validate.authnrequest' => true", quote(x.Certificate))
		}
		if x.Encrypt {
			b.WriteString(", 'assertion.encryption' => true, 'sharedkey_algorithm' => 'http://www.w3.org/2001/04/xmlenc#aes256-cbc'")
		}
		b.WriteString("];\n")
	}
	return b.String()
}

func people(list []Person) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, " %s => ['nameid' => [%s]", quote(p.Name+":"+p.Name), quote(p.NameID))
		names := make([]string, 0, len(p.Attributes))
		for name := range p.Attributes {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&b, ", %s => [%s]", quote(name), quote(p.Attributes[name]))
		}
		b.WriteString("],\n")
	}
	return b.String()
}

// quote writes a text of PHP.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
