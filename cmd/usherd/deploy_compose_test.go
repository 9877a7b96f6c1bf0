package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"usherd/internal/testpg"
	"usherd/internal/testproc"
)

func TestComposeFitsTheImageAndTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := deploy + "compose/"
	c, d := deployed(t, dir+"usherd.yaml"), dockerfile(t)
	compose := documents(t, dir+"compose.yaml")[0]
	health, door := portOf(t, c.Listen), portOf(t, c.SCIM.Listen)
	if d["EXPOSE"] != health+" "+door {
		t.Errorf("the image exposes %s, the configuration listens on %s and %s", d["EXPOSE"], health, door)
	}
	services, _ := at(compose, "services").(tree)
	caddy := read(t, dir+"Caddyfile")
	replicas := 0
	for name, s := range services {
		checkComposeService(t, dir, compose, name, s)
		if !strings.HasPrefix(name, "usherd-") {
			continue
		}
		replicas++
		if !strings.Contains(caddy, " "+name+":"+door) {
			t.Errorf("the proxy does not know %s:%s", name, door)
		}
		mount := "./usherd.yaml:" + strings.TrimPrefix(d["ENV"], "USHERD_CONFIG=") + ":ro"
		if got := words(at(s, "volumes")); !slices.Contains(got, mount) {
			t.Errorf("%s mounts %q, the image reads %s", name, got, mount)
		}
		if at(s, "ports") != nil {
			t.Errorf("%s publishes %v: only the proxy is reached from outside", name, at(s, "ports"))
		}
		// Docker's names lead to any network that two share: the proxy's must be the trusted one.
		if shared := common(words(at(s, "networks")), words(at(services["proxy"], "networks"))); !slices.Equal(shared, []string{"back"}) {
			t.Errorf("%s and the proxy share %q", name, shared)
		}
	}
	if replicas != 2 {
		t.Errorf("%d replicas, want 2", replicas)
	}
	if !strings.Contains(caddy, "health_uri /readyz") || !strings.Contains(caddy, "health_port "+health+"\n") {
		t.Error("the proxy does not ask /readyz at the port of health")
	}
	subnet, _ := at(compose, "networks", "back", "ipam", "config", 0, "subnet").(string)
	if !slices.Equal(c.SCIM.TrustedProxies, []string{subnet}) || !c.SCIM.BehindProxy {
		t.Errorf("the network is %s, trusted are %q", subnet, c.SCIM.TrustedProxies)
	}
	for _, m := range regexp.MustCompile(`/run/secrets/([\w.-]+)`).FindAllStringSubmatch(read(t, dir+"usherd.yaml"), -1) {
		if !slices.Contains(words(at(services["usherd-1"], "secrets")), m[1]) {
			t.Errorf("the configuration reads %s, which the service does not get", m[0])
		}
	}
}

// checkComposeService checks what a service refers to, and what it may do.
func checkComposeService(t *testing.T, dir string, compose tree, name string, s any) {
	t.Helper()
	for _, part := range []string{"secrets", "networks"} {
		for _, w := range words(at(s, part)) {
			if _, ok := at(compose, part).(tree)[w]; !ok {
				t.Errorf("%s: there is no %q in %s", name, w, part)
			}
		}
	}
	for _, v := range words(at(s, "volumes")) {
		from, _, _ := strings.Cut(v, ":")
		if _, named := at(compose, "volumes").(tree)[from]; named {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, from)); err != nil {
			t.Errorf("%s mounts %v", name, err)
		}
	}
	on := words(at(s, "depends_on"))
	if m, ok := at(s, "depends_on").(tree); ok {
		on = slices.Collect(maps.Keys(m))
	}
	for _, n := range on {
		if at(compose, "services", n) == nil {
			t.Errorf("%s depends on %s, which does not exist", name, n)
		}
	}
	for _, f := range regexp.MustCompile(`/run/secrets/([\w.-]+)`).FindAllStringSubmatch(text(t, s), -1) {
		if !slices.Contains(words(at(s, "secrets")), f[1]) {
			t.Errorf("%s reads %s and does not get it", name, f[0])
		}
	}
	if name == "db" { // its first process becomes another user by itself
		return
	}
	if !slices.Equal(words(at(s, "cap_drop")), []string{"ALL"}) || !slices.Contains(words(at(s, "security_opt")), "no-new-privileges:true") {
		t.Errorf("%s may do more than it needs", name)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	if err := yaml.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func common(a, b []string) (both []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

// The scripts beside the compose file make what it reads, and a database that usherd can use.
func TestComposePreparesItsSecretsAndDatabase(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		testproc.Skip(t, &testproc.MissingError{Server: "prepare.sh", Reason: "needs root: sudo -E make test"})
	}
	dir := t.TempDir()
	for _, name := range []string{"prepare.sh", "database.sh"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, deploy+"compose/"+name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sh(t, nil, filepath.Join(dir, "prepare.sh"))
	secret := func(name string) string { return read(t, filepath.Join(dir, "secrets", name)) }
	verifies(t, secret("db-ca.crt"), secret("db.crt"))
	before := secret("store-password") + secret("db.crt") + secret("postgres-password")
	sh(t, nil, filepath.Join(dir, "prepare.sh"))
	if secret("store-password")+secret("db.crt")+secret("postgres-password") != before {
		t.Error("the second call made other secrets")
	}

	s := testpg.Start(t, testpg.Options{TCP: true, Password: "before"})
	if _, err := s.SQL(t.Context(), "postgres", "DROP ROLE usherd"); err != nil {
		t.Fatal(err)
	}
	at := append(os.Environ(), "PGHOST="+s.Dir, "PGPORT="+strconv.Itoa(s.Port), "PATH="+s.Programs+":"+os.Getenv("PATH"))
	sh(t, append(at, "STORE_PASSWORD_FILE="+filepath.Join(dir, "secrets", "store-password")), filepath.Join(dir, "database.sh"))
	psql := exec.CommandContext(t.Context(), filepath.Join(s.Programs, "psql"), "-X", "-A", "-t", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port),
		"-U", "usherd", "-d", "usherd", "-c", "CREATE TABLE mine (n int); SELECT 'made'")
	psql.Env = append(os.Environ(), "PGPASSWORD="+strings.TrimSpace(secret("store-password")))
	if out, err := psql.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "made") {
		t.Errorf("usherd cannot make a table: %v: %s", err, out)
	}
}

func sh(t *testing.T, env []string, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", script)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(script), err, out)
	}
}

// verifies checks that a certificate is good for the database's name by the authority.
func verifies(t *testing.T, authority, certificate string) {
	t.Helper()
	roots := x509.NewCertPool()
	block, _ := pem.Decode([]byte(certificate))
	if !roots.AppendCertsFromPEM([]byte(authority)) || block == nil {
		t.Fatal("no certificates were made")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "db"}); err != nil {
		t.Error(err)
	}
}
