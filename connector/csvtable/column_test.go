package csvtable

import (
	"slices"
	"strings"
	"testing"

	"usherd/connector"
)

func TestColumn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text, fault string
		want        []string
	}{
		"one":              {text: "email\na@b\n\nc@d\n", want: []string{"a@b", "c@d"}},
		"the first filled": {text: "\ufeffName; EMAIL ;Id\nAnn;a@b;7\nBob; c@d ;\nNobody;;\n", want: []string{"7", "c@d"}},
		"none":             {text: "name\nAnn\n", fault: "one of them has to be id or email"},
		"empty":            {fault: "the file is empty"},
		"too many":         {text: "id\n1\n2\n3\n4\n", fault: "line 5: more than 3"},
		"a short row":      {text: "id,email\n1\n", fault: "line 2: it has 1 fields"},
		"an open quote":    {text: "id\n\"1\n", fault: "a quoted value is not closed"},
	} {
		got, err := Column(strings.NewReader(test.text), 3, "id", "email")
		switch {
		case test.fault != "":
			if connector.KindOf(err) != connector.Invalid || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || !slices.Equal(got, test.want):
			t.Errorf("%s: %v %q", name, err, got)
		}
	}
}
