package scim_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"usherd/scim/body"
)

var update = flag.Bool("update", false, "write the answers of the exchanges anew")

// TestExchanges plays the files of testdata/exchange. Each has requests and their answers one after the other, as
// they would go over the wire to be read beside the RFC:
//
//	# what it is about
//	POST /Users?attributes=userName
//	If-Match: W/"1"
//
//	{"userName": "ann"}
//	HTTP 201
//	Location: https://scim.test/scim/acme/v2/Users/{id1}
//
//	{…}
//
// {id1}, {id2} … are ids in the order in which answers first show them, {time} and {tag} what differs each time; in a
// header, {tag} is the last one that was answered. The token is that of client idp of acme; "As: globex:idp" names another, "Profile: okta" sets the dialect of the client.
// Requests are written by hand; go test -update writes the answers, to be read before they are committed.
func TestExchanges(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/exchange/*.http")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".http"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			p := player{w: newWorld(t), ids: map[string]string{}}
			got := p.play(string(want))
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("%s (-want +got); go test -update writes it anew:\n%s", f, d)
			}
		})
	}
}

// player plays one file.
type player struct {
	w   *world
	ids map[string]string // real -> shown
	tag string            // the last one
}

var requestLine = regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /`)

// play makes the requests and returns the file with the answers that came.
func (p *player) play(file string) string {
	var out strings.Builder
	lines := strings.Split(file, "\n")
	for i := 0; i < len(lines); {
		if !requestLine.MatchString(lines[i]) {
			out.WriteString(lines[i] + "\n")
			i++
			continue
		}
		from := i
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "HTTP ") && !strings.HasPrefix(lines[i], "#") && !requestLine.MatchString(lines[i]); i++ {
		}
		request := strings.TrimRight(strings.Join(lines[from:i], "\n"), "\n")
		if i < len(lines) && strings.HasPrefix(lines[i], "HTTP ") { // the answer that was expected
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], "#") && !requestLine.MatchString(lines[i]); i++ {
			}
		}
		out.WriteString(request + "\n" + p.request(request) + "\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// request makes one and returns the answer as the file shows it.
func (p *player) request(text string) string {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(p.real(head), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	token := "acme:idp"
	var header []string
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		switch name {
		case "As":
			token = value
		case "Profile":
			p.w.speak(token, value)
		default:
			header = append(header, name, strings.ReplaceAll(value, "{tag}", p.tag))
		}
	}
	if at, query, ok := strings.Cut(path, "?"); ok { // as it is read, not as it is sent
		path = at + "?" + encoded(query)
	}
	r := p.w.sendAs(token, method, path, p.real(body), header...)
	p.tag = cmp.Or(r.header.Get("ETag"), p.tag)
	return p.shown(r)
}

// byName is an object with its members in order of their names, in which they stand means nothing. None may be there twice.
func byName(text string) (string, error) {
	o, err := body.Parse([]byte(text))
	if err != nil {
		return "", err
	}
	pretty, err := json.MarshalIndent(o, "", "  ")
	return string(pretty), err
}

// encoded escapes the values of a query.
func encoded(query string) string {
	var parts []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, has := strings.Cut(pair, "=")
		if has {
			name += "=" + url.QueryEscape(value)
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, "&")
}

func (p *player) real(text string) string {
	for real, shown := range p.ids {
		text = strings.ReplaceAll(text, shown, real)
	}
	return text
}

var (
	uuidPattern  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	stampPattern = regexp.MustCompile(`2026-03-01T[0-9:.]+Z`)
	tagPattern   = regexp.MustCompile(`W/\\?"[0-9]+-[0-9A-Za-z_-]+\\?"|W/\\?"[0-9A-Za-z_-]{12}\\?"`)
	refPattern   = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)
	sealPattern  = regexp.MustCompile(`"(next|previous)Cursor": "[^"]+"`)
)

func (p *player) shown(r response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP %d\n", r.status)
	for _, name := range []string{"Location", "Etag", "Allow", "WWW-Authenticate", "Retry-After"} {
		if v := r.header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if r.body != "" {
		pretty, err := byName(r.body)
		if err != nil {
			fmt.Fprintf(&b, "\nno JSON: %v\n%s", err, r.body)
		} else {
			b.WriteString("\n" + pretty + "\n")
		}
	}
	text := uuidPattern.ReplaceAllStringFunc(b.String(), func(id string) string {
		if p.ids[id] == "" {
			p.ids[id] = "{id" + strconv.Itoa(len(p.ids)+1) + "}"
		}
		return p.ids[id]
	})
	text = stampPattern.ReplaceAllString(text, "{time}")
	text = tagPattern.ReplaceAllString(text, "{tag}")
	text = refPattern.ReplaceAllString(text, "{ref}")
	return sealPattern.ReplaceAllString(text, `"${1}Cursor": "{cursor}"`)
}
