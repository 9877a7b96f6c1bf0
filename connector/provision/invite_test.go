package provision_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// unproven is somebody whose domain nobody has proven.
func unproven(i int) *connector.Record {
	return person(i, "mail", fmt.Sprintf("u%04d@other.example", i))
}

// mails are those of the outbox, the latest first.
func (w *world) outbox(kinds ...connector.MailKind) []connector.Mail {
	w.t.Helper()
	list, err := w.db.Mails(w.t.Context(), connector.MailQuery{Org: w.org.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []connector.Mail
	for _, m := range list {
		if len(kinds) == 0 || m.Kind == kinds[0] {
			out = append(out, m)
		}
	}
	return out
}

func (w *world) invite(req provision.InviteRequest) provision.Invited {
	w.t.Helper()
	sum, err := w.prov.Invite(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return sum
}

// Who becomes not_verified is invited in the same transaction, once, by any door, and nobody else is; where the
// organization does not want it, nobody is.
func TestInvitationsByThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.InviteNew = true })
	p := &people{list: []*connector.Record{person(1), unproven(2), unproven(3)}}
	w.sync(p, connector.ResultOK)
	w.sync(p, connector.ResultOK)
	list := w.outbox()
	if len(list) != 2 || w.state("u0002") != connector.NotVerified {
		t.Fatalf("%d mails", len(list))
	}
	for _, m := range list {
		l, err := w.db.MailLink(t.Context(), "acme", m.Link)
		if err != nil || l.Subject != m.About || l.Email != m.To || l.Until.Sub(m.At) != provision.InvitationLife || m.Values["Name"] == "" {
			t.Errorf("%+v %+v %v", m, l, err)
		}
	}
	p.list[2] = person(3, "mail", "new@other.example")
	w.sync(p, connector.ResultOK)
	if list := w.outbox(); len(list) != 3 || list[0].To != "new@other.example" {
		t.Errorf("another address: %+v", list)
	}
	ch, err := w.prov.Deactivate(t.Context(), command(w, "u0002"))
	if err != nil || ch.Action != connector.Deactivated || len(w.outbox()) != 3 {
		t.Errorf("deactivated: %v, %d mails", err, len(w.outbox()))
	}
	if _, err := w.prov.Reactivate(t.Context(), command(w, "u0002")); err != nil || len(w.outbox()) != 4 {
		t.Errorf("back again: %v, %d mails", err, len(w.outbox()))
	}

	manual := newWorld(t, nil)
	manual.sync(&people{list: []*connector.Record{unproven(2)}}, connector.ResultOK)
	if n := len(manual.outbox()); n != 0 {
		t.Errorf("nobody wanted it: %d mails", n)
	}
}

// Who waits for approval is invited when that is over.
func TestInvitationsWaitForApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.InviteNew, o.Approval = true, true })
	w.sync(&people{list: []*connector.Record{unproven(1)}}, connector.ResultOK)
	if n := len(w.outbox()); n != 0 {
		t.Fatalf("%d mails", n)
	}
	if sum := w.invite(provision.InviteRequest{}); sum != (provision.Invited{Others: 1}) {
		t.Errorf("%+v", sum)
	}
	if _, err := w.prov.Approve(t.Context(), command(w, "u0001")); err != nil || len(w.outbox()) != 1 {
		t.Errorf("%v, %d mails", err, len(w.outbox()))
	}
}

// A bulk goes to everybody who is not_verified, spread over time, and when it is repeated to those who were left out.
func TestBulkOfInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{}
	for i := 1; i <= 600; i++ {
		p.list = append(p.list, unproven(i))
	}
	p.list = append(p.list, person(2000))
	w.sync(p, connector.ResultOK)
	one := w.invite(provision.InviteRequest{Users: []connector.ID{w.user("u0001").ID, w.user("u2000").ID, {5}}})
	if one != (provision.Invited{Invited: 1, Others: 2}) {
		t.Errorf("%+v", one)
	}
	w.now = w.now.Add(time.Hour)
	if sum := w.invite(provision.InviteRequest{PerSecond: 2, Again: 24 * time.Hour}); sum != (provision.Invited{Invited: 599, Recent: 1}) {
		t.Errorf("%+v", sum)
	}
	due, err := w.db.DueMails(t.Context(), w.now.Add(100*time.Second-time.Millisecond), 1000)
	if err != nil || len(due) != 201 { // the first one, and two a second
		t.Errorf("%d are due: %v", len(due), err)
	}
	if sum := w.invite(provision.InviteRequest{Again: 24 * time.Hour}); sum != (provision.Invited{Recent: 600}) {
		t.Errorf("again: %+v", sum)
	}
	w.now = w.now.Add(25 * time.Hour)
	if sum := w.invite(provision.InviteRequest{Again: 24 * time.Hour}); sum.Invited != 600 {
		t.Errorf("a day later: %+v", sum)
	}
}

// A link proves the address once, with one event, whatever comes at the same moment.
func TestProvingAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.InviteNew = true })
	w.sync(&people{list: []*connector.Record{unproven(1)}}, connector.ResultOK)
	link := w.outbox()[0].Link
	var mu sync.Mutex
	var wg sync.WaitGroup
	proven := 0
	for range 8 {
		wg.Go(func() {
			proof, err := w.prov.ProveEmail(t.Context(), link)
			switch {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				if proven++; proof.User.State != connector.Verified || proof.Refusal != nil || proof.Change.Transitions[0].Signal != "email_proven" {
					t.Errorf("%+v", proof)
				}
			case !errors.Is(err, connector.ErrLinkUsed):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	events := 0
	for e, err := range w.db.UserEvents(t.Context(), "acme", w.user("u0001").ID) {
		if events++; err != nil || e.Version != int64(events) {
			t.Errorf("%+v %v", e, err)
		}
	}
	if proven != 1 || events != 2 || w.state("u0001") != connector.Verified {
		t.Errorf("proven %d times, %d events, %s", proven, events, w.state("u0001"))
	}
}

// Every way in which a link is of no use is told apart, and none changes anybody.
func TestLinksThatProveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.InviteNew = true })
	p := &people{list: []*connector.Record{unproven(1), unproven(2), unproven(3), unproven(4)}}
	w.sync(p, connector.ResultOK)
	links := map[string]connector.ID{}
	for _, m := range w.outbox() {
		links[m.To[:5]] = m.Link
	}
	prove := func(who string, want error) provision.Proof {
		t.Helper()
		proof, err := w.prov.ProveEmail(t.Context(), links[who])
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", who, err, want)
		}
		return proof
	}
	prove("nobody", connector.ErrLinkUnknown)
	p.list[0] = person(1, "mail", "new@other.example")
	w.sync(p, connector.ResultOK)
	prove("u0001", connector.ErrLinkEnded) // it is another address by now
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0002")); err != nil {
		t.Fatal(err)
	}
	if proof := prove("u0002", nil); proof.Refusal == nil || proof.Refusal.Reason != connector.AccountDeactivated || w.state("u0002") != connector.Inactive {
		t.Errorf("deactivated: %+v", proof)
	}
	if _, err := w.prov.Reactivate(t.Context(), command(w, "u0002")); err != nil {
		t.Fatal(err)
	}
	if proof := prove("u0002", nil); proof.User.State != connector.Verified { // the link was not used up
		t.Errorf("back again: %s", proof.User.State)
	}
	gone := command(w, "u0003")
	for _, do := range []func(context.Context, provision.Command) (*connector.Change, error){w.prov.Deactivate, w.prov.Delete} {
		if _, err := do(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	prove("u0003", connector.ErrLinkUnknown)
	w.now = w.now.Add(provision.InvitationLife)
	prove("u0004", connector.ErrLinkEnded)
	if w.state("u0004") != connector.NotVerified {
		t.Error(w.state("u0004"))
	}
}

// asked writes what somebody asks by a form, and has it answered.
func (w *world) asked(to string) {
	w.t.Helper()
	m := connector.Mail{ID: connector.NewID(w.now), Org: "acme", Kind: connector.AccountMail, To: to, Language: "pl", At: w.now}
	if err := w.db.Write(w.t.Context(), func(tx connector.Tx) error { return tx.PutMail(w.t.Context(), m) }); err != nil {
		w.t.Fatal(err)
	}
	if err := w.prov.AnswerAsked(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// Who asks is answered by how the account is; of a stranger nothing stays; nobody is written to more than four times a day,
// or twice in a minute.
func TestAskedHowAnAccountIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.sync(&people{list: []*connector.Record{person(1), unproven(2), person(3)}}, connector.ResultOK)
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0003")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to   string
		want connector.MailKind
	}{
		{"stranger@example.com", ""},
		{"U0001@example.com", connector.ReadyMail},
		{"u0002@other.example", connector.InvitationMail},
		{"u0003@example.com", connector.DeactivatedMail},
	} {
		before := len(w.outbox())
		w.asked(c.to)
		list := w.outbox()
		switch {
		case c.want == "" && len(list) != before:
			t.Errorf("%s: something stays", c.to)
		case c.want != "" && (len(list) != before+1 || list[0].Kind != c.want || list[0].Language != "pl" || list[0].State != connector.MailWaiting):
			t.Errorf("%s: %+v", c.to, list)
		}
		w.asked(c.to) // at once again
		if n := len(w.outbox()); n != len(list) {
			t.Errorf("%s: %d mails", c.to, n)
		}
	}
	invitation := w.outbox(connector.InvitationMail)[0]
	if l, err := w.db.MailLink(t.Context(), "acme", invitation.Link); err != nil || l.Until.Sub(w.now) != provision.AskedLife {
		t.Errorf("%+v %v", l, err)
	}
	for range 6 {
		w.now = w.now.Add(time.Minute)
		w.asked("u0002@other.example")
	}
	if n := len(w.outbox(connector.InvitationMail)); n != 4 {
		t.Errorf("%d invitations within a day", n)
	}
	w.now = w.now.Add(25 * time.Hour)
	w.asked("u0002@other.example")
	if n := len(w.outbox(connector.InvitationMail)); n != 5 {
		t.Errorf("%d invitations", n)
	}
}
