package page

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
)

// asset is a static file.
type asset struct {
	text   []byte
	kind   string
	digest string // of its text, short
}

// loadAssets reads static/NAME; what has the name of one that is there already takes its place.
func (s *Set) loadAssets(from fs.FS) error {
	names, err := fs.Glob(from, "static/*.*")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		s.put(path.Base(name), text)
	}
	return nil
}

func (s *Set) put(name string, text []byte) {
	sum := sha256.Sum256(text)
	s.assets[name] = asset{text, mime.TypeByExtension(path.Ext(name)), hex.EncodeToString(sum[:6])}
}

// Append puts a text at the end of a static file, before any page is made: what a package says of style that a page has parts of.
func (s *Set) Append(name, text string) {
	s.put(name, append(slices.Clip(s.assets[name].text), text...))
}

// Asset is the name by which a static file is asked for: it says what is in the file, so that browsers keep it for good. One
// that there is not keeps its name.
func (s *Set) Asset(name string) string {
	a, ok := s.assets[name]
	if !ok {
		return name
	}
	stem, ext := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name)
	return stem + "." + a.digest + ext
}

// Static serves style and script; the pattern that it is registered with has {file}. A page of another version of usherd, on a
// replica beside this one, may ask for another state of a file: it gets this one, and does not keep it.
func (s *Set) Static(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.PathValue("file"), ".")
	if len(parts) < 3 {
		http.NotFound(w, r)
		return
	}
	digest := parts[len(parts)-2]
	a, ok := s.assets[strings.Join(append(parts[:len(parts)-2:len(parts)-2], parts[len(parts)-1]), ".")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	if digest == a.digest {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(a.text)
}
