package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	neturl "net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/internal/testpg"
	"usherd/ldapsync/ldaptest"
)

// is what a daemon says of itself.
func (d *started) is(t *testing.T) replicaHealth {
	t.Helper()
	answer, err := http.Get("http://" + d.addr + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var r readiness
	if err := json.NewDecoder(answer.Body).Decode(&r); err != nil || answer.StatusCode != http.StatusOK || !r.Ready {
		t.Fatalf("/readyz: %d %v", answer.StatusCode, err)
	}
	return r.Replica
}

// leaders are those that say that they lead.
func leaders(t *testing.T, all ...*started) (leading []*started) {
	t.Helper()
	for _, d := range all {
		if d.is(t).Leads {
			leading = append(leading, d)
		}
	}
	return leading
}

const replicaConfig = `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
scim: {listen: "127.0.0.1:0", url: "https://scim.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: 10}]
  package: standard
  sources:
  - {id: idp, scim: {rate: 300, concurrency: 6}}
`

func TestOneReplicaLeadsAndTheOthersStandBy(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, newstore.Postgres(t), replicaConfig)
	one := r.serve()
	if was := one.is(t); !was.Leads || was.Leader != was.Name || was.Token == 0 || was.Revision != one.current().file.Revision {
		t.Fatalf("the first one: %+v", was)
	}
	two, three := r.serve(), r.serve()
	for _, d := range []*started{two, three} {
		if now := d.is(t); now.Leads || now.Leader != one.is(t).Name || now.Token != 0 {
			t.Errorf("a standby: %+v", now)
		}
		if d.gauge(t, "usherd_leader") != 0 || d.gauge(t, "usherd_leader_token") != 0 || d.term() != nil {
			t.Error("the metrics say that it leads")
		}
		if err := d.runNow("housekeeping"); connector.KindOf(err) != connector.Unavailable {
			t.Errorf("it runs jobs: %v", err)
		}
	}
	if said := decode[struct{ Leader string }](r, exitOK, "sources", "-o", "json"); said.Leader != one.is(t).Name {
		t.Errorf("usherd sources says that %q leads", said.Leader)
	}
	if text := r.must(exitOK, "sources"); !strings.Contains(text, "led by "+one.is(t).Name) {
		t.Errorf("usherd sources:\n%s", text)
	}
	r.until("all know each other", func() bool { return one.is(t).Replicas == 3 && two.is(t).Replicas == 3 && three.is(t).Replicas == 3 })
	if n := one.gauge(t, "usherd_replicas"); n != 3 {
		t.Errorf("%v replicas", n)
	}
	token := one.is(t).Token
	start := time.Now()
	one.stop()
	var next []*started
	r.until("another one leads", func() bool {
		next = leaders(t, two, three)
		return len(next) > 0
	})
	if took := time.Since(start); took > leaderTTL/2 {
		t.Errorf("the lead of one that stops is taken over after %s", took)
	}
	if now := next[0].is(t); len(next) != 1 || now.Token <= token || next[0].gauge(t, "usherd_leader") != 1 {
		t.Errorf("%d lead, %+v", len(next), now)
	}
	r.until("the one that has left is not counted", func() bool { return two.is(t).Replicas == 2 && three.is(t).Replicas == 2 })
	if err := next[0].runNow("housekeeping"); err != nil {
		t.Error(err)
	}
}

// A leader that has been away for too long does nothing more under its old term.
func TestLeadThatIsLostEndsItsTerm(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, newstore.Postgres(t), replicaConfig)
	d := r.serve()
	was := d.term()
	r.withStore(func(db *store.DB) {
		o := lease.Options{Store: db, Name: leaderLease, Holder: "elsewhere:1 x.term1", Dead: func(string) bool { return true }}
		if _, err := lease.Take(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if _, err := d.current().db.DropTokens(was.ctx, time.Now()); !errors.Is(err, connector.ErrLeaseLost) {
			t.Errorf("it writes under its old term: %v", err)
		}
		d.log.await(t, "the lead is lost: runs of this replica have ended")
		if line := d.log.await(t, "standing by: another replica leads"); line["leader"] != "elsewhere:1 x" {
			t.Errorf("it stands by for %v", line)
		}
		if now := d.is(t); now.Leads {
			t.Errorf("it says %+v", now)
		}
		if err := db.Release(t.Context(), o.Name, o.Holder); err != nil {
			t.Fatal(err)
		}
	})
	r.until("it leads again", func() bool { return d.is(t).Leads })
	if now := d.term(); now.lease.Turn() <= was.lease.Turn() {
		t.Errorf("turn %d comes after %d", now.lease.Turn(), was.lease.Turn())
	}
}

// The leader's machine dies in the middle of a scheduled run: nobody can see that its process is dead. The next leader
// does the run again at once, and does not wait for the source's lease to run out.
func TestNextLeaderDoesTheRunThatWasCutOff(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 5)
	r := newRigOn(t, newstore.Postgres(t),
		strings.Replace(oneSource(block), "    first_run: apply\n", "    first_run: apply\n    schedule: {cron: \"0 3 1 1 *\"}\n", 1))
	now := time.Now()
	run := func(ago time.Duration, result connector.Result) *connector.Run {
		started := now.Add(-ago)
		return &connector.Run{
			ID: connector.NewID(started), Org: "acme", Source: "hq", Mode: connector.ModeFull, Actor: connector.ActorSchedule, Result: result, Started: started,
		}
	}
	good, dying := run(2*365*24*time.Hour, connector.ResultOK), run(time.Hour, connector.ResultRunning)
	good.Finished = good.Started
	r.withStore(func(db *store.DB) {
		err := db.Write(t.Context(), func(tx connector.Tx) error {
			return errors.Join(tx.PutRun(t.Context(), good), tx.PutRun(t.Context(), dying))
		})
		if err != nil {
			t.Fatal(err)
		}
		token, err := db.Lease(t.Context(), leaderLease, "elsewhere:1 x.term1", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		held := connector.WithFence(t.Context(), connector.Fence{Lease: leaderLease, Token: token})
		if _, err := db.Lease(t.Context(), "source:acme/hq", lease.NewHolder(held, "elsewhere:1", "x"), time.Hour); err != nil {
			t.Fatal(err)
		}
	})
	d := r.serve()
	r.until("it leads", func() bool { return d.is(t).Leads })
	if line := d.log.await(t, "run ended"); line["created"] != 5.0 {
		t.Errorf("%v", line)
	}
	r.withStore(func(db *store.DB) {
		if was, err := db.Run(t.Context(), dying.ID); err != nil || was.Error != connector.CutOff {
			t.Errorf("the run that died: %+v %v", was, err)
		}
	})
}

// On a file, a second daemon is refused as ever; on PostgreSQL it is a replica.
func TestTwoDaemonsOnOneFileAreRefused(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, "", replicaConfig)
	r.serve()
	_, errs, code := r.run("serve")
	if code != exitError || !strings.Contains(errs, "another usherd serves this store") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// A replica reads its file again when the leader has another one in force; where the file here is not that one, it says
// so and goes on with what it has.
func TestReplicasHaveOneConfiguration(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, newstore.Postgres(t), replicaConfig)
	one := r.serve()
	two := r.serve()
	r.configure(strings.Replace(replicaConfig, "seats: 10", "seats: 20", 1))
	r.must(exitOK, "reload")
	one.log.await(t, "reloaded")
	two.log.await(t, "reloaded")
	r.until("both have the same", func() bool { return one.is(t).Revision == two.is(t).Revision && two.is(t).LeaderRevision == "" })
	r.configure(strings.Replace(replicaConfig, "seats: 10", "seats: 30", 1))
	one.hup <- nil
	one.log.await(t, "reloaded")
	two.log.await(t, "reloaded")
	r.configure(strings.Replace(replicaConfig, "seats: 10", "seats: 40", 1))
	two.hup <- nil
	two.log.await(t, "reloaded")
	if line := two.log.await(t, "this replica has another configuration than the one that leads"); line["leader_revision"] != one.is(t).Revision {
		t.Errorf("%v", line)
	}
	r.until("it is told", func() bool { return two.gauge(t, "usherd_replica_revision_differs") == 1 })
	if is := two.is(t); is.LeaderRevision != one.is(t).Revision || is.LeaderRevision == is.Revision {
		t.Errorf("%+v", is)
	}
	if n := decode[struct{ Seats []connector.SeatCount }](r, exitOK, "seats", "-o", "json").Seats; len(n) != 1 || n[0].Seats != 30 {
		t.Errorf("a standby has put its own seats in force: %+v", n)
	}
}

// newcomer is the body by which somebody is pushed.
func newcomer(name string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `","name":{"givenName":"A","familyName":"B"},` +
		`"emails":[{"value":"` + name + `"}],"active":true}`
}

// scim asks the door of a daemon.
func (d *started) scim(t *testing.T, token, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+d.door.ln.Addr().String()+"/scim/acme/v2"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
	}
	return answer.StatusCode, doc
}

// The first replica of a newer version adds to the schema while older ones serve: they go on, and only a new start of
// an older one is refused.
func TestOlderReplicaGoesOnBesideANewerSchema(t *testing.T) {
	t.Parallel()
	url := newstore.Postgres(t)
	r := newRigOn(t, url, replicaConfig)
	leader, standby := r.serve(), r.serve()
	token := decode[newTokenJSON](r, exitOK, "token", "create", "--source", "idp", "-o", "json").Token
	push := func(d *started, name string) {
		t.Helper()
		if status, doc := d.scim(t, token, http.MethodPost, "/Users", newcomer(name)); status != http.StatusCreated {
			t.Fatalf("%s: %d %v", name, status, doc)
		}
	}
	push(leader, "before@acme.test")
	push(standby, "before2@acme.test")
	at, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"ALTER TABLE users ADD COLUMN later text NOT NULL DEFAULT ''",
		"CREATE TABLE later (id bytea PRIMARY KEY)",
		"CREATE INDEX users_later ON users (org, later)",
		"INSERT INTO migrations (version, name, checksum, at) SELECT max(version) + 1, 'later.sql', 'x', 1 FROM migrations",
	} {
		if _, err := testpg.Shared(t).SQL(t.Context(), strings.TrimPrefix(at.Path, "/"), statement); err != nil {
			t.Fatal(err)
		}
	}
	push(leader, "after@acme.test")
	push(standby, "after2@acme.test")
	if err := leader.runNow("housekeeping"); err != nil {
		t.Error(err)
	}
	leader.stop()
	r.until("the other one leads", func() bool { return standby.is(t).Leads })
	push(standby, "after3@acme.test")
	if status, doc := standby.scim(t, token, http.MethodGet, "/Users?count=10", ""); status != http.StatusOK || doc["totalResults"] != 5.0 {
		t.Errorf("%d %v", status, doc)
	}
	if _, errs, code := r.run("users"); code != exitError || !strings.Contains(errs, "knows versions up to") {
		t.Errorf("an older program begins on a newer schema: %d, %s", code, errs)
	}
}

// asEntra is a change as nobody but Entra writes it.
const asEntra = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"displayName","value":"Ann"}]}`

// Replicas share out what a client may do, refuse what another one has revoked, and go on where another one has begun.
func TestReplicasAreOneDoor(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, newstore.Postgres(t), replicaConfig)
	all := []*started{r.serve(), r.serve()}
	token := decode[newTokenJSON](r, exitOK, "token", "create", "--source", "idp", "-o", "json").Token
	ask := func(d *started, method, path, body string) (int, map[string]any) {
		t.Helper()
		return d.scim(t, token, method, path, body)
	}
	for i := range 12 {
		name := string(rune('a'+i)) + "@acme.test"
		status, doc := ask(all[i%2], http.MethodPost, "/Users", newcomer(name))
		if want := map[bool]int{true: http.StatusCreated, false: http.StatusConflict}[i < 10]; status != want && i < 10 {
			t.Fatalf("%d: %d %v", i, status, doc)
		}
	}
	if n := decode[struct{ Seats []connector.SeatCount }](r, exitOK, "seats", "-o", "json").Seats; n[0].Used != 10 {
		t.Errorf("%+v", n)
	}
	for _, by := range []string{"cursor=", "startIndex=1"} { // each page from the other replica
		var got []string
		for i, next := 0, by; next != "" && i < 10; i++ {
			status, doc := ask(all[i%2], http.MethodGet, "/Users?count=4&"+next, "")
			if status != http.StatusOK {
				t.Fatalf("%s: %d %v", next, status, doc)
			}
			list, _ := doc["Resources"].([]any)
			for _, v := range list {
				got = append(got, v.(map[string]any)["id"].(string))
			}
			next = ""
			if cursor, ok := doc["nextCursor"].(string); ok {
				next = "cursor=" + cursor
			} else if by != "cursor=" && len(list) == 4 {
				next = "startIndex=" + string(rune('1'+len(got)))
			}
		}
		slices.Sort(got)
		if total := decode[struct{ Users []userJSON }](r, exitOK, "users", "--limit", "0", "-o", "json").Users; len(slices.Compact(got)) != len(total) {
			t.Errorf("%s: %d users, want %d", by, len(got), len(total))
		}
	}
	_, one := ask(all[0], http.MethodGet, "/Users?count=1", "")
	id := one["Resources"].([]any)[0].(map[string]any)["id"].(string)
	if status, doc := ask(all[0], http.MethodPatch, "/Users/"+id, asEntra); status != http.StatusOK && status != http.StatusNoContent {
		t.Fatalf("%d %v", status, doc)
	}
	if err := all[1].refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(all[1], http.MethodGet, "/Users?count=1&startIndex=2", "")
	r.until("the other replica knows the client's dialect", func() bool {
		list := decode[struct{ Requests []api.Request }](r, exitOK, "scim", "log", "-o", "json").Requests
		return slices.ContainsFunc(list, func(q api.Request) bool { return strings.Contains(q.Query, "startIndex=2") && q.Profile == "entra" })
	})
	r.must(exitOK, "token", "revoke", decode[struct{ Tokens []struct{ ID string } }](r, exitOK, "token", "list", "-o", "json").Tokens[0].ID)
	for _, d := range all {
		r.until("the token is refused", func() bool {
			status, _ := ask(d, http.MethodGet, "/Users?count=1", "")
			return status == http.StatusUnauthorized
		})
	}
}
