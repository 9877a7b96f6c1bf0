package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"usherd/connector"
	"usherd/connector/store"
)

const doorConfiguration = `listen: %q
store: %q
scim: {listen: %q, url: "http://%[3]s"}
organizations:
  - id: ` + benchOrg + `
    partner_id: bench
    packages: [{id: standard, seats: unlimited}]
    package: standard
    sources: [{id: ` + pushedBy + `, scim: {rate: 10000, concurrency: 16}}]
`

const (
	pushedBy     = "idp"
	pushedDomain = "example.com"
	pushedChunk  = 1000 // users that are written together
)

// door is an usherd with a full store and its SCIM door open, and the bare server beside it.
type door struct {
	b       *bench
	site    *site
	daemon  *daemon
	bare    *bareServer
	door    target
	token   string
	clients [scimClients]*http.Client
	users   []connector.ID
	members []connector.ID // of users, those that are in the group
	group   string
	created atomic.Int64  // the number of the user that was created last
	seed    atomic.Uint64 // of random numbers
}

// openDoor fills a store and starts both servers.
func (b *bench) openDoor(ctx context.Context) (_ *door, err error) {
	dir := filepath.Join(b.dir, "scim")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d := &door{b: b, site: &site{config: filepath.Join(dir, "usherd.yaml"), store: filepath.Join(dir, "usherd.db")}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	for i := range d.clients {
		d.clients[i] = &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: time.Minute}
	}
	if d.bare, err = b.startBare(ctx); err != nil {
		return nil, err
	}
	if err := d.configure(ctx); err != nil {
		return nil, err
	}
	b.fill("a store with %d users", b.o.pushed)
	if err := d.fill(ctx); err != nil {
		return nil, err
	}
	if d.token, err = d.newToken(ctx); err != nil {
		return nil, err
	}
	if d.daemon, err = b.serve(ctx, d.site); err != nil {
		return nil, err
	}
	d.door.cmd = d.daemon.cmd
	return d, d.fillGroup(ctx)
}

func (d *door) close() error {
	var err error
	if d.daemon != nil {
		err = d.daemon.stop()
	}
	if d.bare != nil {
		err = errors.Join(err, d.bare.close())
	}
	return err
}

func (d *door) configure(ctx context.Context) (err error) {
	if d.site.listen, err = freeAddress(ctx); err != nil {
		return err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	d.door.url = "http://" + address + "/scim/" + benchOrg + "/v2"
	text := fmt.Sprintf(doorConfiguration, d.site.listen, "sqlite:"+d.site.store, address)
	return os.WriteFile(d.site.config, []byte(text), 0o600)
}

// newToken has usherd make a token.
func (d *door) newToken(ctx context.Context) (string, error) {
	cmd, err := d.b.command(ctx, d.site, "token", "create", "-o", "json")
	if err != nil {
		return "", err
	}
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("usherd token create: %w", err)
	}
	var made struct{ Token string }
	return made.Token, json.Unmarshal(out, &made)
}

// fill writes users as the door would have, many at a time.
func (d *door) fill(ctx context.Context) (err error) {
	db, err := store.Open(ctx, "sqlite:"+filepath.ToSlash(d.site.store), store.Options{Now: d.b.o.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	now := d.b.o.now()
	if err := db.SetPackages(ctx, benchOrg, []connector.Package{{ID: "standard", Seats: connector.Unlimited}}); err != nil {
		return err
	}
	if err := db.AddDomain(ctx, connector.Domain{Org: benchOrg, Name: pushedDomain, Token: "bench", AddedAt: now, VerifiedAt: now}); err != nil {
		return err
	}
	for len(d.users) < d.b.o.pushed {
		chunk := make([]*connector.Change, min(pushedChunk, d.b.o.pushed-len(d.users)))
		for i := range chunk {
			chunk[i] = pushedUser(len(d.users), now)
			d.users = append(d.users, chunk[i].After.ID)
		}
		err := db.Bulk(ctx, func(tx connector.Tx) error {
			errs, err := tx.Save(ctx, chunk, connector.Cause{Kind: connector.CauseRequest, Actor: "bench"}, now)
			return errors.Join(append(errs, err)...)
		})
		if err != nil {
			return err
		}
	}
	d.created.Store(int64(len(d.users)))
	return nil
}

// fillGroup makes the group, by one request.
func (d *door) fillGroup(ctx context.Context) error {
	if len(d.users) < 2*scimClients {
		return fmt.Errorf("%d users are too few for %d clients", len(d.users), scimClients)
	}
	d.members = d.users[:min(scimMembers, len(d.users)/2)]
	list := make([]map[string]string, len(d.members))
	for i, id := range d.members {
		list[i] = map[string]string{"value": id.String()}
	}
	body, err := json.Marshal(map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "Everybody", "members": list,
	})
	if err != nil {
		return err
	}
	answer, err := d.ask(ctx, d.clients[0], d.door.url, asked{http.MethodPost, "/Groups?attributes=displayName", string(body), http.StatusCreated})
	if err != nil {
		return err
	}
	var made struct{ ID string }
	err = json.Unmarshal(answer, &made)
	d.group = made.ID
	return err
}

// size is how many bytes such an answer has.
func (d *door) size(ctx context.Context, ask asker) (int, error) {
	body, err := d.ask(ctx, d.clients[0], d.door.url, ask(d.newWorker(0)))
	return len(body), err
}

func pushedName(n int) string { return fmt.Sprintf("user%06d@%s", n, pushedDomain) }

// pushedBody is a user as providers send one.
func pushedBody(n int) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],`+
		`"externalId":"00u%012d","userName":%q,"name":{"givenName":"Given%d","familyName":"Family%[1]d","formatted":"Given%[3]d Family%[1]d"},`+
		`"displayName":"Given%[3]d Family%[1]d","title":"Senior Engineer","active":true,"preferredLanguage":"sv-SE",`+
		`"emails":[{"value":%[2]q,"type":"work","primary":true}],"phoneNumbers":[{"value":"+46 8 123 %06[1]d","type":"work"}],`+
		`"addresses":[{"type":"work","streetAddress":"12 Long Street","locality":"Stockholm","country":"SE"}],`+
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"%[1]d","department":"Department %[4]d","organization":"Acme"}}`,
		n, pushedName(n), n%977, n%40)
}

// pushedUser is the decision to create the user of pushedBody.
func pushedUser(n int, now time.Time) *connector.Change {
	given, family, name := fmt.Sprintf("Given%d", n%977), fmt.Sprintf("Family%d", n), pushedName(n)
	u := &connector.User{
		ID: connector.NewID(now), Org: benchOrg, State: connector.Active, Package: "standard", CreatedAt: now, UpdatedAt: now, Version: 1,
		Profile: connector.Profile{
			connector.UserName: {name}, connector.GivenName: {given}, connector.FamilyName: {family}, "formattedName": {given + " " + family},
			connector.DisplayName: {given + " " + family}, "title": {"Senior Engineer"}, "preferredLanguage": {"sv-SE"}, connector.Email: {name},
			"phone": {fmt.Sprintf("+46 8 123 %06d", n)}, "streetAddress": {"12 Long Street"}, "locality": {"Stockholm"}, "country": {"SE"},
			"employeeNumber": {strconv.Itoa(n)}, "department": {fmt.Sprintf("Department %d", n%40)}, "organization": {"Acme"},
		},
	}
	anchor := connector.Anchor{Kind: connector.TextAnchor, Raw: fmt.Sprintf("00u%012d", n)}
	return &connector.Change{
		Action: connector.Created, Org: benchOrg, Source: pushedBy, Anchor: anchor, Subject: name,
		After: u, Fields: connector.Diff(nil, u), TakeSeat: u.Package,
		Transitions: []connector.Transition{{To: connector.Active, Signal: "created"}},
		Link:        &connector.Link{Org: benchOrg, Source: pushedBy, Anchor: anchor, User: u.ID, Standing: connector.StandingEnabled, UpdatedAt: now},
	}
}
