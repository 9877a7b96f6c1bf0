package store

import (
	"encoding/json"
	"time"

	"usherd/connector"
)

// The documents below are the stored form of nouns whose Go form is no stable text: an anchor's
// text does not carry its kind, and a renamed field must not lose what is stored.

type anchorDoc []byte

type recordDoc struct {
	Anchor        anchorDoc         `json:"anchor,omitempty"`
	DN            string            `json:"dn,omitempty"`
	Attributes    []attributeDoc    `json:"attributes,omitempty"`
	Enabled       connector.Enabled `json:"enabled,omitempty"`
	EnabledReason string            `json:"enabled_reason,omitempty"`
	Gone          bool              `json:"gone,omitempty"`
	OutOfScope    string            `json:"out_of_scope,omitempty"`
	Protected     bool              `json:"protected,omitempty"`
	Fault         string            `json:"fault,omitempty"`
	RecheckAt     time.Time         `json:"recheck_at,omitzero"`
	ChangedAt     time.Time         `json:"changed_at,omitzero"`
	Key           []byte            `json:"key,omitempty"`
	PrimaryGroup  uint32            `json:"primary_group,omitempty"`
	Package       string            `json:"package,omitempty"`
	User          connector.ID      `json:"user,omitzero"`
}

type attributeDoc struct {
	Name   string   `json:"name"`
	Values [][]byte `json:"values"`
}

func newRecordDoc(r *connector.Record) *recordDoc {
	if r == nil {
		return nil
	}
	d := &recordDoc{
		anchorBlob(r.Anchor), r.DN, nil, r.Enabled, r.EnabledReason, r.Gone, r.OutOfScope, r.Protected, r.Fault,
		r.RecheckAt, r.ChangedAt, keyBlob(r.Key), r.PrimaryGroup, r.Package, r.User,
	}
	for _, a := range r.Attributes {
		d.Attributes = append(d.Attributes, attributeDoc(a))
	}
	return d
}

func (d *recordDoc) record() *connector.Record {
	if d == nil {
		return nil
	}
	r := &connector.Record{
		Anchor: anchorOf(d.Anchor), DN: d.DN, Enabled: d.Enabled, EnabledReason: d.EnabledReason,
		Gone: d.Gone, OutOfScope: d.OutOfScope, Protected: d.Protected, Fault: d.Fault,
		RecheckAt: d.RecheckAt, ChangedAt: d.ChangedAt, PrimaryGroup: d.PrimaryGroup, Package: d.Package, User: d.User,
	}
	copy(r.Key[:], d.Key)
	for _, a := range d.Attributes {
		r.Attributes = append(r.Attributes, connector.Attribute(a))
	}
	return r
}

type linkDoc struct {
	Source    string             `json:"source"`
	Anchor    anchorDoc          `json:"anchor"`
	User      connector.ID       `json:"user"`
	DN        string             `json:"dn,omitempty"`
	Hash      []byte             `json:"hash"`
	Profile   connector.Profile  `json:"profile,omitempty"`
	Package   string             `json:"package,omitempty"`
	Standing  connector.Standing `json:"standing,omitempty"`
	Protected bool               `json:"protected,omitempty"`
	Run       connector.ID       `json:"run"`
	UpdatedAt time.Time          `json:"updated_at,omitzero"`
	RecheckAt time.Time          `json:"recheck_at,omitzero"`
	Key       []byte             `json:"key,omitempty"`
	Primary   uint32             `json:"primary_group,omitempty"`
	Follow    bool               `json:"memberships_follow,omitempty"`
}

func newLinkDoc(l *connector.Link) *linkDoc {
	if l == nil {
		return nil
	}
	return &linkDoc{
		l.Source, anchorBlob(l.Anchor), l.User, l.DN, l.Hash[:], l.Profile, l.Package, l.Standing, l.Protected, l.Run, l.UpdatedAt,
		l.RecheckAt, keyBlob(l.Key), l.PrimaryGroup, l.MembershipsFollow,
	}
}

func (d *linkDoc) link(org string) *connector.Link {
	if d == nil {
		return nil
	}
	l := &connector.Link{
		Org: org, Source: d.Source, Anchor: anchorOf(d.Anchor), User: d.User, DN: d.DN, Profile: d.Profile, Package: d.Package,
		Standing: d.Standing, Protected: d.Protected, Run: d.Run, UpdatedAt: d.UpdatedAt, RecheckAt: d.RecheckAt,
		PrimaryGroup: d.Primary, MembershipsFollow: d.Follow,
	}
	copy(l.Hash[:], d.Hash)
	copy(l.Key[:], d.Key)
	return l
}

type changeDoc struct {
	Action      connector.Action        `json:"action"`
	Org         string                  `json:"org"`
	Source      string                  `json:"source"`
	Anchor      anchorDoc               `json:"anchor,omitempty"`
	DN          string                  `json:"dn,omitempty"`
	Subject     string                  `json:"subject,omitempty"`
	BaseVersion int64                   `json:"base_version,omitempty"`
	After       *connector.User         `json:"after,omitempty"`
	Fields      []connector.FieldChange `json:"fields,omitempty"`
	Transitions []connector.Transition  `json:"transitions,omitempty"`
	Link        *linkDoc                `json:"link,omitempty"`
	Sibling     *linkDoc                `json:"sibling,omitempty"`
	Unlink      anchorDoc               `json:"unlink,omitempty"`
	TakeSeat    string                  `json:"take_seat,omitempty"`
	FreeSeat    string                  `json:"free_seat,omitempty"`
	Skip        connector.SkipReason    `json:"skip,omitempty"`
	Failures    []connector.Failure     `json:"failures,omitempty"`
	Waiting     *recordDoc              `json:"waiting,omitempty"`
	Warnings    []string                `json:"warnings,omitempty"`
	Linked      bool                    `json:"linked,omitempty"`
	Removal     bool                    `json:"removal,omitempty"`
	Held        bool                    `json:"held,omitempty"`
}

func marshalChange(c *connector.Change) ([]byte, error) {
	return json.Marshal(changeDoc{
		c.Action, c.Org, c.Source, anchorBlob(c.Anchor), c.DN, c.Subject, c.BaseVersion, c.After, c.Fields, c.Transitions,
		newLinkDoc(c.Link), newLinkDoc(c.Sibling), anchorBlob(c.Unlink), c.TakeSeat, c.FreeSeat, c.Skip, c.Failures,
		newRecordDoc(c.Waiting), c.Warnings, c.Linked, c.Removal, c.Held,
	})
}

func unmarshalChange(doc []byte) (*connector.Change, error) {
	var d changeDoc
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, err
	}
	return &connector.Change{
		Action: d.Action, Org: d.Org, Source: d.Source, Anchor: anchorOf(d.Anchor), DN: d.DN, Subject: d.Subject,
		BaseVersion: d.BaseVersion, After: d.After, Fields: d.Fields, Transitions: d.Transitions, Link: d.Link.link(d.Org),
		Sibling: d.Sibling.link(d.Org), Unlink: anchorOf(d.Unlink), TakeSeat: d.TakeSeat, FreeSeat: d.FreeSeat, Skip: d.Skip,
		Failures: d.Failures, Waiting: d.Waiting.record(), Warnings: d.Warnings, Linked: d.Linked, Removal: d.Removal, Held: d.Held,
	}, nil
}
