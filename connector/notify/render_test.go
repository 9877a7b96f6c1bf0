package notify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/notify"
)

// Every kind has words in every language, with nothing left open, and says whom to ask.
func TestLettersInAllLanguages(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	kinds := []connector.MailKind{
		connector.InvitationMail, connector.ActivationMail, connector.DeactivatedMail, connector.ReadyMail, connector.PendingMail, connector.RejectedMail,
		connector.ClaimMail, connector.ClaimReminderMail, connector.ClaimDoneMail, connector.ClaimKeepMail, connector.ClaimCancelledMail,
	}
	org := &connector.Organization{ID: "acme", Name: "Acme", Contact: connector.Contact{Email: "help@acme.test"}}
	link := &connector.MailLink{Until: time.Date(2026, 3, 8, 8, 0, 0, 0, time.UTC)}
	values := map[string]string{"Name": "Ann", "reason": "no contract", "old": "Beta", "until": "2026-03-08", "days": "7", "email": "ann@beta.test", "choice": "move"}
	for _, kind := range kinds {
		subjects := map[string]bool{}
		for _, lang := range failure.Languages() {
			l, err := texts.Letter(connector.Mail{Kind: kind, Language: lang, Values: values}, org, link, "https://a.test/x?y=1&z=2")
			if err != nil {
				t.Fatal(err)
			}
			for form, text := range map[string]string{"subject": l.Subject, "plain": l.Plain, "html": l.HTML} {
				if text == "" || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") || strings.Contains(text, string(kind)+".") {
					t.Errorf("%s %s %s:\n%s", kind, lang, form, text)
				}
			}
			if l.Lang != lang || !strings.Contains(l.Plain, "Ann") || !strings.Contains(l.Plain, "help@acme.test") || strings.Contains(l.HTML, "<script") {
				t.Errorf("%s %s:\n%s", kind, lang, l.Plain)
			}
			subjects[l.Subject] = true
		}
		if len(subjects) != len(failure.Languages()) {
			t.Errorf("%s: subjects %v", kind, subjects)
		}
	}
	if _, err := texts.Letter(connector.Mail{Kind: "nothing"}, org, nil, ""); err == nil {
		t.Error("a kind without words")
	}
}

// A reason is told only where one was given.
func TestRejectionWithoutAReason(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range failure.Languages() {
		m := connector.Mail{Kind: connector.RejectedMail, Language: lang, Values: map[string]string{"reason": "no contract"}}
		with, err := texts.Letter(m, &connector.Organization{Name: "Acme"}, nil, "")
		m.Values = nil
		without, more := texts.Letter(m, &connector.Organization{Name: "Acme"}, nil, "")
		if err != nil || more != nil || !strings.Contains(with.Plain, ": no contract\n") || !strings.Contains(with.HTML, ": no contract<") {
			t.Errorf("%s: %v %v\n%s", lang, err, more, with.Plain)
		}
		if n := strings.Count(with.Plain, "\n\n") - strings.Count(without.Plain, "\n\n"); n != 1 || strings.Contains(without.Plain, ": \n") {
			t.Errorf("%s without a reason:\n%s", lang, without.Plain)
		}
	}
}

// What became of an old account is told by what was chosen.
func TestLettersAboutClaims(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for choice, want := range map[string]string{"move": "was moved", "delete": "was deleted", "keep": "under the address ann@private.test"} {
		m := connector.Mail{Kind: connector.ClaimDoneMail, Language: "en", Values: map[string]string{"Name": "Ann", "old": "Globex", "choice": choice, "kept": "ann@private.test"}}
		l, err := texts.Letter(m, &connector.Organization{Name: "Acme"}, nil, "")
		if err != nil || !strings.Contains(l.Plain, want) || !strings.Contains(l.Plain, "Globex") {
			t.Errorf("%s: %v\n%s", choice, err, l.Plain)
		}
	}
}

// What the form of seed 18 says stands in the mail, letter by letter.
func TestDeactivatedLetter(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string][2]string{
		"en":    {"Your account has been deactivated. Contact your administrator", "IT department"},
		"sv":    {"Ditt konto är inaktiverat. Kontakta din systemadministratör", "IT-avdelning"},
		"pl":    {"Twoje konto zostało dezaktywowane. Skontaktuj się z administratorem", "dziale IT"},
		"pt-BR": {"Sua conta foi desativada. Entre em contato com o administrador", "departamento de TI"},
	} {
		l, err := texts.Letter(connector.Mail{Kind: connector.DeactivatedMail, Language: lang}, &connector.Organization{Name: "Acme"}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(l.Plain, text) || !strings.Contains(l.HTML, text) {
				t.Errorf("%s: there is no %q in\n%s", lang, text, l.Plain)
			}
		}
	}
}

// Whoever has no account, or not by this address, is not told that there is one.
func TestWhyAMailComes(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	org := &connector.Organization{ID: "acme", Name: "Acme"}
	for kind, want := range map[connector.MailKind]string{
		connector.InvitationMail: "because Acme has an account with your address", connector.ActivationMail: "to activate an account at Acme",
		connector.ClaimKeepMail: "for the old account at Beta",
	} {
		l, err := texts.Letter(connector.Mail{Kind: kind, Language: "en", Values: map[string]string{"old": "Beta", "email": "ann@beta.test"}}, org, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(l.Plain, want) || !strings.Contains(l.HTML, want) || strings.Count(l.Plain, "You get this mail because") != 1 {
			t.Errorf("%s:\n%s", kind, l.Plain)
		}
	}
}

// Groups that were left as they are are told with what would become of them, and with the command that carries it out where there is one.
func TestHeldGroupsInAllLanguages(t *testing.T) {
	t.Parallel()
	texts, err := notify.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range failure.Languages() {
		hold := &connector.NoticeHold{Groups: &connector.GroupCounts{Deleted: 9, MembersRemoved: 120}, Accept: "0a1b2c3d4e5f6071"}
		n := connector.Notice{
			ID: connector.NewID(time.Now()), Org: "acme", Kind: connector.NoticeRunHeld,
			Data: connector.NoticeData{Source: "hq", Run: &connector.NoticeRun{Mode: connector.ModeFull}, Hold: hold, Why: "<b>nine</b>"},
		}
		say := func() notify.Letter {
			doc, err := json.Marshal([]connector.Notice{n})
			if err != nil {
				t.Fatal(err)
			}
			l, err := texts.Report(connector.Mail{Language: lang, Values: map[string]string{"notices": string(doc)}}, &connector.Organization{ID: "acme"}, "")
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		l := say()
		const command = "usherd sync --org acme --source hq --accept-groups 0a1b2c3d4e5f6071"
		if !strings.Contains(l.Plain, command) || !strings.Contains(l.Plain, ": 9\n") || !strings.Contains(l.Plain, ": 120\n") || strings.Count(l.Plain, "  - ") != 2 ||
			strings.Contains(l.Plain, "kinds.") || strings.Contains(l.Plain, "groups.") || strings.Contains(l.HTML, "<b>nine") || !strings.Contains(l.Subject, "hq") {
			t.Errorf("%s: %s\n%s", lang, l.Subject, l.Plain)
		}
		hold.Accept = ""
		if l = say(); strings.Contains(l.Plain, "accept-groups") || strings.Contains(l.Plain, "kinds.") {
			t.Errorf("%s:\n%s", lang, l.Plain)
		}
	}
}
