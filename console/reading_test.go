package console_test

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
)

var variables = regexp.MustCompile(`\{([^}]+)\}`)

// Whoever asks for each page, for people and other things that there are, changes nothing: neither users nor runs, and nothing stands in
// the audit log but what was taken along.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := []*connector.User{w.create("ann", connector.Active), w.create("bob", connector.Inactive), w.create("eve", connector.NotVerified, func(u *connector.User) { u.PendingApproval = true })}
	held := w.run(connector.ResultHeld, func(r *connector.Run) {
		r.Hold = &connector.Hold{Status: connector.HoldOpen, Removals: true, Expires: w.now.AddDate(0, 0, 1)}
	})
	b := w.as("root")
	state := func() (list []string) {
		for _, u := range users {
			is := w.user(u.UserName())
			list = append(list, is.UserName(), string(is.State), is.UpdatedAt.String(), is.Package)
		}
		run, err := w.db.Run(t.Context(), held.ID)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(run.Hold.Status), run.Finished.String())
		for _, org := range []string{"", "acme"} {
			entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: org})
			if err != nil {
				t.Fatal(err)
			}
			// What somebody takes along is noted, and is no change.
			entries = slices.DeleteFunc(entries, func(e connector.AuditEntry) bool { return e.Action == connector.AuditExported })
			list = append(list, strings.Repeat("x", len(entries)))
		}
		return list
	}
	before := strings.Join(state(), "\n")
	pages := 0
	for _, pattern := range w.server.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		if method != http.MethodGet {
			continue
		}
		for _, u := range users {
			target := variables.ReplaceAllStringFunc(path, func(name string) string {
				values := map[string]string{"{$}": "", "{user}": u.ID.String(), "{run}": held.ID.String(), "{source}": "office", "{package}": "standard", "{org}": "acme"}
				if v, known := values[name]; known {
					return v
				}
				return cmp.Or(strings.Trim(name, "{}."), "x")
			})
			if a := b.get(target); a.StatusCode >= http.StatusInternalServerError {
				t.Errorf("%s: %d\n%s", target, a.StatusCode, a.text)
			}
			pages++
		}
	}
	if after := strings.Join(state(), "\n"); after != before || pages < 20 {
		t.Errorf("%d pages:\n%s\nbefore:\n%s", pages, after, before)
	}
}
