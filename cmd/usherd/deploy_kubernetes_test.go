package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"usherd/config"
)

func TestKubernetesManifestsFitTheImageAndTheConfiguration(t *testing.T) {
	t.Parallel()
	for folder, kind := range map[string]string{"postgresql": "Deployment", "sqlite": "StatefulSet"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			m := readManifests(t, deploy+"kubernetes/"+folder+"/")
			w := m.one(t, kind)
			m.workload(t, w)
			m.ports(t, w)
			m.selectors(t, w)
			m.state(t, w)
		})
	}
}

// manifests are a folder's, with its configuration.
type manifests struct {
	dir    string
	config *config.Config
	docs   []tree
}

func readManifests(t *testing.T, dir string) *manifests {
	t.Helper()
	m := &manifests{dir: dir, config: deployed(t, dir+"usherd.yaml")}
	kustomization := documents(t, dir+"kustomization.yaml")[0]
	named := append(words(at(kustomization, "resources")), words(at(kustomization, "configMapGenerator", 0, "files"))...)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch name := f.Name(); {
		case name == "kustomization.yaml":
		case name == "monitor.yaml", slices.Contains(named, name) && name != "usherd.yaml":
			m.docs = append(m.docs, documents(t, dir+name)...)
		case name != "usherd.yaml":
			t.Errorf("%s%s is in no kustomization", dir, name)
		}
	}
	for _, name := range named {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if got := at(kustomization, "images", 0, "name"); got != "usherd" {
		t.Errorf("the image of the kustomization is %v", got)
	}
	return m
}

// one returns the only document of a kind.
func (m *manifests) one(t *testing.T, kind string) tree {
	t.Helper()
	found := m.all(kind)
	if len(found) != 1 {
		t.Fatalf("%s has %d documents of kind %s, want 1", m.dir, len(found), kind)
	}
	return found[0]
}

func (m *manifests) all(kind string) (found []tree) {
	for _, d := range m.docs {
		if d["kind"] == kind {
			found = append(found, d)
		}
	}
	return found
}

// workload checks what runs, as whom, and what it mounts.
func (m *manifests) workload(t *testing.T, w tree) {
	t.Helper()
	pod := at(w, "spec", "template", "spec")
	c := at(pod, "containers", 0)
	isCommand(t, m.dir, words(at(c, "args")))
	if at(c, "command") != nil || at(c, "image") != "usherd" {
		t.Errorf("%s runs %v of the image %v", m.dir, at(c, "command"), at(c, "image"))
	}
	user, _, _ := strings.Cut(dockerfile(t)["USER"], ":")
	for path, want := range map[string]string{"runAsNonRoot": "true", "runAsUser": user, "runAsGroup": user, "fsGroup": user} {
		if got := fmt.Sprint(at(pod, "securityContext", path)); got != want {
			t.Errorf("%s: %s is %s, want %s", m.dir, path, got, want)
		}
	}
	if at(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault" || at(c, "securityContext", "readOnlyRootFilesystem") != true ||
		at(c, "securityContext", "allowPrivilegeEscalation") != false || !slices.Equal(words(at(c, "securityContext", "capabilities", "drop")), []string{"ALL"}) {
		t.Errorf("%s: the container may do more than it needs", m.dir)
	}
	mounts, volumes := map[string]string{}, map[string]bool{}
	for _, v := range append(list(at(pod, "volumes")), list(at(w, "spec", "volumeClaimTemplates"))...) {
		name, _ := at(v, "name").(string)
		if claimed, ok := at(v, "metadata", "name").(string); ok {
			name = claimed
		}
		volumes[name] = true
	}
	for _, v := range list(at(c, "volumeMounts")) {
		name, _ := at(v, "name").(string)
		mounts[name], _ = at(v, "mountPath").(string)
		if !volumes[name] {
			t.Errorf("%s mounts %q, which is no volume", m.dir, name)
		}
	}
	if len(mounts) != len(volumes) {
		t.Errorf("%s has volumes %v and mounts %v", m.dir, volumes, mounts)
	}
	if file := strings.TrimPrefix(dockerfile(t)["ENV"], "USHERD_CONFIG="); mounts["config"] != filepath.Dir(file) {
		t.Errorf("%s mounts the configuration at %s, the image reads %s", m.dir, mounts["config"], file)
	}
	// Each secret that the configuration reads is one that the manifest says how to make.
	manifest := read(t, m.dir+strings.ToLower(fmt.Sprint(w["kind"]))+".yaml")
	for _, s := range regexp.MustCompile(`/run/secrets/([\w.-]+)`).FindAllStringSubmatch(read(t, m.dir+"usherd.yaml"), -1) {
		if mounts["secrets"] != "/run/secrets" || !strings.Contains(manifest, "--from-file="+s[1]) {
			t.Errorf("%s: %s is read, and nothing says where it comes from", m.dir, s[0])
		}
	}
}

// ports checks that ports and probes are those that the daemon serves.
func (m *manifests) ports(t *testing.T, w tree) {
	t.Helper()
	c := at(w, "spec", "template", "spec", "containers", 0)
	want := map[string]string{"health": portOf(t, m.config.Listen), "scim": portOf(t, m.config.SCIM.Listen)}
	names := map[string]string{}
	for _, p := range list(at(c, "ports")) {
		name, _ := at(p, "name").(string)
		if names[name] = fmt.Sprint(at(p, "containerPort")); names[name] != want[name] {
			t.Errorf("%s: port %s is %s, the configuration says %s", m.dir, name, names[name], want[name])
		}
	}
	served := healthPaths()
	for probe, path := range map[string]string{"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"} {
		if got := at(c, probe, "httpGet", "path"); got != path || !served(path) || at(c, probe, "httpGet", "port") != "health" {
			t.Errorf("%s: %s asks %v of %v, want %s of health (served: %v)", m.dir, probe, got, at(c, probe, "httpGet", "port"), path, served(path))
		}
	}
	for _, s := range m.all("Service") {
		for _, p := range list(at(s, "spec", "ports")) {
			if target, _ := at(p, "targetPort").(string); names[target] == "" {
				t.Errorf("%s: a service leads to the port %v", m.dir, target)
			}
		}
	}
	allowed := map[string]bool{}
	for _, rule := range list(at(m.one(t, "NetworkPolicy"), "spec", "ingress")) {
		for _, p := range list(at(rule, "ports")) {
			allowed[fmt.Sprint(at(p, "port"))] = true
		}
	}
	if len(allowed) != 2 || !allowed[want["health"]] || !allowed[want["scim"]] {
		t.Errorf("%s: the network policy lets in %v, want %v", m.dir, allowed, want)
	}
	for _, monitor := range m.all("ServiceMonitor") {
		if at(monitor, "spec", "endpoints", 0, "port") != "health" || at(monitor, "spec", "endpoints", 0, "path") != "/metrics" || !served("/metrics") {
			t.Errorf("%s: the monitor reads %v", m.dir, at(monitor, "spec", "endpoints"))
		}
	}
}

// healthPaths says which paths the daemon's health serves.
func healthPaths() func(path string) bool {
	mux := (&daemon{metrics: newMetrics()}).healthMux()
	return func(path string) bool {
		_, pattern := mux.Handler(httptest.NewRequest(http.MethodGet, path, http.NoBody))
		return pattern != ""
	}
}

// selectors checks that everything that selects pods selects these.
func (m *manifests) selectors(t *testing.T, w tree) {
	t.Helper()
	label := at(w, "spec", "template", "metadata", "labels", "app")
	pod := at(w, "spec", "template", "spec")
	selecting := map[string]any{
		"its own selector": at(w, "spec", "selector", "matchLabels", "app"),
		"network policy":   at(m.one(t, "NetworkPolicy"), "spec", "podSelector", "matchLabels", "app"),
	}
	for _, s := range m.all("Service") {
		selecting["service "+fmt.Sprint(at(s, "metadata", "name"))] = at(s, "spec", "selector", "app")
	}
	if w["kind"] == "Deployment" {
		selecting["disruption budget"] = at(m.one(t, "PodDisruptionBudget"), "spec", "selector", "matchLabels", "app")
		selecting["spread"] = at(pod, "topologySpreadConstraints", 0, "labelSelector", "matchLabels", "app")
		selecting["affinity"] = at(pod, "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution", 0,
			"podAffinityTerm", "labelSelector", "matchLabels", "app")
	}
	for what, got := range selecting {
		if label == nil || got != label {
			t.Errorf("%s: %s selects %v, the pods are %v", m.dir, what, got, label)
		}
	}
}

// state checks that as many replicas run as the store can take.
func (m *manifests) state(t *testing.T, w tree) {
	t.Helper()
	replicas, _ := strconv.Atoi(fmt.Sprint(at(w, "spec", "replicas")))
	file, sqlite := strings.CutPrefix(m.config.Store, "sqlite:")
	if sqlite != (w["kind"] == "StatefulSet") || sqlite && replicas != 1 || !sqlite && replicas != 2 {
		t.Errorf("%s: %d replicas of a %v", m.dir, replicas, w["kind"])
	}
	if !sqlite {
		return
	}
	claim := at(w, "spec", "volumeClaimTemplates", 0, "metadata", "name")
	mounted := false
	for _, v := range list(at(w, "spec", "template", "spec", "containers", 0, "volumeMounts")) {
		mounted = mounted || at(v, "name") == claim && at(v, "mountPath") == filepath.Dir(file)
	}
	if !mounted {
		t.Errorf("%s: the store %s is not in the volume %v", m.dir, file, claim)
	}
	found := false
	for _, s := range m.all("Service") {
		found = found || at(s, "metadata", "name") == at(w, "spec", "serviceName")
	}
	if !found {
		t.Errorf("%s: there is no service %v", m.dir, at(w, "spec", "serviceName"))
	}
}
