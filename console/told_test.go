package console_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/sources"
)

func TestWhatARunHasSaidIsToldInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("owner")
	waiting := w.aRun(0, func(r *connector.Run) {
		waits(r)
		r.Hold.Reason = "12 removals are more than 10 and more than 5 % of 1,040 users: 12 out of scope, most or all of them below OU=<b>Sales</b>,DC=acme"
		r.Warnings = []string{
			"3 people were absent from the answer, but the directory could not say that they are gone: they stay as they are",
			"what a newer <i>version</i> says",
		}
	}, held("bob"))
	cut := w.aRun(0, func(r *connector.Run) {
		r.Result, r.Error, r.Hint = connector.ResultFailed, "provision: office: the answer has no entries at all where 40 were known: "+
			"check that the account may still read the base and that base and filter are right", "it is tried again by itself"
	})
	for _, c := range []struct{ lang, reason, warning, failure, hint string }{
		{
			"en", "12 removals are more than 10 and more than 5 % of 1,040 users: 12 out of scope, most or all of them below OU=&lt;b&gt;Sales&lt;/b&gt;,DC=acme",
			"3 people were absent from the answer", "the answer has no entries at all where 40 were known", "it is tried again by itself",
		},
		{
			"sv", "12 borttagningar är fler än 10 och fler än 5 % av 1\u00a0040 användare: 12 utanför urvalet, de flesta eller alla under OU=&lt;b&gt;Sales&lt;/b&gt;,DC=acme",
			"3 personer saknades i svaret", "provision: office: svaret har inga poster alls där 40 var kända", "det försöks igen av sig självt",
		},
		{
			"pl", "12 usunięć to więcej niż 10 i więcej niż 5 % z 1040 użytkowników: 12 poza zakresem, większość lub wszyscy poniżej OU=&lt;b&gt;Sales&lt;/b&gt;,DC=acme",
			"3 osób nie było w odpowiedzi", "odpowiedź nie ma żadnych wpisów, choć znano 40", "nastąpi samoczynna ponowna próba",
		},
		{
			"pt-BR", "12 remoções são mais que 10 e mais que 5 % de 1.040 usuários: 12 fora do escopo, a maioria ou todos abaixo de OU=&lt;b&gt;Sales&lt;/b&gt;,DC=acme",
			"3 pessoas não estavam na resposta", "a resposta não tem nenhuma entrada, onde 40 eram conhecidas", "é tentado de novo automaticamente",
		},
	} {
		w.want(b.get(runPath(waiting, "?lang="+c.lang)), http.StatusOK, c.reason, c.warning, "what a newer &lt;i&gt;version&lt;/i&gt; says")
		w.want(b.get(runPath(waiting, "/reject?lang="+c.lang)), http.StatusOK, c.reason)
		// What is copied for who helps stays English, as it stands in the log.
		w.want(b.get(runPath(cut, "?lang="+c.lang)), http.StatusOK, c.failure, c.hint, "provision: office: the answer has no entries at all where 40 were known")
		w.want(b.get("/?lang="+c.lang), http.StatusOK, c.failure)
	}
}

func TestWhatADirectoryHasSaidIsToldInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.office()
	b := w.as("operator")
	at := w.now.Add(-time.Hour)
	w.runner.standings = []connector.SourceStanding{{
		Org: "acme", Source: "office", Status: "quarantined", Since: &at, Failures: 4, Held: connector.ID{1}.String(), HeldWhy: "a preview: nothing is changed until it is approved",
		Error: "the answer was not complete: 10.0.0.1 is away", Hint: "people were created and updated, nobody was removed; the next complete run does that",
	}}
	// What is copied for who helps stays English, as it stands in the log.
	w.want(b.get("/sources/office?lang=sv"), http.StatusOK, "svaret var inte fullständigt: 10.0.0.1 is away", "personer skapades och uppdaterades, ingen togs bort",
		"en förhandsvisning: inget ändras förrän den godkänns", "acme/office: the answer was not complete: 10.0.0.1 is away")
	w.want(b.get("/sources?lang=pl"), http.StatusOK, "odpowiedź nie była kompletna: 10.0.0.1 is away")
}

func TestAConnectionTestIsToldInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.office()
	b := w.as("operator")
	w.runner.steps = []connector.CheckStep{
		{Name: "root DSE", Server: "ldaps://dc1.acme.test", Detail: "Samba <4.17>; holds DC=acme,DC=test; does not announce paged results"},
		{Name: "sample", Detail: "1,500 people sampled below OU=Staff, 2 out of scope, 0 unreadable; all have: cn; some have: mail 3 of 5; nobody has: title"},
		{Name: "bind", Err: &connector.Error{
			Kind: connector.Denied, Op: "ldapsync: bind ldaps://dc2.acme.test",
			Err:  errors.New(`invalid credentials (code 49): the password has expired: the server says "data 532 <i>"`),
			Hint: "set a new password for the service account and let it never expire",
		}},
	}
	for _, c := range []struct {
		lang  string
		texts []string
	}{
		{"en", []string{"holds DC=acme,DC=test", "1,500 people sampled below OU=Staff", "set a new password for the service account and let it never expire"}},
		{"sv", []string{
			"Samba &lt;4.17&gt;", "har DC=acme,DC=test", "annonserar inga sidindelade svar", "1\u00a0500 personer i stickprovet under OU=Staff, 2 utanför urvalet, 0 oläsliga",
			"alla har: cn", "några har: mail 3 av 5", "ingen har: title",
			"ldapsync: bind ldaps://dc2.acme.test: ogiltiga inloggningsuppgifter (kod 49): lösenordet har gått ut: servern säger &#34;data 532 &lt;i&gt;&#34;",
			"sätt ett nytt lösenord för tjänstekontot och låt det aldrig gå ut",
			// What is copied stays as the log has it.
			"invalid credentials (code 49): the password has expired", "what to do: set a new password",
		}},
		{"pl", []string{"próbka 1500 osób poniżej OU=Staff", "niektórzy mają: mail 3 z 5", "hasło wygasło", "które nigdy nie wygasa"}},
		{"pt-BR", []string{"contém DC=acme,DC=test", "alguns têm: mail 3 de 5", "a senha expirou", "defina uma nova senha para a conta de serviço e faça com que nunca expire"}},
	} {
		b.get("/sources/office/test?lang=" + c.lang)
		w.want(b.post("/sources/office/test", nil), http.StatusOK, c.texts...)
	}
}

func TestWhatClientsAndSignInsDidIsToldInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("operator")
	w.pushesAs("okta", clients.Settings{Profile: clients.Auto, KeepLog: time.Hour})
	quirk := connector.QuirkCount{Org: "acme", Source: "okta", Quirk: "empty-path", Count: 3, First: w.now, Last: w.now}
	if err := w.db.PutRequests(t.Context(), nil, []connector.QuirkCount{quirk}); err != nil {
		t.Fatal(err)
	}
	if err := w.db.PutClientProfile(t.Context(), connector.ClientProfile{Org: "acme", Source: "okta", Profile: "okta", Why: "User-Agent begins with <b>Okta</b>", At: w.now}); err != nil {
		t.Fatal(err)
	}
	request := w.asked(1, func(_ int, r *connector.Request) { r.Quirks = []string{"empty-path"} })[0]
	w.signsIn("entra", &sources.SignOn{Keep: time.Hour})
	attempt := w.tried(1, func(_ int, x *connector.Attempt) {
		x.Steps = []connector.AttemptStep{
			{Name: "received", Result: "ok"},
			{Name: "match", Result: "ok", Detail: "there is no account yet"},
			{Name: "conditions", Result: "refused", Detail: `the recipient is "https://other.test/<i>", and we are https://sso.acme.test/acs`},
			{Name: "created", Result: "ok", Detail: "updated: mail, verified to active"},
		}
	})[0]
	for _, c := range []struct{ lang, why, leniency, match, recipient, created string }{
		{
			"en", "recognised: User-Agent begins with &lt;b&gt;Okta&lt;/b&gt;", "an empty path was taken for none", "there is no account yet",
			"the recipient is &#34;https://other.test/&lt;i&gt;&#34;, and we are https://sso.acme.test/acs", "updated: mail, verified to active",
		},
		{
			"sv", "igenkänd: User-Agent börjar med &lt;b&gt;Okta&lt;/b&gt;", "en tom path togs för ingen", "det finns inget konto än",
			"mottagaren är &#34;https://other.test/&lt;i&gt;&#34;, och vi är https://sso.acme.test/acs", "uppdaterat: mail, verifierad → aktiv",
		},
		{
			"pl", "rozpoznany: User-Agent zaczyna się od &lt;b&gt;Okta&lt;/b&gt;", "pusty path potraktowano jak brak", "nie ma jeszcze konta",
			"odbiorcą jest &#34;https://other.test/&lt;i&gt;&#34;, a my jesteśmy https://sso.acme.test/acs", "zaktualizowano: mail, zweryfikowane → aktywne",
		},
		{
			"pt-BR", "reconhecido: User-Agent começa com &lt;b&gt;Okta&lt;/b&gt;", "um path vazio foi tomado por nenhum", "ainda não há conta",
			"o destinatário é &#34;https://other.test/&lt;i&gt;&#34;, e nós somos https://sso.acme.test/acs", "atualizado: mail, verificado → ativo",
		},
	} {
		w.want(b.get("/scim/clients/okta?lang="+c.lang), http.StatusOK, c.why, c.leniency)
		w.want(b.get("/scim/requests/"+request.ID.String()+"?lang="+c.lang), http.StatusOK, c.leniency)
		w.want(b.get("/sso/attempts/"+attempt.ID.String()+"?lang="+c.lang), http.StatusOK, c.match, c.recipient, c.created)
	}
}

func TestWhyADomainOrAnActIsRefusedIsToldInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := connector.Domain{Org: "acme", Name: "example.com", Token: "t0k3n", AddedAt: w.now, LastError: "example.com has no TXT record, or does not exist"}
	if err := w.db.AddDomain(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	ann := w.create("ann", connector.NotVerified, func(u *connector.User) { u.Profile.Set(connector.Email, "ann@example.com") })
	b := w.as("operator")
	b.get("/?lang=sv")
	w.want(b.get("/domains/of/example.com"), http.StatusOK, "example.com har ingen TXT-post, eller finns inte")
	w.want(b.get(path(ann, "")), http.StatusOK, "väntar på sitt bevis: example.com har ingen TXT-post, eller finns inte")
	w.want(b.post("/domains/add", url.Values{"name": {"co.uk"}}), http.StatusUnprocessableEntity, "är ett publikt suffix", `value="co.uk"`)
	w.want(b.post("/domains/add", url.Values{"name": {"example.com"}}), http.StatusUnprocessableEntity, "organisationen har redan example.com")
	w.want(b.post("/domains/of/example.com/claim", nil), http.StatusConflict, "verifiera den först: usherd domain check example.com")
}
