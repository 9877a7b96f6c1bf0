package main

import (
	"net/http"
	"strings"
	"testing"

	"usherd/ldapsync/ldaptest"
)

// withConsole is a configuration with a console, whose owner is root.
func (r *rig) withConsole(config string) string {
	return strings.Replace(config, "organizations:", `console:
  listen: 127.0.0.1:0
  url: http://127.0.0.1:1
  admins: [{name: root, password_hash: "`+r.passwordHash(consolePassword, exitOK)+`", role: owner}]
organizations:`, 1)
}

// A directory has more people than there are seats: the console shows who waits, and how full it was today, which the daemon has
// counted when it began. Who leaves makes room for the first who waits.
func TestSeatsInTheConsoleOfADaemon(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 30)
	r := newRig(t, "")
	r.configure(r.withConsole(strings.Replace(oneSource(patient(block)), "seats: unlimited", "seats: 10", 1)))
	r.must(exitFailed, "sync", "-q")
	d := r.daemon(t)
	root := newAdministrator(t, "http://"+d.log.find(t, "console listens")["listen"].(string))
	root.signIn("root")
	page := root.send(http.StatusOK, http.MethodGet, "/seats/standard", nil)
	for _, want := range []string{"<strong>0</strong> <span>Free</span>", "<strong>20</strong> <span>Waiting</span>", "<strong>10</strong> <span>Used</span>", "A free seat"} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %q in\n%s", want, page)
		}
	}
	file := root.send(http.StatusOK, http.MethodGet, "/seats/standard/waiting.csv", nil)
	lines := strings.Split(strings.TrimSpace(file), "\n")
	if len(lines) != 21 || !strings.HasPrefix(lines[1], "1,") {
		t.Fatalf("%q", lines)
	}
	first := strings.Split(lines[1], ",")[1]
	for name := range r.users() {
		r.must(exitOK, "user", "deactivate", name)
		break
	}
	if got := r.show(first); got.Package != "standard" {
		t.Errorf("%+v", got)
	}
	if page := root.send(http.StatusOK, http.MethodGet, "/seats/standard", nil); !strings.Contains(page, "<strong>19</strong> <span>Waiting</span>") || strings.Contains(page, first) {
		t.Error(page)
	}
	d.end()
	r.verify()
}
