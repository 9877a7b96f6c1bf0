package console_test

import (
	"net/http"
	"testing"

	"usherd/connector"
)

// Groups that a run left as they were are told in its report, in the list and on each page, until a full run has written them; somebody who
// decides can accept what would become of them.
func TestHeldGroupsAreShownAndAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := func(digest string) func(r *connector.Run) {
		return func(r *connector.Run) {
			r.Groups = connector.GroupCounts{Deleted: 9, MembersRemoved: 120}
			r.GroupHold = &connector.GroupHold{Reason: "<i>9</i> of 20 groups", Digest: digest}
		}
	}
	first := w.aRun(0, hold("aa"))
	r := w.aRun(0, hold("0a1b"))
	w.aRun(1, func(r *connector.Run) { r.Mode = connector.ModeChanges }) // says nothing of them
	b := w.as("operator")
	banner := "office: the groups stay as they are until somebody accepts"
	a := b.get(runPath(r, ""))
	w.want(a, http.StatusOK, banner, "&lt;i&gt;9&lt;/i&gt; of 20 groups", "<dd>9</dd>", "<dd>120</dd>", "usherd sync --org acme --source office --accept-groups 0a1b", "Accept groups…")
	w.not(a, "<i>9")
	w.want(b.get("/runs"), http.StatusOK, banner, `href="/admin`+runPath(r, "")+`">Look</a>`, "<small>The groups stay as they are</small>")
	a = b.get(runPath(first, ""))
	w.want(a, http.StatusOK, "A later full run has looked anew")
	w.not(a, "Accept groups…", "--accept-groups")
	w.not(w.as("helpdesk").get(runPath(r, "")), "Accept groups…")
	w.want(b.get(runPath(r, "/groups")), http.StatusOK, "finds exactly this again", "120")
	w.want(b.post(runPath(r, "/groups"), nil), http.StatusSeeOther)
	if len(w.runner.asked) != 1 || w.runner.asked[0] != "accept 0a1b of acme office by console:operator" {
		t.Error(w.runner.asked)
	}
	last := w.aRun(0, hold(""))
	b = w.as("operator")
	a = b.get(runPath(last, ""))
	w.want(a, http.StatusOK, banner, "Nobody can accept this")
	w.not(a, "Accept groups…")
	w.want(b.get(runPath(last, "/groups")), http.StatusConflict, "There is nothing to accept")
	done := w.aRun(1, nil)
	b = w.as("operator")
	w.not(b.get("/runs"), banner)
	w.want(b.get(runPath(done, "/groups")), http.StatusConflict, "There is nothing to accept")
}
