package failure_test

import (
	"fmt"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/failure"
)

// Remedies name what works for the kind of source, and nothing else.
func TestRemediesFitTheKindOfSource(t *testing.T) {
	t.Parallel()
	kinds := map[string]connector.SourceKind{
		"ad": connector.Directory, "entra": connector.SCIM, "login": connector.SignIn,
		"phones": connector.Template, "moved": connector.Import, "site": connector.SiteLink, "hand": connector.Administrator,
	}
	c := open(t).WithKinds(func(org, source string) connector.SourceKind {
		if org != "acme" {
			t.Errorf("asked for %s/%s", org, source)
		}
		return kinds[source]
	})
	reasons := []connector.Reason{connector.RequiredMissing, connector.EmailInvalid, connector.AttributeInvalid, connector.PartnerIDMissing, connector.MemberStatusPresent}
	for _, lang := range failure.Languages() {
		var b strings.Builder
		for _, source := range []string{"ad", "entra", "login", "phones", "moved", "site", "hand", "gone", ""} {
			fmt.Fprintf(&b, "%s %s\n", source, kinds[source])
			for _, r := range reasons {
				for i, step := range c.Text(connector.Failure{Code: 31, Reason: r, Org: "acme", Source: source}, lang).Remedy {
					fmt.Fprintf(&b, "  %s %d %s\n", r, i+1, step)
				}
			}
		}
		golden(t, "ways."+lang+".txt", b.String())
	}
}

func TestADoorOfOneKind(t *testing.T) {
	t.Parallel()
	c := open(t).OfKind(connector.SCIM)
	f := sample()
	if got := strings.Join(c.Text(f, "en").Remedy, " "); !strings.Contains(got, "usherd scim log") || strings.Contains(got, "usherd plan") {
		t.Error(got)
	}
	f.Source = "" // it is about nobody's record
	if got := strings.Join(c.Text(f, "en").Remedy, " "); !strings.Contains(got, "usherd plan") || !strings.Contains(got, "usherd import") {
		t.Error(got)
	}
}
