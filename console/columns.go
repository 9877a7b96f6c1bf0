package console

import (
	"maps"
	"slices"
	"strings"
)

// column is one that a list has.
type column struct {
	key   string // in the address: it is never changed
	text  string // key of its head
	also  string // key of what stands in it besides; "" = nothing
	means string // key of what is told of it; "" = nothing
	num   bool
	fixed bool // it is always shown: it leads to what the row is about
	sort  bool // the list can go by it
	down  bool // and does, downwards, where nothing else is said
}

// columns are those of a list as they were chosen in its address, for the templates "columns", "heads" and "colsfield". The zero value
// has all of them shown.
type columns struct {
	Choices []columnChoice
	Heads   []columnHead // of those that are shown, in order
	Keep    []option     // what else stands in the address
	Chosen  string       // as a parameter; "" = all are shown
	All     string       // address of the list with all
	Sort    string       // by which the list goes, as a parameter; "" = as it comes

	hidden map[string]bool
}

// columnChoice is one that can be shown or hidden.
type columnChoice struct {
	Key, Text string
	Shown     bool
}

// columnHead is what stands above one.
type columnHead struct {
	Text    string
	Means   string
	Num     bool
	Address string // of the list that goes by it, or the other way; "" = it cannot
	Order   string // in which it goes by it, as aria-sort has it; "" = it does not
}

// Show reports whether a column is shown.
func (c columns) Show(key string) bool { return !c.hidden[key] }

// columns are those that ?cols= names, several of them or one with commas; names that there are not are passed over, and with none
// that there is, all are shown.
func (v *visit) columns(list []column) columns {
	asked := map[string]bool{}
	for key := range strings.SplitSeq(strings.Join(v.r.URL.Query()["cols"], ","), ",") {
		asked[key] = true
	}
	some := slices.ContainsFunc(list, func(c column) bool { return !c.fixed && asked[c.key] })
	c := columns{hidden: map[string]bool{}, All: v.with("cols", ""), Sort: v.query("sort")}
	var chosen []string
	for _, x := range list {
		shown := x.fixed || !some || asked[x.key]
		text := v.t(x.text, nil)
		if x.also != "" {
			text += " · " + v.t(x.also, nil)
		}
		if !x.fixed {
			c.Choices = append(c.Choices, columnChoice{x.key, text, shown})
		}
		if c.hidden[x.key] = !shown; !shown {
			continue
		}
		c.Heads = append(c.Heads, v.columnHead(&x, text))
		if !x.fixed {
			chosen = append(chosen, x.key)
		}
	}
	if some {
		c.Chosen = strings.Join(chosen, ",")
	}
	c.Keep = v.kept("cols")
	return c
}

// columnHead leads to the list by this column, or the other way where it goes by it already.
func (v *visit) columnHead(x *column, text string) columnHead {
	h := columnHead{Text: text, Num: x.num}
	if x.means != "" {
		h.Means = v.t(x.means, nil)
	}
	if !x.sort {
		return h
	}
	next := x.key
	switch sort := v.query("sort"); {
	case sort == x.key && x.down:
		h.Order, next = "ascending", ""
	case x.down:
		h.Order = "descending"
	case sort == x.key:
		h.Order, next = "ascending", "-"+x.key
	case sort == "-"+x.key:
		h.Order = "descending"
	}
	h.Address = v.with("sort", next)
	return h
}

// unsorted has a list go by none of its columns.
func (c columns) unsorted() columns {
	c.Heads = slices.Clone(c.Heads)
	for i := range c.Heads {
		c.Heads[i].Address, c.Heads[i].Order = "", ""
	}
	return c
}

// kept are the parameters of this list but for one, for a form that changes that one; it begins at the first page.
func (v *visit) kept(but string) (list []option) {
	q := v.r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if name == but || name == "after" || name == "lang" {
			continue
		}
		for _, value := range q[name] {
			list = append(list, option{Value: value, Text: name})
		}
	}
	return list
}

// The columns of each big list, in the order in which they are shown.
var (
	columnsOfUsers = []column{
		{key: "name", text: "users.name", fixed: true, sort: true},
		{key: "email", text: "users.email"},
		{key: "username", text: "users.username", sort: true},
		{key: "state", text: "users.statehead"},
		{key: "package", text: "users.packagehead"},
		{key: "changed", text: "users.changed", sort: true},
	}
	columnsOfSubscribers = []column{
		{key: "id", text: "provisioning.subscriberid", fixed: true},
		{key: "name", text: "users.name"},
		{key: "email", text: "users.email"},
		{key: "package", text: "users.packagehead"},
		{key: "template", text: "provisioning.template"},
		{key: "status", text: "provisioning.statushead"},
		{key: "why", text: "failures.why"},
		{key: "tries", text: "provisioning.tries", num: true},
		{key: "since", text: "provisioning.since"},
	}
	columnsOfFailures = []column{
		{key: "name", text: "users.name", fixed: true},
		{key: "why", text: "failures.why"},
		{key: "reason", text: "failures.reason"},
		{key: "source", text: "runs.source"},
		{key: "first", text: "failures.first"},
		{key: "last", text: "failures.last"},
		{key: "times", text: "failures.times", num: true},
		{key: "again", text: "failures.again.head"},
		{key: "run", text: "failures.run"},
	}
	columnsOfRuns = []column{
		{key: "started", text: "runs.started", fixed: true, sort: true, down: true},
		{key: "source", text: "runs.source"},
		{key: "mode", text: "runs.mode", also: "runs.fact.actor"},
		{key: "result", text: "runs.result"},
		{key: "took", text: "runs.fact.took"},
		{key: "created", text: "words.action.created", num: true},
		{key: "updated", text: "words.action.updated", num: true},
		{key: "reactivated", text: "words.action.reactivated", num: true},
		{key: "deactivated", text: "words.action.deactivated", num: true},
		{key: "deleted", text: "words.action.deleted", num: true},
		{key: "skipped", text: "words.action.skipped", num: true},
		{key: "failed", text: "words.action.failed", num: true},
		{key: "held", text: "words.result.held", num: true},
	}
	columnsOfRequests = []column{
		{key: "at", text: "scim.at", fixed: true},
		{key: "status", text: "scim.status"},
		{key: "request", text: "scim.request"},
		{key: "person", text: "scim.person"},
		{key: "client", text: "scim.client"},
		{key: "took", text: "scim.took", num: true},
		{key: "quirks", text: "scim.quirks"},
	}
	columnsOfAttempts = []column{
		{key: "at", text: "scim.at", fixed: true},
		{key: "person", text: "scim.person"},
		{key: "result", text: "sso.result.label"},
		{key: "idp", text: "sso.idp"},
		{key: "ref", text: "scim.ref"},
		{key: "took", text: "scim.took", num: true},
		{key: "clock", text: "sso.clock.head", means: "sso.clock.means", num: true},
	}
)
