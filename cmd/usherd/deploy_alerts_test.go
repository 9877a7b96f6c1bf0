package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/notice"
	"usherd/connector/notify"
	"usherd/internal/testproc"
	"usherd/portal"
	"usherd/scim"
	"usherd/sso"
	"usherd/sso/saml2"
)

const (
	alertsFile    = deploy + "prometheus/alerts.yaml"
	alertsTest    = deploy + "prometheus/alerts_test.yaml"
	alertsOfDays  = deploy + "prometheus/alerts_days_test.yaml"
	runbookFile   = deploy + "prometheus/runbook.md"
	dashboardFile = deploy + "grafana/usherd.json"
)

// TestAlarmsAreRaised has promtool play each alarm.
func TestAlarmsAreRaised(t *testing.T) {
	t.Parallel()
	if missing, ok := errors.AsType[*testproc.MissingError](testproc.Needs{Server: "promtool", Packages: "prometheus", Programs: []string{"promtool"}}.Check()); ok {
		testproc.Skip(t, missing)
	}
	for _, args := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", alertsFile}, {"test", "rules", alertsTest, alertsOfDays}} {
		if out, err := exec.CommandContext(t.Context(), testproc.Program("promtool"), args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestAlarmsAreExplained holds the alarms against what plays and explains them, and the commands there against the program.
func TestAlarmsAreExplained(t *testing.T) {
	t.Parallel()
	played, runbook := read(t, alertsTest)+read(t, alertsOfDays), read(t, runbookFile)
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, alertsFile), -1)
	for _, m := range alerts {
		for _, want := range []string{"- name: " + m[1] + " is raised\n", "- name: " + m[1] + " is not raised\n"} {
			if !strings.Contains(played, want) {
				t.Errorf("neither %s nor %s has %q", alertsTest, alertsOfDays, want)
			}
		}
		if !strings.Contains(runbook, "\n## "+m[1]+"\n") {
			t.Errorf("%s has no chapter %s", runbookFile, m[1])
		}
	}
	if chapters := strings.Count(runbook, "\n## "); chapters != len(alerts) || len(alerts) < 20 {
		t.Errorf("%d alarms and %d chapters", len(alerts), chapters)
	}
	commands := regexp.MustCompile("`usherd ([^`]+)`").FindAllStringSubmatch(runbook, -1)
	for _, m := range commands {
		knowsLine(t, runbookFile, strings.Fields(m[1]))
	}
	if len(commands) < 20 {
		t.Errorf("only %d commands were found in the runbook", len(commands))
	}
}

// knowsLine checks that usherd has the command and its flags.
func knowsLine(t *testing.T, where string, args []string) {
	t.Helper()
	root := (&app{env: func(string) (string, bool) { return "", false }}).root()
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root {
		t.Errorf("%s: there is no command %q", where, args)
		return
	}
	cmd.InheritedFlags() // adds them to what ParseFlags knows
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: %q: %v", where, args, err)
		return
	}
	if cmd.Args != nil {
		if err := cmd.Args(cmd, cmd.Flags().Args()); err != nil {
			t.Errorf("%s: %q: %v", where, args, err)
		}
	}
}

// selector is a metric in a query, with what its labels have to be.
var selector = regexp.MustCompile(`((?:usherd|process)_\w+)(?:\{([^}]*)\})?`)

// TestMetricsOfAlarmsAndDashboardExist looks up each metric, label and value that they ask for in what a daemon tells.
func TestMetricsOfAlarmsAndDashboardExist(t *testing.T) {
	t.Parallel()
	told := toldMetrics(t)
	var dashboard any
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &dashboard); err != nil {
		t.Fatalf("%s: %v", dashboardFile, err)
	}
	queries := append(texts(documents(t, alertsFile)[0], "expr"), texts(dashboard, "expr")...)
	queries = append(queries, texts(dashboard, "definition")...)
	checked := 0
	for _, q := range queries {
		for _, m := range selector.FindAllStringSubmatch(q, -1) {
			checked++
			name := m[1]
			if told[name] == nil {
				name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			}
			if told[name] == nil {
				t.Errorf("nothing tells %s, which is asked for in %s", m[1], q)
				continue
			}
			for _, l := range regexp.MustCompile(`(\w+)(=~|!=|=)"([^"]*)"`).FindAllStringSubmatch(m[2], -1) {
				values, ok := told[name][l[1]]
				if l[1] != "job" && !ok || l[2] != "=~" && l[1] != "job" && !slices.Contains(values, l[3]) {
					t.Errorf("%s has no %s of %q (there are %v), which is asked for in %s", name, l[1], l[3], values, q)
				}
			}
		}
	}
	if len(queries) < 40 || checked < 50 {
		t.Errorf("only %d metrics in %d queries were looked up", checked, len(queries))
	}
}

// toldMetrics is what a daemon tells once something of each kind has happened: by metric and label, the values.
func toldMetrics(t *testing.T) map[string]map[string][]string {
	t.Helper()
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	a, s := pushes(t, &now)
	d := newDaemon(a, s, zap.NewNop(), nil)
	d.metrics.watch(s.db)
	scim.NewMetrics(d.metrics.registry)
	sso.NewMetrics(d.metrics.registry)
	portal.NewMetrics(d.metrics.registry)
	notify.NewMetrics(d.metrics.registry)
	notice.NewMetrics(d.metrics.registry)
	s.orgs[0].Org.Templates = []connector.TemplateSettings{{ID: "phones"}}
	d.metrics.registry.MustRegister(newOutbox(d), newSubscriberCounts(d))
	_, certificate := idpMetadata(t, now.AddDate(1, 0, 0))
	ours, err := saml2.ReadCertificates(certificate)
	if err != nil {
		t.Fatal(err)
	}
	x := newIDPs([]saml2.Key{{Certificate: ours[0]}}, a.now, zap.NewNop())
	x.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataURL: "https://idp.acme.test/metadata"}}))
	d.metrics.registry.MustRegister(x)
	d.metrics.ended(&connector.Run{Org: "acme", Source: "entra", Mode: connector.ModeFull, Result: connector.ResultOK})
	if err := d.metrics.refresh(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	told := map[string]map[string][]string{}
	families, err := d.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for name, labels := range described(d.metrics.registry) {
		told[name] = map[string][]string{}
		for _, l := range labels {
			told[name][l] = nil
		}
	}
	for _, f := range families {
		if told[f.GetName()] == nil {
			told[f.GetName()] = map[string][]string{}
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				told[f.GetName()][l.GetName()] = append(told[f.GetName()][l.GetName()], l.GetValue())
			}
		}
	}
	told["usherd_sso_sign_ins_total"]["code"] = []string{"0"} // nobody has signed in
	told["usherd_activations_total"]["step"] = []string{"asked", "activated", "waits", "refused"}
	return told
}

// described are the labels of each metric, also of those that have no values yet.
func described(r *prometheus.Registry) map[string][]string {
	all := map[string][]string{}
	descs := make(chan *prometheus.Desc)
	go func() { r.Describe(descs); close(descs) }()
	form := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)
	for d := range descs {
		if m := form.FindStringSubmatch(d.String()); m != nil {
			all[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	return all
}

// texts are the texts under a key, wherever it stands.
func texts(v any, key string) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if s, ok := x.(string); ok && k == key {
				all = append(all, s)
			}
			all = append(all, texts(x, key)...)
		}
	case []any:
		for _, x := range v {
			all = append(all, texts(x, key)...)
		}
	}
	return all
}

// TestPrometheusIsTold reads the example of the documents: alarms and dashboard rest on its job.
func TestPrometheusIsTold(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(read(t, deploy+"README.md"), "\n    rule_files:")
	text, _, _ = strings.Cut("\n    rule_files:"+text, "\n\n")
	var doc tree
	err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "\n    ", "\n")), &doc)
	if !found || err != nil || at(doc, "scrape_configs", 0, "job_name") != "usherd" || len(words(doc["rule_files"])) != 1 {
		t.Errorf("found %v, %v: %v", found, err, doc)
	}
}
