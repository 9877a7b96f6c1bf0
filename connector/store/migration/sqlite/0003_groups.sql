-- Groups of a source, with the members that its lists name. A member is known by the hash of its DN, as links
-- are: it may be a user, another group, or nobody here.
ALTER TABLE links ADD COLUMN dn_key BLOB; -- NULL where groups are not synced
ALTER TABLE links ADD COLUMN primary_rid INTEGER NOT NULL DEFAULT 0;
CREATE INDEX links_dn_key ON links (dn_key, source, org, standing) WHERE dn_key IS NOT NULL;
CREATE INDEX links_primary ON links (org, source, primary_rid) WHERE primary_rid > 0;

CREATE TABLE groups (
    id          BLOB    NOT NULL PRIMARY KEY,
    org         TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    anchor      BLOB    NOT NULL,
    dn_key      BLOB    NOT NULL,
    dn          TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    folded      TEXT    NOT NULL, -- the name
    description TEXT    NOT NULL,
    rid         INTEGER NOT NULL, -- 0 = nobody's primary group
    members     INTEGER NOT NULL, -- rows in members
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX groups_anchor ON groups (anchor, source, org);
CREATE INDEX groups_dn_key ON groups (dn_key, source, org);
CREATE INDEX groups_name ON groups (org, folded, id);
CREATE INDEX groups_source ON groups (org, source, rid);

CREATE TABLE members (
    group_id BLOB NOT NULL,
    key      BLOB NOT NULL,
    dn       TEXT NOT NULL,
    PRIMARY KEY (group_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_key ON members (key);

-- The events of one change of a group share an id.
CREATE TABLE group_events (
    id         BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    member     BLOB    NOT NULL, -- its key, empty for the group itself
    org        TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    group_id   BLOB    NOT NULL,
    cause      TEXT    NOT NULL,
    run        BLOB,
    actor      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    before     TEXT    NOT NULL,
    after      TEXT    NOT NULL,
    PRIMARY KEY (id, kind, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_events_run ON group_events (run, id) WHERE run IS NOT NULL;
CREATE INDEX group_events_group ON group_events (group_id, id);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('links', 'links_dn_key', '1000000 1 1 1 1'),
    ('links', 'links_primary', '1000000 500000 250000 10000'),
    ('groups', 'sqlite_autoindex_groups_1', '10000 1'),
    ('groups', 'groups_anchor', '10000 1 1 1'),
    ('groups', 'groups_dn_key', '10000 1 1 1'),
    ('groups', 'groups_name', '10000 5000 1 1'),
    ('groups', 'groups_source', '10000 5000 2500 1'),
    ('members', 'members', '10000000 1000 1'),
    ('members', 'members_key', '10000000 10 1'),
    ('group_events', 'group_events', '1000000 10 5 1'),
    ('group_events', 'group_events_run', '1000000 1000 10 5 1'),
    ('group_events', 'group_events_group', '1000000 100 10 5 1');
ANALYZE sqlite_schema;
