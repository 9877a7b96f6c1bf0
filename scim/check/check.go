package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Options say which service is checked, and how.
type Options struct {
	// URL is the base address of the service, such as https://scim.example.com/scim/acme/v2.
	URL string
	// Token is the bearer token; "" sends none.
	Token string
	// Profile adds what an identity provider sends: one of Profiles. RFC, or "", adds nothing.
	Profile string
	// Only are areas (Areas), sections ("3.5.2" or "7644-3.5.2", with those below) or ids of cases. None = all.
	Only []string
	// Prefix begins the names of all that is made. It should be random, so that nobody has such a name.
	Prefix string
	// Domain is that of the e-mail addresses of the users that are made.
	Domain string
	// Transport is for tests; nil = the usual one.
	Transport http.RoundTripper
	Now       func() time.Time
	// Done is called after each case; nil = nobody wants to know.
	Done func(Result)
}

// Outcome is what a case came to.
type Outcome string

// The outcomes.
const (
	OK           Outcome = "ok"
	Fails        Outcome = "fails"
	NotAnnounced Outcome = "not announced" // an optional feature that the service does not claim to have
	Skipped      Outcome = "skipped"       // it cannot be tried here; Reason says why
)

// Result is what became of one case.
type Result struct {
	ID      string  `json:"id"`
	Area    string  `json:"area"`
	RFC     string  `json:"rfc"` // its number; the name of an identity provider in cases of a profile
	Section string  `json:"section"`
	Name    string  `json:"name"`
	Level   string  `json:"level"` // must or should
	Outcome Outcome `json:"result"`
	// Reason is why the case was skipped.
	Reason   string `json:"reason,omitempty"`
	Expected string `json:"expected,omitempty"`
	Got      string `json:"got,omitempty"`
}

// Counts are numbers of cases. Advice are the failed ones that the RFC only recommends; they are not in Fails.
type Counts struct {
	Cases        int `json:"cases"`
	OK           int `json:"ok"`
	Fails        int `json:"fails"`
	Advice       int `json:"advice"`
	NotAnnounced int `json:"not_announced"`
	Skipped      int `json:"skipped"`
}

// Report is what a check came to.
type Report struct {
	URL      string    `json:"url"`
	Profile  string    `json:"profile"`
	Prefix   string    `json:"prefix"`
	Began    time.Time `json:"began_at"`
	Seconds  float64   `json:"seconds"`
	Requests int       `json:"requests"`
	// Complete is whether every case that was asked for was tried.
	Complete bool     `json:"complete"`
	Counts   Counts   `json:"counts"`
	Results  []Result `json:"cases"`
	// Made is how many users and groups were made; Left are the addresses of those that could not be deleted.
	Made int      `json:"made"`
	Left []string `json:"left"`
}

// Failed reports whether a case failed that the RFC demands.
func (r *Report) Failed() bool { return r.Counts.Fails > 0 }

// levels of Result.
const (
	must   = "must"
	should = "should"
)

// testCase is one thing that a service has to do.
type testCase struct {
	id      string
	section string
	name    string
	needs   feature // that has to be announced
	should  bool
	rfc     string // where it differs from that of the area
	run     func(s *step)
}

// area is a table of cases about one thing.
type area struct {
	name  string
	rfc   string
	needs feature
	cases []testCase
}

// areas is every case there is, in the order in which they run.
func areas() []area {
	return slices.Concat(
		[]area{discoveryArea(), createArea(), retrieveArea(), projectionArea(), filterArea(), sortArea(), pagingArea(), cursorArea()},
		[]area{putArea(), patchArea(), deleteArea(), bulkArea(), searchArea(), etagArea(), errorsArea(), mediaArea(), meArea(), caseArea()},
		[]area{groupsArea(), characteristicsArea()}, dialectAreas(),
	)
}

// Areas returns the names of all areas.
func Areas() []string {
	var out []string
	for _, a := range areas() {
		if !slices.Contains(out, a.name) {
			out = append(out, a.name)
		}
	}
	return out
}

// Validate says what is wrong with the options, without asking the service.
func (o Options) Validate() error {
	if _, err := choose(o); err != nil {
		return err
	}
	_, err := newClient(o)
	return err
}

// Run checks the service and deletes what it made, also when ctx ends in between: then the report has the cases that
// were done, and the error is ctx's. Any other error says why nothing could be checked.
func Run(ctx context.Context, o Options) (*Report, error) {
	chosen, err := choose(o)
	if err != nil {
		return nil, err
	}
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	r := &Report{URL: c.base, Profile: cmp.Or(o.Profile, RFC), Prefix: o.Prefix, Began: o.Now().UTC(), Results: []Result{}, Left: []string{}}
	sv, err := learn(ctx, c, o)
	if err == nil {
		for _, p := range chosen {
			if ctx.Err() != nil {
				break
			}
			result, ended := sv.try(ctx, p)
			if ended {
				break // by ctx: what came of it says nothing
			}
			r.add(result)
			if o.Done != nil {
				o.Done(result)
			}
		}
		r.Complete = len(r.Results) == len(chosen)
		r.Left = sv.cleanUp(ctx)
		r.Made = len(sv.made)
		err = ctx.Err()
	}
	r.Requests, r.Seconds = c.requests, o.Now().Sub(r.Began).Seconds()
	return r, err
}

// picked is a case to run.
type picked struct {
	area
	testCase
}

// choose finds the cases that the options ask for.
func choose(o Options) ([]picked, error) {
	if o.Prefix == "" {
		return nil, errors.New("a prefix for the names of what is made is missing")
	}
	if o.Profile != "" && !slices.Contains(Profiles(), o.Profile) {
		return nil, fmt.Errorf("there is no profile %q: %s", o.Profile, strings.Join(Profiles(), ", "))
	}
	found := make([]bool, len(o.Only))
	var out []picked
	for _, a := range areas() {
		if a.name == dialectArea && a.rfc != o.Profile && o.Profile != allProfiles {
			continue
		}
		for _, c := range a.cases {
			wanted := len(o.Only) == 0
			for i, only := range o.Only {
				if c.is(a, only) {
					wanted, found[i] = true, true
				}
			}
			if wanted {
				out = append(out, picked{a, c})
			}
		}
	}
	if i := slices.Index(found, false); i >= 0 {
		return nil, fmt.Errorf("there is no case %q: name an area (%s), a section such as 3.5.2, or the id of a case", o.Only[i], strings.Join(Areas(), ", "))
	}
	return out, nil
}

// is reports whether what a person asked for means this case.
func (c *testCase) is(a area, only string) bool {
	if strings.EqualFold(only, a.name) || strings.EqualFold(only, c.id) {
		return true
	}
	if rfc, section, ok := strings.Cut(only, "-"); ok {
		return rfc == cmp.Or(c.rfc, a.rfc) && within(c.section, section)
	}
	return within(c.section, only)
}

func within(section, in string) bool { return section == in || strings.HasPrefix(section, in+".") }

// try runs one case. It ended when ctx did, and then there is no result.
func (sv *service) try(ctx context.Context, p picked) (r Result, ended bool) {
	r = Result{ID: p.id, Area: p.area.name, RFC: cmp.Or(p.testCase.rfc, p.area.rfc), Section: p.section, Name: p.testCase.name, Level: must}
	if p.should {
		r.Level = should
	}
	for _, f := range []feature{p.area.needs, p.testCase.needs} {
		if f != "" && !sv.has(f) {
			r.Outcome = NotAnnounced
			return r, false
		}
	}
	s := &step{ctx: ctx, sv: sv, c: sv.c}
	p.run(s)
	switch {
	case ctx.Err() != nil:
		return r, true
	case s.skip != "":
		r.Outcome, r.Reason = Skipped, s.skip
	case s.fault != nil:
		r.Outcome, r.Expected, r.Got = Fails, s.fault.expected, s.fault.got
	default:
		r.Outcome = OK
	}
	return r, false
}

func (r *Report) add(x Result) {
	r.Results = append(r.Results, x)
	r.Counts.Cases++
	switch x.Outcome {
	case OK:
		r.Counts.OK++
	case Fails:
		if x.Level == must {
			r.Counts.Fails++
		} else {
			r.Counts.Advice++
		}
	case NotAnnounced:
		r.Counts.NotAnnounced++
	case Skipped:
		r.Counts.Skipped++
	}
}
