package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"usherd/connector/failure"
)

//go:embed layout.html static texts
var files embed.FS

// Set are the pages of one door with their texts and static files. It is safe for concurrent use.
type Set struct {
	pages  map[string]*template.Template // by name
	texts  map[string]*failure.Texts     // by area
	assets map[string]asset              // by name
}

// Load reads the pages of a door, pages/NAME.html, each of which defines the templates "title" and "main" with a View; its
// texts, texts/AREA/LANGUAGE.json; and its static files, static/NAME. Templates that its pages share, and another layout than
// ours, are layout/NAME.html. The texts of the area "page" are those of the frame. It fails only if the program was built with
// pages or texts that are not complete.
func Load(own fs.FS) (*Set, error) {
	s := &Set{pages: map[string]*template.Template{}, texts: map[string]*failure.Texts{}, assets: map[string]asset{}}
	for _, from := range []fs.FS{files, own} {
		if err := s.loadAssets(from); err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
	}
	frame, err := template.New("").Funcs(template.FuncMap{"asset": s.Asset}).ParseFS(files, "layout.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	if shared, _ := fs.Glob(own, "layout/*.html"); len(shared) > 0 {
		if frame, err = frame.ParseFS(own, shared...); err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
	}
	names, err := fs.Glob(own, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	for _, name := range names {
		t, err := frame.Clone()
		if err == nil {
			t, err = t.ParseFS(own, name)
		}
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		s.pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return s, s.load(own)
}

// load reads the texts of the frame and of the door.
func (s *Set) load(own fs.FS) error {
	ours, err := fs.Sub(files, "texts")
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	areas := map[string]fs.FS{"page": ours}
	dirs, err := fs.Glob(own, "texts/*")
	for _, dir := range dirs {
		sub, wrong := fs.Sub(own, dir)
		err = errors.Join(err, wrong)
		areas[path.Base(dir)] = sub
	}
	for area, sub := range areas {
		texts, wrong := failure.LoadTexts(sub)
		if wrong != nil {
			err = errors.Join(err, fmt.Errorf("page: %s: %w", area, wrong))
		}
		s.texts[area] = texts
	}
	return err
}

// Text gives the text AREA.KEY in a language; data fills its places, nil where there are none. What is not there gives the key.
func (s *Set) Text(lang, key string, data any) string {
	area, rest, _ := strings.Cut(key, ".")
	if t := s.texts[area]; t != nil {
		return t.Text(lang, rest, data)
	}
	return key
}

// Count is Text in the plural form that n asks for.
func (s *Set) Count(lang, key string, n int) string {
	area, rest, _ := strings.Cut(key, ".")
	if t := s.texts[area]; t != nil {
		return t.Count(lang, rest, n, nil)
	}
	return key
}

// View is what a page is made of. Whatever is in it is escaped by the template.
type View struct {
	Lang         string // one of failure.Languages
	Organization string // its name; "" = none
	Static       string // address of the folder of style and script, without a slash at its end
	Choices      []Choice
	Frame        any // what the layout of the door shows around it, if that is another one than ours
	Body         any // what the page itself is about

	set *Set
}

// Choice is one language that a page can be shown in.
type Choice struct {
	Tag, Name string
	Address   string // of the page in that language
	Current   bool
}

// Names are the names of all pages, sorted.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.pages)) }

// T is Set.Text in the language of the page.
func (v View) T(key string, data ...any) string {
	if len(data) == 0 {
		return v.set.Text(v.Lang, key, nil)
	}
	return v.set.Text(v.Lang, key, data[0])
}

// N is Set.Count in the language of the page.
func (v View) N(key string, n int) string { return v.set.Count(v.Lang, key, n) }

// Render makes a page. One that the door does not have is an error, and so is one whose template asks for what its View
// does not hold.
func (s *Set) Render(name string, v View) ([]byte, error) { return s.Part(name, "layout", v) }

// Part is Render for one of the templates that a page is made of.
func (s *Set) Part(name, part string, v View) ([]byte, error) {
	t := s.pages[name]
	if t == nil {
		return nil, fmt.Errorf("page: there is no %q", name)
	}
	v.set = s
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, part, v); err != nil {
		return nil, fmt.Errorf("page: %s: %w", name, err)
	}
	return b.Bytes(), nil
}
