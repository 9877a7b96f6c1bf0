package console

import (
	"net/http"
	"strings"
)

func (s *Server) help() {
	s.page("/help", see, (*visit).help)
	s.body("help", helpPage{})
	s.page("/help/{topic}", see, (*visit).topic)
	s.body("topic", topicPage{})
}

// helpPage tells what is the same on all pages: the keys, and the words that query boxes take.
type helpPage struct {
	Topics []topicLink
	Keys   []helpKey
	Lists  []helpList
}

// helpKey is what a key does.
type helpKey struct {
	Keys []string // one after the other
	Does string
}

// helpList are the filters of one list.
type helpList struct {
	Name, Address, Filters string

	path string
}

// helpKeys are the keys that console.js knows: those of pages, then the others with their texts, help.key.NAME.
var (
	pageKeys = []struct{ key, page string }{
		{"o", "overview"}, {"r", "runs"}, {"a", "approvals"}, {"f", "failures"}, {"p", "users"}, {"v", "provisioning"}, {"s", "sources"},
	}
	otherKeys = []struct{ key, name string }{
		{"/", "search"}, {"j", "down"}, {"k", "up"}, {"x", "tick"}, {"e", "open"}, {"c", "copy"}, {"?", "help"},
	}
)

func (v *visit) help() {
	p := helpPage{Topics: v.topicLinks(), Lists: v.helpLists()}
	for _, k := range otherKeys {
		p.Keys = append(p.Keys, helpKey{[]string{k.key}, v.t("help.key."+k.name, nil)})
	}
	for _, k := range pageKeys {
		p.Keys = append(p.Keys, helpKey{[]string{"g", k.key}, v.t("nav."+k.page, nil)})
	}
	v.show(http.StatusOK, "help", frame{Title: v.t("help.title", nil), State: v.t("help.state", nil)}, p)
}

// helpLists are all lists with the filters that their query boxes take.
func (v *visit) helpLists() (list []helpList) {
	for _, l := range v.s.lists {
		name := v.t("nav."+strings.TrimPrefix(l.path, "/"), nil)
		switch l.path {
		case "/sso/attempts":
			name = v.t("sso.attempts", nil)
		case "/scim/requests":
			name = v.t("scim.requests", nil)
		}
		list = append(list, helpList{name, v.link(l.path), strings.Join(l.filters, ":  ") + ":", l.path})
	}
	return list
}
