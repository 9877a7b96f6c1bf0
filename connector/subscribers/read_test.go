package subscribers_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/subscribers"
)

var acme = &connector.Organization{ID: "acme", Packages: []connector.Package{{ID: "phone", Seats: 10}}}

func read(text string, sep rune) ([]connector.Announcement, []string, error) {
	list, faults, err := subscribers.Read(strings.NewReader(text), acme, "phones", sep)
	var told []string
	for _, f := range faults {
		told = append(told, f.Error())
	}
	return list, told, err
}

func TestRead(t *testing.T) {
	t.Parallel()
	ann := connector.Announcement{Template: "phones", Name: "1001", Package: "phone", Profile: connector.Profile{
		connector.Email: {"ann@x.test"}, connector.GivenName: {"Ann"},
	}}
	bob := connector.Announcement{Template: "phones", Name: "1002", Profile: connector.Profile{}}
	for name, tt := range map[string]struct {
		text string
		sep  rune
	}{
		"commas":                    {"subscriber_id,email,givenName,package\n1001,ann@x.test,Ann,phone\n1002,,,\n", 0},
		"a spreadsheet's":           {"\ufeffSubscriber_ID;Email;GIVENNAME;Package\r\n1001;ann@x.test; Ann ;phone\r\n1002;;;\r\n;;;\r\n", 0},
		"tabs":                      {"subscriber_id\temail\tgivenName\tpackage\n1001\tann@x.test\tAnn\tphone\n1002\t\t\t\n", 0},
		"a separator that is given": {"subscriber_id;email;givenName;package\n1001;ann@x.test;Ann;phone\n1002;;;\n", ';'},
	} {
		list, faults, err := read(tt.text, tt.sep)
		if err != nil || faults != nil {
			t.Fatalf("%s: %v, %v", name, faults, err)
		}
		if diff := cmp.Diff([]connector.Announcement{ann, bob}, list); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Every fault is told with its line, and with any nobody is announced.
func TestFaultsOfLists(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"nothing": {"", []string{"line 1: the file is empty: its first line names the columns"}},
		"UTF-16":  {"\xff\xfes\x00", []string{`line 1: the file is UTF-16, not UTF-8: save it as "CSV UTF-8"`}},
		"no id":   {"email\na@x.test\n", []string{"line 1: the column subscriber_id is missing: it holds how the upstream system calls each person"}},
		"the head": {"subscriber_id,email,Email,shoe\n1,a@x.test,,\n", []string{
			"line 1, Email: this column is there twice: remove one",
			"line 1, shoe: this is no attribute of a profile: write subscriber_id, email, package, or one of those in the configuration's reference",
		}},
		"lines": {"subscriber_id,email,package\n,a@x.test,\n1,a,gold\n2,b@x.test\n3,\xff,\n1,c@x.test,\n" + strings.Repeat("9", 300) + ",,\n", []string{
			"line 2, subscriber_id: there is no subscriber id",
			"line 3, email: the address has no @: it must look like ann@example.com",
			`line 3, package: there is no package "gold": see them with usherd seats`,
			"line 4: it has 2 fields, and the header has 3: write a value with a separator in it in quotes",
			`line 5: field 2 is not UTF-8: save the file as "CSV UTF-8"`,
			"line 6, subscriber_id: line 3 has the same subscriber id",
			"line 7, subscriber_id: this is longer than the 256 bytes that it may have",
		}},
		"no CSV from a line on": {"subscriber_id,email\n,\n1,\"a\"b\n2,\n", []string{
			"line 3: a quoted value is not closed, or something stands behind its end: put the whole value in quotes, and write a quote in it twice",
		}},
	} {
		list, faults, err := read(tt.text, 0)
		if err != nil || list != nil {
			t.Errorf("%s: %d were announced, %v", name, len(list), err)
		}
		if diff := cmp.Diff(tt.want, faults); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	_, faults, err := read("subscriber_id,email\n"+strings.Repeat(",x\n", 5000), 0)
	if err != nil || len(faults) < 1000 || len(faults) > 1002 {
		t.Errorf("%d faults, %v", len(faults), err)
	}
}

// That the list cannot be read is no fault of it.
func TestAnErrorOfTheReaderIsOne(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for _, before := range []string{"", "subscriber_id,email\n1,\n"} {
		in := &twoReaders{strings.NewReader(before), iotest.ErrReader(away)}
		if _, faults, err := subscribers.Read(in, acme, "phones", 0); !errors.Is(err, away) || faults != nil {
			t.Errorf("%q: %v, %v", before, faults, err)
		}
	}
}

// twoReaders are read one after the other.
type twoReaders [2]interface{ Read([]byte) (int, error) }

func (r *twoReaders) Read(p []byte) (int, error) {
	if n, err := r[0].Read(p); n > 0 && err == nil {
		return n, nil
	}
	return r[1].Read(p)
}
