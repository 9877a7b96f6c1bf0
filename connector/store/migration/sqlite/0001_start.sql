-- Times are microseconds since 1970 in UTC, 0 = none. Ids are UUIDv7, 16 bytes. Folded columns are
-- filled by connector.Fold. Anchors are one byte of kind and then the raw bytes.

CREATE TABLE users (
    id                 BLOB    NOT NULL PRIMARY KEY,
    org                TEXT    NOT NULL,
    state              TEXT    NOT NULL,
    package            TEXT    NOT NULL,
    seat               TEXT    NOT NULL, -- package whose seat the user holds, '' = none
    email_domain       TEXT    NOT NULL, -- of the primary address, labels reversed: 'com.example.'
    package_fixed      INTEGER NOT NULL,
    pending_approval   INTEGER NOT NULL,
    version            INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    profile            BLOB    NOT NULL, -- JSON
    resume             TEXT    NOT NULL DEFAULT '',
    deactivated_by     TEXT    NOT NULL DEFAULT '',
    deactivated_source TEXT    NOT NULL DEFAULT '',
    deactivated_reason TEXT    NOT NULL DEFAULT '',
    deactivated_at     INTEGER NOT NULL DEFAULT 0,
    delete_at          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX users_package ON users (org, package, id) WHERE package <> '';
CREATE INDEX users_state ON users (org, state, id) WHERE state <> 'active';
CREATE INDEX users_email_domain ON users (org, email_domain, id);
CREATE INDEX users_due ON users (org, delete_at, id) WHERE delete_at > 0;
CREATE INDEX users_pending ON users (org, id) WHERE pending_approval = 1;

-- The names by which a live user is unique. kind: 1 userName, 2 email.
CREATE TABLE user_keys (
    org     TEXT    NOT NULL,
    kind    INTEGER NOT NULL,
    value   TEXT    NOT NULL,
    user_id BLOB    NOT NULL,
    PRIMARY KEY (org, kind, value)
) STRICT, WITHOUT ROWID;

-- Names that find a live user and need not be unique. kind: 3 employeeNumber, 4 displayName.
CREATE TABLE user_terms (
    org     TEXT    NOT NULL,
    kind    INTEGER NOT NULL,
    value   TEXT    NOT NULL,
    user_id BLOB    NOT NULL,
    PRIMARY KEY (org, kind, value, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_counts (
    org   TEXT    NOT NULL,
    state TEXT    NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (org, state)
) STRICT, WITHOUT ROWID;

-- In order of the users, who are made one after the other: a run then writes few pages. Only the small
-- index of the anchors, which come in no order, is written all over.
CREATE TABLE links (
    org        TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    anchor     BLOB    NOT NULL,
    user_id    BLOB    NOT NULL,
    hash       BLOB    NOT NULL,
    dn         TEXT    NOT NULL,
    standing   TEXT    NOT NULL,
    package    TEXT    NOT NULL,
    protected  INTEGER NOT NULL,
    run        BLOB,
    updated_at INTEGER NOT NULL,
    profile    BLOB,             -- JSON, NULL where the user's own profile is it
    PRIMARY KEY (org, source, user_id, anchor)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_anchor ON links (anchor, source, org); -- what differs most first: it is compared least

-- The sources that have links: a user's links are found by asking each of them.
CREATE TABLE link_sources (
    org    TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (org, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    user_id BLOB    NOT NULL,
    version INTEGER NOT NULL, -- of the user afterwards
    id      BLOB    NOT NULL,
    action  TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    cause   TEXT    NOT NULL,
    run     BLOB,
    actor   TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    doc     BLOB    NOT NULL, -- JSON: fields and transitions
    PRIMARY KEY (user_id, version)
) STRICT;
CREATE INDEX events_run ON events (run, id) WHERE run IS NOT NULL;

CREATE TABLE packages (
    org     TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    seats   INTEGER NOT NULL, -- -1 = unlimited
    used    INTEGER NOT NULL,
    lowered INTEGER NOT NULL, -- the number of seats was set below use
    place   INTEGER NOT NULL, -- in the configuration, -1 = not there any more
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

-- person is the anchor, or where there is none a zero byte and the DN or subject.
CREATE TABLE open_items (
    org        TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    person     BLOB    NOT NULL,
    reason     TEXT    NOT NULL,
    id         BLOB    NOT NULL,
    ref        TEXT    NOT NULL,
    code       INTEGER NOT NULL,
    fields     TEXT    NOT NULL, -- names with a line feed between them
    package    TEXT    NOT NULL,
    domain     TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    folded     TEXT    NOT NULL,
    user_id    BLOB,
    dn         TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    last_run   BLOB,
    PRIMARY KEY (org, source, person, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_items_id ON open_items (org, id);
CREATE INDEX open_items_ref ON open_items (org, ref);

CREATE TABLE waiting (
    org     TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    person  BLOB    NOT NULL,
    package TEXT    NOT NULL,
    id      BLOB    NOT NULL, -- grows: the place on the list
    since   INTEGER NOT NULL,
    record  BLOB    NOT NULL, -- JSON
    PRIMARY KEY (org, source, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_package ON waiting (org, package, id);

CREATE TABLE runs (
    id       BLOB    NOT NULL PRIMARY KEY,
    org      TEXT    NOT NULL,
    source   TEXT    NOT NULL,
    result   TEXT    NOT NULL,
    finished INTEGER NOT NULL,
    held     INTEGER NOT NULL, -- something waits for approval
    doc      BLOB    NOT NULL  -- JSON
) STRICT;
CREATE INDEX runs_source ON runs (org, source, id);
CREATE INDEX runs_running ON runs (org, source) WHERE result = 'running';

CREATE TABLE outcomes (
    run BLOB    NOT NULL,
    id  BLOB    NOT NULL, -- grows: the order in which they were kept
    doc BLOB    NOT NULL, -- JSON
    PRIMARY KEY (run, id)
) STRICT;

CREATE TABLE sources (
    org         TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    entries     INTEGER NOT NULL,
    present     TEXT    NOT NULL, -- JSON
    last_run    BLOB,
    last_ok     INTEGER NOT NULL,
    cursor      BLOB,
    cursor_key  BLOB    NOT NULL,
    PRIMARY KEY (org, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE domains (
    name          TEXT    NOT NULL, -- ASCII form, lower case
    org           TEXT    NOT NULL,
    token         TEXT    NOT NULL,
    added_at      INTEGER NOT NULL,
    verified_at   INTEGER NOT NULL,
    checked_at    INTEGER NOT NULL,
    failing_since INTEGER NOT NULL,
    last_error    TEXT    NOT NULL,
    claimed       INTEGER NOT NULL,
    PRIMARY KEY (name, org)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX domains_claimed ON domains (name) WHERE claimed = 1;

CREATE TABLE leases (
    name       TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL, -- '' = given back
    token      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revisions (
    id   TEXT    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL,
    text TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Without figures the planner takes a third of an organization for less than eight anchors. These are
-- of the right order from a hundred to millions of people; ANALYZE is never run, so plans never change.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('users', 'sqlite_autoindex_users_1', '1000000 1'),
    ('users', 'users_package', '1000000 500000 100000 1'),
    ('users', 'users_state', '10000 5000 2000 1'),
    ('users', 'users_email_domain', '1000000 500000 100000 1'),
    ('users', 'users_due', '10000 5000 1 1'),
    ('users', 'users_pending', '10000 5000 1'),
    ('user_keys', 'user_keys', '2000000 1000000 500000 1'),
    ('user_terms', 'user_terms', '2000000 1000000 500000 2 1'),
    ('links', 'links', '1000000 500000 250000 1 1'),
    ('links', 'links_anchor', '1000000 1 1 1'),
    ('link_sources', 'link_sources', '10 3 1'),
    ('events', 'sqlite_autoindex_events_1', '3000000 3 1'),
    ('events', 'events_run', '3000000 1000 1'),
    ('open_items', 'open_items', '10000 5000 2000 1 1'),
    ('open_items', 'open_items_id', '10000 5000 1'),
    ('open_items', 'open_items_ref', '10000 5000 1'),
    ('waiting', 'waiting', '10000 5000 2000 1'),
    ('waiting', 'waiting_package', '10000 5000 1000 1'),
    ('runs', 'sqlite_autoindex_runs_1', '10000 1'),
    ('runs', 'runs_source', '10000 5000 1000 1'),
    ('runs', 'runs_running', '2 1 1'),
    ('outcomes', 'sqlite_autoindex_outcomes_1', '1000000 10000 1');
ANALYZE sqlite_schema;
