package report

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/failure"
)

// standing says in a few words what became of a hold.
func (w words) standing(h *connector.Hold, now time.Time) string {
	switch status := h.StatusAt(now); {
	case status == connector.HoldOpen && h.First != nil:
		return w.with("hold.first", failure.Clean(h.First.By))
	case status == connector.HoldApproved && h.Part != nil:
		return w.with("hold.part", w.share(h.Part))
	case status == connector.HoldSuperseded:
		return w.with("hold.superseded", h.Next.Short())
	default:
		return w.named("hold", string(status))
	}
}

// closed is the verdict on a run whose hold is not open any more.
func (w words) closed(h *connector.Hold, now time.Time) string {
	switch status := h.StatusAt(now); {
	case status == connector.HoldApproved && h.Part != nil:
		return w.with("verdict.part", w.share(h.Part))
	case status == connector.HoldSuperseded:
		return w.with("verdict.superseded", h.Next.Short())
	default:
		return w.named("verdict", string(status))
	}
}

// share is how many of how many were chosen: "4/20".
func (w words) share(p *connector.Part) string { return w.number(p.People) + "/" + w.number(p.Of) }

// decisions tells who has decided what about a hold, one sentence each.
func (w words) decisions(h *connector.Hold, now time.Time) []string {
	var list []string
	status := h.StatusAt(now)
	if f := h.First; f != nil && status == connector.HoldOpen {
		by := failure.Clean(f.By) + " (" + when(f.At)
		if f.Part != nil {
			by += ", " + w.share(f.Part)
		}
		list = append(list, capital(w.with("hold.first", by+")")))
	}
	if h.By != "" {
		by := failure.Clean(h.By) + ", " + when(h.At)
		if f := h.First; f != nil && status == connector.HoldApproved {
			by = failure.Clean(f.By) + ", " + by
		}
		list = append(list, w.with("decided", by))
	}
	switch {
	case status == connector.HoldApproved && h.Part != nil:
		list = append(list, capital(w.with("hold.part", w.share(h.Part))))
	case status == connector.HoldSuperseded:
		list = append(list, capital(w.with("hold.superseded", h.Next.Short())))
	}
	if status == connector.HoldApproved && !h.Next.IsZero() {
		list = append(list, w.with("hold.next", h.Next.Short()))
	}
	return list
}

// decide are the steps that decide about an open hold.
func (w words) decide(h *connector.Hold, id string) []string {
	if h.First != nil {
		return []string{w.with("next.second", id+firstFlags(h)), w.with("next.reject", id)}
	}
	return []string{w.with("next.approve", id), w.with("next.part", id+" --except KEY"), w.with("next.reject", id)}
}

// firstFlags are the flags with which a second administrator approves what the first one has.
func firstFlags(h *connector.Hold) string {
	if h.First == nil {
		return ""
	}
	return PartFlags(h.First.Part)
}

// PartFlags writes a part as the flags of usherd approve, each with a blank before it.
func PartFlags(p *connector.Part) string {
	if p == nil {
		return ""
	}
	flags := keyFlags("--only", p.Only) + keyFlags("--except", p.Except)
	if p.Action != "" {
		flags += " --only-action " + string(p.Action)
	}
	return flags
}

// keyFlags puts plain keys into one flag; a DN, which has commas of its own, needs one for itself.
func keyFlags(flag string, keys []string) string {
	var plain []string
	var out strings.Builder
	for _, k := range keys {
		if k = failure.Clean(k); strings.ContainsFunc(k, special) {
			out.WriteString(" " + flag + " '" + strings.ReplaceAll(k, "'", `'\''`) + "'")
			continue
		}
		plain = append(plain, k)
	}
	if len(plain) > 0 {
		return " " + flag + " " + strings.Join(plain, ",") + out.String()
	}
	return out.String()
}

// special reports whether a shell could take the sign for something else.
func special(r rune) bool {
	return !strings.ContainsRune("@._-+:/", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// capital begins a sentence.
func capital(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + s[n:]
}
