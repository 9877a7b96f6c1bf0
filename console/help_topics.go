package console

import (
	"net/http"
)

// topic is what help tells of one page of the navigation, by the name that it has there.
type topic struct {
	name     string
	said     int      // how many paragraphs it has, topics.NAME.a and so on
	commands []string // that do the same at a command line
}

// topics are all of them, in the order of the navigation.
var topics = []topic{
	{"overview", 3, []string{"usherd sources", "usherd seats", "usherd runs"}},
	{"runs", 3, []string{"usherd runs", "usherd report last", "usherd plan", "usherd rollback RUN"}},
	{"approvals", 3, []string{"usherd approvals", "usherd approve last", "usherd reject last"}},
	{"failures", 3, []string{"usherd failures", "usherd user retry KEY"}},
	{"users", 3, []string{"usherd users", "usherd user show KEY", "usherd user explain KEY --at 3d"}},
	{"provisioning", 3, []string{"usherd subscribers"}},
	{"claims", 3, []string{"usherd claim"}},
	{"domains", 3, []string{"usherd domain"}},
	{"seats", 3, []string{"usherd seats"}},
	{"sources", 3, []string{"usherd sources", "usherd check --connect"}},
	{"scim", 3, []string{"usherd scim log"}},
	{"sso", 3, []string{"usherd sso attempts --failed", "usherd sso show REF"}},
	{"templates", 3, []string{"usherd subscribers"}},
	{"tokens", 2, []string{"usherd token list"}},
	{"errors", 2, []string{"usherd errors 31"}},
	{"audit", 2, []string{"usherd audit", "usherd audit verify"}},
	{"reports", 1, []string{"usherd reports"}},
	{"config", 3, []string{"usherd check", "usherd reload"}},
	{"system", 2, []string{"usherd healthcheck", "usherd check --connect", "usherd version"}},
}

// HelpCommands are the commands that help names.
func HelpCommands() (list []string) {
	for _, t := range topics {
		list = append(list, t.commands...)
	}
	return list
}

// topicPage is one topic.
type topicPage struct {
	Said     []string
	Open     string // address of the page; "" = this administrator does not see it
	Lists    []helpList
	Commands []string
	All      string // address of all topics
}

// topicLink leads to a topic.
type topicLink struct{ Name, Address string }

// topicOf is the topic of a path of the console, nil where it has none.
func topicOf(path string) *topic {
	for _, n := range navigation {
		if !under(path, n.path) {
			continue
		}
		for i := range topics {
			if topics[i].name == n.name {
				return &topics[i]
			}
		}
	}
	return nil
}

// helpFor is the address of what help tells of a page, and what that is called.
func (v *visit) helpFor(path string) topicLink {
	if t := topicOf(path); t != nil {
		return topicLink{v.t("help.title", nil) + ": " + v.t("nav."+t.name, nil), v.link("/help/" + t.name)}
	}
	return topicLink{v.t("help.title", nil), v.link("/help")}
}

// topicLinks are the topics of the pages that this administrator sees.
func (v *visit) topicLinks() (list []topicLink) {
	for _, n := range navigation {
		if p, there := v.s.permissionOf(n.path); !there || !v.may(p) {
			continue
		}
		if t := topicOf(n.path); t != nil {
			list = append(list, topicLink{v.t("nav."+t.name, nil), v.link("/help/" + t.name)})
		}
	}
	return list
}

func (v *visit) topic() {
	name := v.r.PathValue("topic")
	for _, n := range navigation {
		t := topicOf(n.path)
		if n.name != name || t == nil {
			continue
		}
		p := topicPage{Commands: t.commands, All: v.link("/help")}
		for i := range t.said {
			p.Said = append(p.Said, v.t("topics."+name+"."+string(rune('a'+i)), nil))
		}
		if permission, there := v.s.permissionOf(n.path); there && v.may(permission) {
			p.Open = v.link(n.path)
		}
		for _, l := range v.helpLists() {
			if under(l.path, n.path) {
				p.Lists = append(p.Lists, l)
			}
		}
		v.show(http.StatusOK, "topic", frame{Title: v.t("nav."+name, nil), Crumbs: []crumb{{v.t("help.title", nil), p.All}}}, p)
		return
	}
	v.say(http.StatusNotFound, "console.nowhere", nil)
}
