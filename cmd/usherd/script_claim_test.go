package main

import (
	"context"
	"errors"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"usherd/connector"
	"usherd/connector/store"
)

// somebody puts a verified user into an organization of usherd.db, as one that no source has.
func somebody(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: person ORG EMAIL")
	}
	url := storeOf(ts)
	if url == scriptStore {
		url = "sqlite:" + ts.MkAbs("usherd.db")
	}
	ctx, now := context.Background(), time.Now()
	db, err := store.Open(ctx, url, store.Options{Now: time.Now})
	ts.Check(err)
	u := &connector.User{ID: connector.NewID(now), Org: args[0], State: connector.Verified, CreatedAt: now, Version: 1, Profile: connector.Profile{
		connector.UserName: {args[1]}, connector.Email: {args[1]}, connector.GivenName: {"Ann"}, connector.FamilyName: {"Lee"}, "title": {"Chief"},
	}}
	ch := &connector.Change{
		Action: connector.Created, Org: u.Org, Subject: args[1], After: u, Fields: connector.Diff(nil, u),
		Transitions: []connector.Transition{{To: u.State, Signal: "created"}},
	}
	err = db.Write(ctx, func(tx connector.Tx) error {
		errs, err := tx.Save(ctx, []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, now)
		return errors.Join(err, errors.Join(errs...))
	})
	ts.Check(errors.Join(err, db.Close()))
}
