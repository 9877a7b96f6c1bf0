-- Times are microseconds since 1970 in UTC, 0 = none. Ids are UUIDv7, 16 bytes. Folded columns are
-- filled by connector.Fold. Anchors are one byte of kind and then the raw bytes.

CREATE TABLE users (
    id                 bytea NOT NULL PRIMARY KEY,
    org                text COLLATE "C" NOT NULL,
    state              text COLLATE "C" NOT NULL,
    package            text COLLATE "C" NOT NULL,
    seat               text COLLATE "C" NOT NULL, -- package whose seat the user holds, '' = none
    email_domain       text COLLATE "C" NOT NULL, -- of the primary address, labels reversed: 'com.example.'
    package_fixed      bigint NOT NULL,
    pending_approval   bigint NOT NULL,
    version            bigint NOT NULL,
    created_at         bigint NOT NULL,
    updated_at         bigint NOT NULL,
    profile            bytea NOT NULL, -- JSON
    resume             text COLLATE "C" NOT NULL DEFAULT '',
    deactivated_by     text COLLATE "C" NOT NULL DEFAULT '',
    deactivated_source text COLLATE "C" NOT NULL DEFAULT '',
    deactivated_reason text COLLATE "C" NOT NULL DEFAULT '',
    deactivated_at     bigint NOT NULL DEFAULT 0,
    delete_at          bigint NOT NULL DEFAULT 0
);
CREATE INDEX users_package ON users (org, package, id) WHERE package <> '';
CREATE INDEX users_state ON users (org, state, id) WHERE state <> 'active';
CREATE INDEX users_email_domain ON users (org, email_domain, id);
CREATE INDEX users_due ON users (org, delete_at, id) WHERE delete_at > 0;
CREATE INDEX users_pending ON users (org, id) WHERE pending_approval = 1;

-- The names by which a live user is unique. kind: 1 userName, 2 email.
CREATE TABLE user_keys (
    org     text COLLATE "C" NOT NULL,
    kind    bigint NOT NULL,
    value   text COLLATE "C" NOT NULL,
    user_id bytea NOT NULL,
    PRIMARY KEY (org, kind, value)
);

-- Names that find a live user and need not be unique. kind: 3 employeeNumber, 4 displayName.
CREATE TABLE user_terms (
    org     text COLLATE "C" NOT NULL,
    kind    bigint NOT NULL,
    value   text COLLATE "C" NOT NULL,
    user_id bytea NOT NULL,
    PRIMARY KEY (org, kind, value, user_id)
);

CREATE TABLE user_counts (
    org   text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    n     bigint NOT NULL,
    PRIMARY KEY (org, state)
);

-- In order of the users, who are made one after the other: a run then writes few pages. Only the small
-- index of the anchors, which come in no order, is written all over.
CREATE TABLE links (
    org        text COLLATE "C" NOT NULL,
    source     text COLLATE "C" NOT NULL,
    anchor     bytea NOT NULL,
    user_id    bytea NOT NULL,
    hash       bytea NOT NULL,
    dn         text COLLATE "C" NOT NULL,
    standing   text COLLATE "C" NOT NULL,
    package    text COLLATE "C" NOT NULL,
    protected  bigint NOT NULL,
    run        bytea,
    updated_at bigint NOT NULL,
    profile    bytea,             -- JSON, NULL where the user's own profile is it
    PRIMARY KEY (org, source, user_id, anchor)
);
CREATE UNIQUE INDEX links_anchor ON links (anchor, source, org); -- what differs most first: it is compared least

-- The sources that have links: a user's links are found by asking each of them.
CREATE TABLE link_sources (
    org    text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    PRIMARY KEY (org, source)
);

CREATE TABLE events (
    user_id bytea NOT NULL,
    version bigint NOT NULL, -- of the user afterwards
    id      bytea NOT NULL,
    action  text COLLATE "C" NOT NULL,
    source  text COLLATE "C" NOT NULL,
    cause   text COLLATE "C" NOT NULL,
    run     bytea,
    actor   text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    doc     bytea NOT NULL, -- JSON: fields and transitions
    PRIMARY KEY (user_id, version)
);
CREATE INDEX events_run ON events (run, id) WHERE run IS NOT NULL;

CREATE TABLE packages (
    org     text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    seats   bigint NOT NULL, -- -1 = unlimited
    used    bigint NOT NULL,
    lowered bigint NOT NULL, -- the number of seats was set below use
    place   bigint NOT NULL, -- in the configuration, -1 = not there any more
    PRIMARY KEY (org, id)
);

-- person is the anchor, or where there is none a zero byte and the DN or subject.
CREATE TABLE open_items (
    org        text COLLATE "C" NOT NULL,
    source     text COLLATE "C" NOT NULL,
    person     bytea NOT NULL,
    reason     text COLLATE "C" NOT NULL,
    id         bytea NOT NULL,
    ref        text COLLATE "C" NOT NULL,
    code       bigint NOT NULL,
    fields     text COLLATE "C" NOT NULL, -- names with a line feed between them
    package    text COLLATE "C" NOT NULL,
    domain     text COLLATE "C" NOT NULL,
    detail     text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    folded     text COLLATE "C" NOT NULL,
    user_id    bytea,
    dn         text COLLATE "C" NOT NULL,
    at         bigint NOT NULL,
    first_seen bigint NOT NULL,
    last_seen  bigint NOT NULL,
    count      bigint NOT NULL,
    last_run   bytea,
    PRIMARY KEY (org, source, person, reason)
);
CREATE INDEX open_items_id ON open_items (org, id);
CREATE INDEX open_items_ref ON open_items (org, ref);

CREATE TABLE waiting (
    org     text COLLATE "C" NOT NULL,
    source  text COLLATE "C" NOT NULL,
    person  bytea NOT NULL,
    package text COLLATE "C" NOT NULL,
    id      bytea NOT NULL, -- grows: the place on the list
    since   bigint NOT NULL,
    record  bytea NOT NULL, -- JSON
    PRIMARY KEY (org, source, person)
);
CREATE INDEX waiting_package ON waiting (org, package, id);

CREATE TABLE runs (
    id       bytea NOT NULL PRIMARY KEY,
    org      text COLLATE "C" NOT NULL,
    source   text COLLATE "C" NOT NULL,
    result   text COLLATE "C" NOT NULL,
    finished bigint NOT NULL,
    held     bigint NOT NULL, -- something waits for approval
    doc      bytea NOT NULL  -- JSON
);
CREATE INDEX runs_source ON runs (org, source, id);
CREATE INDEX runs_running ON runs (org, source) WHERE result = 'running';

CREATE TABLE outcomes (
    run bytea NOT NULL,
    id  bytea NOT NULL, -- grows: the order in which they were kept
    doc bytea NOT NULL, -- JSON
    PRIMARY KEY (run, id)
);

CREATE TABLE sources (
    org         text COLLATE "C" NOT NULL,
    source      text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    entries     bigint NOT NULL,
    present     text COLLATE "C" NOT NULL, -- JSON
    last_run    bytea,
    last_ok     bigint NOT NULL,
    cursor      bytea,
    cursor_key  bytea NOT NULL,
    PRIMARY KEY (org, source)
);

CREATE TABLE domains (
    name          text COLLATE "C" NOT NULL, -- ASCII form, lower case
    org           text COLLATE "C" NOT NULL,
    token         text COLLATE "C" NOT NULL,
    added_at      bigint NOT NULL,
    verified_at   bigint NOT NULL,
    checked_at    bigint NOT NULL,
    failing_since bigint NOT NULL,
    last_error    text COLLATE "C" NOT NULL,
    claimed       bigint NOT NULL,
    PRIMARY KEY (name, org)
);
CREATE UNIQUE INDEX domains_claimed ON domains (name) WHERE claimed = 1;

CREATE TABLE leases (
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    holder     text COLLATE "C" NOT NULL, -- '' = given back
    token      bigint NOT NULL,
    expires_at bigint NOT NULL
);

CREATE TABLE revisions (
    id   text COLLATE "C" NOT NULL PRIMARY KEY,
    at   bigint NOT NULL,
    text text COLLATE "C" NOT NULL
);
