package portal

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/policy"
	"usherd/connector/provision"
	"usherd/page"
)

// Activations are what the portal asks of templates. provision.Provisioner is one.
type Activations interface {
	// AskActivation keeps what somebody has asked for; who may activate is sent a link later.
	AskActivation(ctx context.Context, req provision.ActivationRequest) error
	// Activation shows what a link is for.
	Activation(ctx context.Context, link connector.ID) (*connector.Subscriber, connector.MailLink, error)
	// Activate uses it.
	Activate(ctx context.Context, link connector.ID) (*connector.Subscriber, error)
}

// activations are the pages by which people activate themselves.
func (s *Server) activations() {
	s.mux.HandleFunc("GET /activate/{org}/{template}", s.of((*visit).activate))
	s.mux.HandleFunc("POST /activate/{org}/{template}", s.of((*visit).requestActivation))
	s.mux.HandleFunc("POST /activate/{org}/{template}/resend", s.of((*visit).resendActivation))
	s.mux.HandleFunc("GET /activation/{org}/{token}", s.of((*visit).showActivation))
	s.mux.HandleFunc("POST /activation/{org}/{token}", s.of((*visit).useActivation))
}

func activatePath(org, template string) string { return "/activate/" + org + "/" + template }

// maxAgain is how often another mail can be asked for.
const maxAgain = 3

// resendRate is one mail a minute for an address, known or not.
var resendRate = page.Rate{PerSecond: 1.0 / 60, Burst: 1}

// template finds the template that the path names, and answers where there is none.
func (v *visit) template() (*connector.TemplateSettings, bool) {
	t := v.org.Settings.Template(v.r.PathValue("template"))
	if t == nil || v.org.Activations == nil {
		v.nowhere()
		return nil, false
	}
	v.lang = page.Language(v.r, v.org.Settings.LanguagesOf(t))
	return t, true
}

// activateField is one attribute that the form asks for.
type activateField struct {
	Name, Label, Value string
	Required           bool
	Max                int
	Missing            bool
	Known              string // as what browsers know it, for autocomplete; "" = as nothing
}

// browserNames are what browsers call attributes that people have typed elsewhere before.
var browserNames = map[string]string{connector.GivenName: "given-name", connector.FamilyName: "family-name", connector.DisplayName: "name"}

// activatePage is the form, and afterwards what can be sent again.
type activatePage struct {
	page.Help
	Action     string // where it is posted
	Template   string // its name
	Email      string
	EmailFault bool
	Fields     []activateField
	Subscriber string // of the link that the person came by
	Key        string
	Again      int // how often another mail was asked for
	More       bool
	Last       int
}

// activate shows the form.
func (v *visit) activate() {
	t, ok := v.template()
	if !ok {
		return
	}
	v.show(http.StatusOK, "activate", v.activatePage(t, v.r.URL.Query()))
}

// activatePage is the form with what was entered.
func (v *visit) activatePage(t *connector.TemplateSettings, q url.Values) activatePage {
	p := activatePage{
		Help: v.help(), Template: t.Name, Action: v.s.path + activatePath(v.org.Settings.ID, t.ID), Email: entered(q, "email", 254),
		Subscriber: entered(q, "subscriber", 256), Key: entered(q, "key", 64),
	}
	for _, name := range t.Fields {
		info, _ := connector.AttributeByName(name)
		p.Fields = append(p.Fields, activateField{
			Name: name, Label: v.s.catalogue.Label(name, v.lang), Value: entered(q, name, info.MaxLen), Max: info.MaxLen, Known: browserNames[name],
			Required: name == connector.GivenName || name == connector.FamilyName || slices.Contains(v.org.Settings.Required, name),
		})
	}
	return p
}

// entered is a value of a form, one line of at most that many characters.
func entered(q url.Values, name string, most int) string {
	text := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, q.Get(name)))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}

// requestActivation takes the form.
func (v *visit) requestActivation() {
	if t, p, ok := v.asked(); ok {
		v.s.limits.Take(v.resendKey(t, p.Email), resendRate, v.s.o.Now())
		v.sent(t, p)
	}
}

// resendActivation sends another mail, a minute after the one before at the earliest.
func (v *visit) resendActivation() {
	t, p, ok := v.asked()
	switch {
	case !ok:
	case p.Again >= maxAgain:
		v.show(http.StatusUnprocessableEntity, "activate", p)
	case !v.s.limits.Take(v.resendKey(t, p.Email), resendRate, v.s.o.Now()):
		v.w.Header().Set("Retry-After", "60")
		v.say(http.StatusTooManyRequests, "activate.early", nil)
	default:
		p.Again++
		v.sent(t, p)
	}
}

// asked is the form as it was posted, and answers where it is not complete.
func (v *visit) asked() (*connector.TemplateSettings, activatePage, bool) {
	t, ok := v.template()
	if !ok || !v.welcome("activate") {
		return nil, activatePage{}, false
	}
	q, ok := v.form()
	if !ok {
		return nil, activatePage{}, false
	}
	p := v.activatePage(t, q)
	again, err := strconv.ParseUint(cmp.Or(q.Get("again"), "0"), 10, 8)
	if p.Again = int(again); err != nil {
		p.Again = maxAgain
	}
	if !p.complete() {
		v.show(http.StatusUnprocessableEntity, "activate", p)
		return nil, p, false
	}
	return t, p, true
}

// complete marks what is missing.
func (p *activatePage) complete() bool {
	p.EmailFault = policy.CheckAddress(p.Email) != nil
	ok := !p.EmailFault
	for i := range p.Fields {
		f := &p.Fields[i]
		f.Missing = f.Required && f.Value == ""
		ok = ok && !f.Missing
	}
	return ok
}

func (v *visit) resendKey(t *connector.TemplateSettings, email string) string {
	return "resend " + v.org.Settings.ID + " " + t.ID + " " + connector.Fold(email)
}

// sent keeps the request and answers the same to everybody. Whether anybody is known by what was entered is found out later: neither
// words nor time tell a stranger.
func (v *visit) sent(t *connector.TemplateSettings, p activatePage) {
	p.More, p.Last = p.Again < maxAgain, maxAgain-p.Again
	req := provision.ActivationRequest{Template: t.ID, Email: p.Email, Given: connector.Profile{}, Language: v.lang, Name: p.Subscriber}
	for _, f := range p.Fields {
		if f.Value != "" {
			req.Given.Set(f.Name, f.Value)
		}
	}
	if p.Key != "" {
		req.Keyed = func(s *connector.Subscriber) bool { return v.s.o.Links.OpensSubscriber(s, p.Key) }
	}
	if err := v.org.Activations.AskActivation(v.r.Context(), req); err != nil {
		v.accident("activate", err)
		return
	}
	v.s.o.Metrics.asked(v.org.Settings.ID)
	v.show(http.StatusOK, "sent", p)
}
