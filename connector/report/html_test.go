package report_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

func page(t *testing.T, r report.Report) string {
	t.Helper()
	var b strings.Builder
	if err := report.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTMLReportIsAsAgreed(t *testing.T) {
	t.Parallel()
	golden(t, "report.html", page(t, sample("en")))
}

var (
	tag    = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)([^>]*?)(/?)>`)
	script = regexp.MustCompile(`(?s)<(script|style)>.*?</(script|style)>`)
	void   = []string{"meta", "input", "br", "link", "img"}
)

func TestTagsAreBalanced(t *testing.T) {
	t.Parallel()
	for _, lang := range failure.Languages() {
		var open []string
		for _, m := range tag.FindAllStringSubmatch(script.ReplaceAllString(page(t, sample(lang)), ""), -1) {
			name := m[2]
			switch {
			case m[4] == "/" || slices.Contains(void, name):
			case m[1] == "":
				open = append(open, name)
			case len(open) == 0 || open[len(open)-1] != name:
				t.Fatalf("%s: </%s> closes %v", lang, name, open)
			default:
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("%s: left open: %v", lang, open)
		}
	}
}

func TestHostileValuesAreOnlyText(t *testing.T) {
	t.Parallel()
	body := script.ReplaceAllString(page(t, sample("en")), "")
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>", "\x1b", `="x`} {
		if strings.Contains(body, bad) {
			t.Errorf("%q came through", bad)
		}
	}
	if !strings.Contains(body, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the name of the person is not shown")
	}
}

func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	body := page(t, sample("en"))
	loads := regexp.MustCompile(`(?i)\s(src|srcset|style|on[a-z]+)=|href="[^#]|javascript:`)
	for _, element := range tag.FindAllString(script.ReplaceAllString(body, ""), -1) {
		if loads.MatchString(element) {
			t.Errorf("the page holds %s", element)
		}
	}
	if m := regexp.MustCompile(`(?i)url\(|@import|fetch\(|XMLHttp|eval\(|innerHTML`).FindString(body); m != "" {
		t.Errorf("style or script holds %q", m)
	}
	if !strings.Contains(body, "default-src &#39;none&#39;") {
		t.Error("no policy that forbids loading")
	}
}

func TestPageIsAccessible(t *testing.T) {
	t.Parallel()
	body := script.ReplaceAllString(page(t, sample("pl")), "")
	for _, want := range []string{`<html lang="pl">`, "<main>", "<header", "<footer>", `class="jump" href="#people"`, `role="img" aria-label="`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if n := strings.Count(body, "<h1"); n != 1 {
		t.Errorf("%d headings of the first level", n)
	}
	for _, th := range regexp.MustCompile(`<th[ >][^>]*`).FindAllString(body, -1) {
		if !strings.Contains(th, "scope=") {
			t.Errorf("%s has no scope", th)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if ids[m[1]] {
			t.Errorf("id %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`aria-labelledby="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if !ids[m[1]] {
			t.Errorf("label %s does not exist", m[1])
		}
	}
}

func TestPageNamesTheMappingLine(t *testing.T) {
	t.Parallel()
	body := page(t, sample("en"))
	for _, want := range []string{"usherd.yaml:47", "givenName, sn", "trim(givenName &#43; &#34; &#34; &#43; sn)", "12.1\u00a0KB"} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(body, "AAAAAAAA") {
		t.Error("a picture is in the page")
	}
}

func TestReportWordsAreTranslated(t *testing.T) {
	t.Parallel()
	// What is data stays as it came; every sentence of the page itself must differ from the English one.
	words := regexp.MustCompile(`>([^<>]*[A-Za-z]{4}[^<>]*)<`)
	english := map[string]bool{}
	for _, m := range words.FindAllStringSubmatch(script.ReplaceAllString(page(t, sample("en")), ""), -1) {
		english[m[1]] = true
	}
	data := regexp.MustCompile(`example|usherd|corp-ad|acme|schedule|CN=|leaver|[a-z]+_[a-z]+|person|Support|Engineering|alert|Name|jörg|[0-9A-Z]{4}-[0-9A-Z]{4}|mobile|department|badge|` +
		`^(Person|connect|search|compare|apply|report|standard|basic|guests|gone|disabled|boss|nina|Standard|Basic|Larsson|HYPERLINK.*|.*Guests|.*removals.*|.*referrals.*|E-?mail.*|Start|Server|piotr.*|.*HYPERLINK.*|Region|Division)$`)
	for _, lang := range failure.Languages()[1:] {
		for _, m := range words.FindAllStringSubmatch(script.ReplaceAllString(page(t, sample(lang)), ""), -1) {
			if english[m[1]] && !data.MatchString(strings.TrimSpace(m[1])) {
				t.Errorf("%s: still English: %q", lang, m[1])
			}
		}
	}
}

func TestFailedReadShowsNoZeros(t *testing.T) {
	t.Parallel()
	run := &connector.Run{ID: id(1), Source: "corp-ad", Result: connector.ResultFailed, Error: "bind: invalid credentials", Hint: "check the password"}
	body := page(t, report.Report{Run: run})
	for want, there := range map[string]bool{`class="tiles"`: false, "bind: invalid credentials": true, "check the password": true, "tone-bad": true} {
		if strings.Contains(body, want) != there {
			t.Errorf("%s: there = %v", want, !there)
		}
	}
	run.Entries = 10
	if !strings.Contains(page(t, report.Report{Run: run}), `class="tiles"`) {
		t.Error("a run that read something shows no counts")
	}
}
