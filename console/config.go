package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/system"
)

// RevisionStore is what the pages about the configuration read.
type RevisionStore interface {
	Revision(ctx context.Context, id string) (connector.Revision, error)
	// RevisionTimes returns at most limit revisions without their texts, latest first, from behind that one on.
	RevisionTimes(ctx context.Context, before connector.Revision, limit int) ([]connector.Revision, error)
}

func (s *Server) configuration() {
	s.page("/config", see, (*visit).configuration)
	s.body("config", configPage{})
	s.page("/config/revisions", see, (*visit).revisions)
	s.body("config_revisions", revisionsPage{})
	s.page("/config/diff", see, (*visit).compareRevisions)
	s.body("config_diff", diffPage{})
}

// configPage is what is in force, and the file on disk.
type configPage struct {
	Facts       []fact
	Loaded      *instant
	Disk        pill
	Faults      []faultRow
	Error       string
	Copy        string // the faults as text
	Differences []differenceRow
	Key         string // that is looked for
	Written     bool   // only what stands in the file
	Sections    []valueSection
	Others      bool // there is more that this person does not see
	Path        string
}

// faultRow is one fault of the file on disk.
type faultRow struct{ Where, Path, Message string }

// valueSection is one block with its keys.
type valueSection struct {
	Name string
	Rows []valueRow
}

type valueRow struct {
	Key, Text, Where string
	Default          bool
}

// differenceRow is one difference of two revisions.
type differenceRow struct {
	Path, Where   string
	Kind          pill
	Before, After string
	Affects       string
}

// program is the daemon that is asked, and answers where there is none.
func (v *visit) program() (system.Program, bool) {
	if p := v.s.o.Program; p != nil {
		return p, true
	}
	v.say(http.StatusNotFound, "console.nowhere", nil)
	return nil, false
}

func (v *visit) configuration() {
	p, ok := v.program()
	if !ok {
		return
	}
	is, err := p.Standing(v.r.Context(), v.id())
	if err != nil {
		v.accident("config", err)
		return
	}
	c := p.Configuration()
	body := configPage{
		Path: c.Path, Key: v.query("key"), Written: v.query("written") == "1", Others: !v.seesAll(),
		Facts: []fact{{Name: v.t("config.revision", nil), Value: c.Revision}, {Name: v.t("config.file", nil), Value: c.Path}},
	}
	f := frame{v: v}
	body.Loaded = f.At(c.Loaded)
	v.diskState(&body, is.Disk, c.Revision)
	v.sections(&body, &c)
	v.show(http.StatusOK, "config", frame{Title: v.t("nav.config", nil), State: v.t("config.state", nil)}, body)
}

// diskState tells how the file on disk is against what is in force.
func (v *visit) diskState(body *configPage, d system.Disk, revision string) {
	switch d.Against(revision) {
	case system.DiskFaulty:
		body.Disk = pill{v.t("config.disk.faults", nil), "bad"}
	case system.DiskSame:
		body.Disk = pill{v.t("config.disk.same", nil), "good"}
	case system.DiskDiffers:
		body.Disk = pill{v.t("config.disk.differs", nil), "warn"}
	}
	d = v.sight().Disk(d)
	body.Error, body.Copy = d.Error, d.Error
	for _, x := range d.Faults {
		where := fmt.Sprintf("%s:%d:%d", filepath.Base(x.File), x.Line, x.Column)
		body.Faults = append(body.Faults, faultRow{where, x.Path, x.Message})
		body.Copy += fmt.Sprintf("%s:%d:%d: %s: %s\n", x.File, x.Line, x.Column, x.Path, x.Message)
	}
	body.Differences = v.differenceRows(d.Differences, filepath.Base(d.Path))
}

// seesAll reports whether this person has a role in every organization, so that nothing of the file is another one's.
func (v *visit) seesAll() bool { return len(v.roles) == len(v.set.Organizations) }

// sight is what this person sees of the daemon.
func (v *visit) sight() system.Sight { return system.Sight{Org: v.id(), All: v.seesAll()} }

// sections put the keys that this person sees into blocks: what is of the whole file, the organization, each of its sources.
func (v *visit) sections(body *configPage, c *system.Configuration) {
	file, key := filepath.Base(c.Path), strings.ToLower(body.Key)
	for _, x := range v.sight().Values(c.Values) {
		if body.Written && x.Line == 0 || key != "" && !strings.Contains(strings.ToLower(x.Path+" "+x.Text), key) {
			continue
		}
		name, rest := sectionOf(x.Path)
		at := slices.IndexFunc(body.Sections, func(s valueSection) bool { return s.Name == name })
		if at < 0 {
			at = len(body.Sections)
			body.Sections = append(body.Sections, valueSection{Name: name})
		}
		row := valueRow{Key: rest, Text: x.Text, Where: fmt.Sprintf("%s:%d", file, x.Line)}
		if x.Line == 0 {
			row.Where, row.Default = v.t("config.default", nil), true
		}
		s := &body.Sections[at]
		s.Rows = append(s.Rows, row)
	}
}

// sectionOf is the block that a path belongs to, and the path within it.
func sectionOf(path string) (name, rest string) {
	if !strings.HasPrefix(path, "organizations[") {
		if name, rest, nested := strings.Cut(path, "."); nested {
			return name, rest
		}
		return "", path
	}
	if second := strings.Index(path, "]."); second >= 0 { // organizations[acme].sources[office].
		inner := path[second+2:]
		if at := strings.Index(inner, "]."); at >= 0 {
			return path[:second+2+at+1], inner[at+2:]
		}
		return path[:second+1], inner
	}
	return path, ""
}

// differenceRows are those that this person sees.
func (v *visit) differenceRows(list []system.Difference, file string) (rows []differenceRow) {
	kinds := map[string]string{"added": "good", "removed": "bad", "changed": "info"}
	for _, d := range v.sight().Differences(list) {
		where := fmt.Sprintf("%s:%d", file, d.Line)
		if file == "" {
			where = v.t("config.line", map[string]string{"Line": strconv.Itoa(d.Line)})
		}
		rows = append(rows, differenceRow{d.Path, where, pill{v.t("config.kind."+d.Kind, nil), kinds[d.Kind]}, d.Before, d.After, affected(d.Path)})
	}
	return rows
}

// affected is what a difference is about: the source or package that a path names, "" where it is of no single one.
func affected(path string) string {
	for _, block := range []string{"sources", "packages", "templates"} {
		if _, rest, ok := strings.Cut(path, "]."+block+"["); ok {
			id, _, _ := strings.Cut(rest, "]")
			return id
		}
	}
	return ""
}

// revisionsPage lists what was in force before.
type revisionsPage struct {
	Rows  []revisionRow
	Pager pager
}

type revisionRow struct {
	ID      string
	At      *instant
	Current bool
	// Before and Now are addresses of the differences to the one before, and to what is in force; "" = there are none.
	Before, Now string
}

func (v *visit) revisions() {
	var before connector.Revision
	if text := v.after(); text != "" {
		at, id, _ := strings.Cut(text, " ")
		when, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			v.accident("revisions", &connector.Error{Kind: connector.Invalid, Op: "revisions", Err: errors.New("after is not what a page gave")})
			return
		}
		before = connector.Revision{ID: id, At: when}
	}
	list, err := v.s.o.Store.RevisionTimes(v.r.Context(), before, perPage+1)
	if err != nil {
		v.accident("revisions", err)
		return
	}
	var p revisionsPage
	f, next := frame{v: v}, ""
	for i, r := range list {
		if i == perPage {
			next = list[i-1].At.UTC().Format(time.RFC3339Nano) + " " + list[i-1].ID
			break
		}
		row := revisionRow{ID: r.ID, At: f.At(r.At), Current: r.ID == v.set.Revision}
		if i+1 < len(list) {
			row.Before = v.link("/config/diff", "a", list[i+1].ID, "b", r.ID)
		}
		if !row.Current {
			row.Now = v.link("/config/diff", "a", r.ID, "b", v.set.Revision)
		}
		p.Rows = append(p.Rows, row)
	}
	p.Pager = v.pager(next, len(p.Rows))
	v.show(http.StatusOK, "config_revisions", frame{Title: v.t("config.revisions", nil), Crumbs: v.configCrumb()}, p)
}

func (v *visit) configCrumb() []crumb { return []crumb{{v.t("nav.config", nil), v.link("/config")}} }

// diffPage is what differs between two revisions.
type diffPage struct {
	A, B      string
	Of, Than  *instant
	Rows      []differenceRow
	Fault     string // why they cannot be compared
	Others    bool
	Revisions string // address of the list
}

func (v *visit) compareRevisions() {
	program, ok := v.program()
	if !ok {
		return
	}
	p := diffPage{A: v.query("a"), B: v.query("b"), Others: !v.seesAll(), Revisions: v.link("/config/revisions")}
	status := http.StatusOK
	if p.A != "" && p.B != "" {
		if err := v.compare(program, &p); err != nil {
			if connector.KindOf(err) != connector.NotFound && connector.KindOf(err) != connector.Invalid {
				v.accident("compare", err)
				return
			}
			status, p.Fault = http.StatusNotFound, v.words(err)
			if connector.KindOf(err) == connector.Invalid {
				status, p.Fault = http.StatusConflict, v.t("config.unreadable", nil)
			}
		}
	}
	crumbs := []crumb{{v.t("nav.config", nil), v.link("/config")}, {v.t("config.revisions", nil), p.Revisions}}
	v.show(status, "config_diff", frame{Title: v.t("config.compare", nil), Crumbs: crumbs}, p)
}

func (v *visit) compare(program system.Program, p *diffPage) error {
	older, err := v.s.o.Store.Revision(v.r.Context(), p.A)
	if err != nil {
		return err
	}
	newer, err := v.s.o.Store.Revision(v.r.Context(), p.B)
	if err != nil {
		return err
	}
	f := frame{v: v}
	p.Of, p.Than = f.At(older.At), f.At(newer.At)
	list, err := program.Differences(older, newer)
	p.Rows = v.differenceRows(list, "")
	return err
}
