package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector"
)

// reaper kills a process at the moment when a request has reached it and is not answered yet.
type reaper struct{ next atomic.Pointer[os.Process] }

// sent is told of each request that was written, and says in struck that it was this one's death. The signal is there before the process
// has had the time to answer.
func (r *reaper) sent(w httptrace.WroteRequestInfo, struck *atomic.Bool) {
	if p := r.next.Load(); p != nil && w.Err == nil && r.next.CompareAndSwap(p, nil) {
		struck.Store(true)
		_ = p.Kill() // it may have ended by itself, which the test sees at Wait
	}
}

// visitor is somebody who activates, at a portal whose process dies now and then.
type visitor struct {
	site    *activationSite
	way     *url.URL
	email   string
	from    string // the address that the proxy tells of
	refused atomic.Bool
	reaper  *reaper
	struck  atomic.Bool
	asked   int // requests that had reached a process and were not answered, for it was killed
}

// ask sends a request until it is answered: whoever sees a page that does not come tries again.
func (v *visitor) ask(stop <-chan struct{}, method, address string, form url.Values) (status int, page string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			WroteRequest: func(w httptrace.WroteRequestInfo) { v.reaper.sent(w, &v.struck) },
		})
		q, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
		if err != nil {
			v.site.t.Error(err)
			return 0, ""
		}
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("X-Forwarded-For", v.from)
		if a, err := http.DefaultTransport.RoundTrip(q); err == nil {
			text, err := io.ReadAll(a.Body)
			_ = a.Body.Close() // it was read
			if err == nil {
				return a.StatusCode, string(text)
			}
		}
		if v.struck.Swap(false) {
			v.asked++
		}
		select {
		case <-stop:
			return 0, ""
		case <-tick.C:
		}
	}
}

// activate goes from the form to an account, or to the refusal that no seat is free. The form is sent once where it was answered: what
// was promised then has to come.
func (v *visitor) activate(stop <-chan struct{}) error {
	form := v.way.Query()
	form.Set("email", v.email)
	form.Set("givenName", "Ann")
	form.Set("familyName", "Lee")
	status, page := v.ask(stop, http.MethodPost, v.site.base+v.way.Path, form)
	if status != http.StatusOK {
		return fmt.Errorf("%s: the form is answered with %d: %s", v.email, status, page)
	}
	link := ""
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for link == "" {
		select {
		case <-stop:
			return fmt.Errorf("%s: no mail has come", v.email)
		case <-tick.C:
			link = v.site.linkTo(v.email)
		}
	}
	if status, page := v.ask(stop, http.MethodGet, link, nil); status != http.StatusOK {
		return fmt.Errorf("%s: the link is answered with %d: %s", v.email, status, page)
	}
	status, page = v.ask(stop, http.MethodPost, link, nil)
	switch {
	case status == http.StatusSeeOther:
	case status == http.StatusForbidden && strings.Contains(page, "no_seat"):
		v.refused.Store(true)
	default:
		return fmt.Errorf("%s: the button is answered with %d: %s", v.email, status, page)
	}
	return nil
}

// The daemon is killed at random moments while people activate: what it has answered comes true all the same, each has one account, and no
// seat is given twice.
func TestKilledWhilePeopleActivate(t *testing.T) {
	t.Parallel()
	const people, seats, deaths = 14, 10, 12
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	reaper := &reaper{}
	s := newActivationSite(t, seats)
	stop, left := make(chan struct{}), make(chan error, people)
	var all []*visitor
	for i, way := range s.announce(people) {
		u, err := url.Parse(way)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &visitor{site: s, way: u, email: fmt.Sprintf("p%d@home.test", i+1), from: fmt.Sprintf("192.0.2.%d", i+1), reaper: reaper})
	}
	var going sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); going.Wait() })
	t.Cleanup(end)
	for i := range deaths {
		log := newLogLines()
		cmd, _ := s.quick("serve")
		cmd.Stdout, cmd.Stderr = nil, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		log.await(t, "ready")
		if i%2 == 0 { // every other life ends with a request unanswered
			reaper.next.Store(cmd.Process)
		}
		for _, v := range all[min(len(all), 2*i):min(len(all), 2*i+2)] { // two come in each life
			going.Go(func() { left <- v.activate(stop) })
		}
		<-time.After(time.Duration(random.Int64N(int64(400 * time.Millisecond)))) // the moment is what is tried
		reaper.next.Store(nil)
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
	d := s.daemonOf(t, s.quick)
	late := time.NewTimer(90 * time.Second)
	defer late.Stop()
	for range all {
		select {
		case err := <-left:
			if err != nil {
				t.Error(err)
			}
		case <-late.C:
			t.Fatal("somebody does not get on")
		}
	}
	end()
	refused, unanswered := 0, 0
	for _, v := range all {
		unanswered += v.asked
		if v.refused.Load() {
			refused++
		}
	}
	t.Logf("%d requests were not answered, %d mails came, %d people found no seat", unanswered, len(s.smtp.Mails()), refused)
	if unanswered == 0 {
		t.Error("each request was answered: nothing was tried")
	}
	users := s.users()
	for name, u := range users {
		if u.State != connector.Verified {
			t.Errorf("%s is %s", name, u.State)
		}
	}
	if len(users) != seats || refused != people-seats || s.seatsUsed() != seats {
		t.Errorf("%d users, %d refused, %d seats used", len(users), refused, s.seatsUsed())
	}
	d.end()
	s.verify()
}
