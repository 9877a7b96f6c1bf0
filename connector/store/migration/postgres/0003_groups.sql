-- Groups of a source, with the members that its lists name. A member is known by the hash of its DN, as links
-- are: it may be a user, another group, or nobody here.
ALTER TABLE links ADD COLUMN dn_key bytea; -- NULL where groups are not synced
ALTER TABLE links ADD COLUMN primary_rid bigint NOT NULL DEFAULT 0;
CREATE INDEX links_dn_key ON links (dn_key, source, org, standing) WHERE dn_key IS NOT NULL;
CREATE INDEX links_primary ON links (org, source, primary_rid) WHERE primary_rid > 0;

CREATE TABLE groups (
    id          bytea NOT NULL PRIMARY KEY,
    org         text COLLATE "C" NOT NULL,
    source      text COLLATE "C" NOT NULL,
    anchor      bytea NOT NULL,
    dn_key      bytea NOT NULL,
    dn          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    folded      text COLLATE "C" NOT NULL, -- the name
    description text COLLATE "C" NOT NULL,
    rid         bigint NOT NULL, -- 0 = nobody's primary group
    members     bigint NOT NULL, -- rows in members
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL
);
CREATE UNIQUE INDEX groups_anchor ON groups (anchor, source, org);
CREATE INDEX groups_dn_key ON groups (dn_key, source, org);
CREATE INDEX groups_name ON groups (org, folded, id);
CREATE INDEX groups_source ON groups (org, source, rid);

CREATE TABLE members (
    group_id bytea NOT NULL,
    key      bytea NOT NULL,
    dn       text COLLATE "C" NOT NULL,
    PRIMARY KEY (group_id, key)
);
CREATE INDEX members_key ON members (key);

-- The events of one change of a group share an id.
CREATE TABLE group_events (
    id         bytea NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    member     bytea NOT NULL, -- its key, empty for the group itself
    org        text COLLATE "C" NOT NULL,
    source     text COLLATE "C" NOT NULL,
    group_id   bytea NOT NULL,
    cause      text COLLATE "C" NOT NULL,
    run        bytea,
    actor      text COLLATE "C" NOT NULL,
    at         bigint NOT NULL,
    before     text COLLATE "C" NOT NULL,
    after      text COLLATE "C" NOT NULL,
    PRIMARY KEY (id, kind, member)
);
CREATE INDEX group_events_run ON group_events (run, id) WHERE run IS NOT NULL;
CREATE INDEX group_events_group ON group_events (group_id, id);
