package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"usherd/ldapsync/ldaptest"
)

// What the example company is called everywhere.
const (
	demoOrg         = "nordlys"
	demoSource      = "head-office"
	demoDomain      = "nordlys.example"
	demoOtherDomain = "nordlys-labs.example"
	demoBase        = "DC=nordlys,DC=example"
	demoAccount     = "usherd@nordlys.example"
	demoPassword    = "a password for the demo only"
)

// The rule that gives people their package, and another one to try with usherd plan --with.
const (
	demoRule   = `department == "Sales" ? "premium" : "standard"`
	demoWhatIf = `department in ["Sales", "Marketing"] ? "premium" : "standard"`
)

// writeFiles puts the configuration and what it names into the folder.
func (d *demo) writeFiles() (text string, err error) {
	text = d.configText()
	d.config = filepath.Join(d.folder, "usherd.yaml")
	for name, content := range map[string][]byte{
		"usherd.yaml": []byte(text), "what-if.yaml": []byte(strings.Replace(text, demoRule, demoWhatIf, 1)),
		"bind-password": []byte(demoPassword + "\n"), "ca.pem": d.dir.CA(),
	} {
		if err := os.WriteFile(filepath.Join(d.folder, name), content, 0o600); err != nil {
			return "", err
		}
	}
	return text, nil
}

// configText is what a person would write. Paths in it start at its folder.
func (d *demo) configText() string {
	return fmt.Sprintf(`# Written by usherd demo. All keys with their reasons: usherd check --example
%s
store: sqlite:usherd.db
%s

organizations:
  - id: %s
    name: Nordlys AS
    partner_id: "10293"
    contact: { name: IT desk, email: it@%s }
    package: standard
%s
      - { id: standard, name: Standard, seats: %d }
      - { id: premium, name: Premium, seats: %d }
    sources:
      - id: %s
        directory:
          type: active_directory
          servers: ["%s"]
          tls: { ca_file: ca.pem }
          bind:
            user: %s
            password: { file: bind-password }
          bases: ["OU=Nordlys,%s"]
          group_bases: ["OU=Groups,OU=Nordlys,%s"]
%s
          attributes:
            package: '%s'
%s
%s
%s
        # For your own directory leave this out: then the first run waits
        # until somebody has looked at its plan. Here there is no harm.
        first_run: apply
`, note("listen: "+d.ln.Addr().String(), "health and metrics"),
		note(`dns: { resolver: "`+d.dns.Addr()+`" }`, "leave it out to ask the machine's"),
		demoOrg, demoDomain,
		note("    packages:", "not all who want premium get it"), d.flags.people, d.premium(),
		demoSource, d.dir.LDAPSURL(), demoAccount, demoBase, demoBase,
		note("        mapping:", "beside what the type brings itself"), demoRule,
		note("        live: true", "changes are applied as they happen"),
		note(`        schedule: { cron: "*/5 * * * *" }`, "all is read besides, to be sure"),
		note("        guard: { min: 10, percent: 5 }", "more removals wait for approval"))
}

// note is a line with a comment that lines up with those of the others.
func note(line, comment string) string { return fmt.Sprintf("%-41s # %s", line, comment) }

// premium is a tenth less than the people who could have such a seat, so that some wait.
func (d *demo) premium() int {
	n := 0
	for p := range ldaptest.People(d.crowd()) {
		if complete(p) && p.Department == "Sales" {
			n++
		}
	}
	return n - max(n/10, 2)
}

// complete reports whether nothing of the person's own keeps it from an account.
func complete(p ldaptest.Person) bool {
	return p.Surname != "" && p.Mail != "" && !p.Disabled && !p.Expired
}

// example is the first person of the company of whom it is true.
func (d *demo) example(is func(ldaptest.Person) bool) ldaptest.Person {
	for p := range ldaptest.People(d.crowd()) {
		if is(p) {
			return p
		}
	}
	return ldaptest.Person{}
}

// logon is the user name of a person.
func logon(p ldaptest.Person) string { return p.LogonName + "@" + demoDomain }

// try is a command with what it shows.
type try struct{ command, shows string }

// tries are commands for another terminal. Without the directory, which ends with the demo, only those
// about the store are any good.
func (d *demo) tries(directory bool) []try {
	fine := d.example(complete)
	nameless := d.example(func(p ldaptest.Person) bool { return p.Surname == "" && !p.Disabled && !p.Expired })
	var list []try
	if directory {
		list = []try{
			{"plan", "what a full sync would do now"},
			{"plan --person " + logon(nameless), "one without a surname"},
			{"plan --with what-if.yaml", "if Marketing wanted premium too"},
		}
	}
	return append(list, []try{
		{"sources", "how the directory is followed"},
		{"users --state not_verified", "who has to prove an address"},
		{"user show " + logon(fine), "a user with its history"},
		{"user explain " + logon(fine), "why it is as it is"},
		{"failures --reason required_missing", "who has no account, and why"},
		{"errors 31", "what it means, and what helps"},
		{"seats", "used, free, waited for"},
		{"runs", "what was done when"},
		{"report last --full", "the last run, everybody"},
		{"rollback last", "put that back, once approved"},
	}...)
}

// showTries prints the commands, ready to be copied, each with what it shows.
func (d *demo) showTries(directory bool) {
	set, program := []string{"cd " + quoted(d.folder), "export USHERD_CONFIG=usherd.yaml"}, "alias usherd="
	if runtime.GOOS == "windows" { // PowerShell
		set[1], program = `$env:USHERD_CONFIG="usherd.yaml"`, "Set-Alias usherd "
	}
	if self, err := filepath.Abs(os.Args[0]); err == nil && os.Args[0] != filepath.Base(os.Args[0]) { // not found by PATH
		set = append(set, program+quoted(self))
	}
	d.say("  %s\n\n", strings.Join(set, "\n  "))
	for _, t := range d.tries(directory) {
		d.say("  %-44s # %s\n", "usherd "+t.command, t.shows)
	}
}

// quoted is a word as a shell wants it.
func quoted(s string) string {
	if strings.ContainsAny(s, " \t()&;'$") {
		return `"` + s + `"`
	}
	return s
}
