-- What SCIM clients have asked and got. The ids grow, so the latest requests of a client, of a person or with a
-- status stand at one end of an index.
CREATE TABLE requests (
    org       TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    id        BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    method    TEXT    NOT NULL,
    path      TEXT    NOT NULL,
    query     TEXT    NOT NULL,
    status    INTEGER NOT NULL,
    scim_type TEXT    NOT NULL,
    person    TEXT    NOT NULL,
    folded    TEXT    NOT NULL,
    user_id   BLOB,
    took      INTEGER NOT NULL, -- microseconds
    profile   TEXT    NOT NULL,
    quirks    TEXT    NOT NULL, -- ids with blanks between
    ref       TEXT    NOT NULL,
    bytes_in  INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    remote    TEXT    NOT NULL,
    PRIMARY KEY (org, source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_status ON requests (org, source, status, id);
CREATE INDEX requests_person ON requests (org, source, folded, id) WHERE folded <> '';
CREATE INDEX requests_user ON requests (org, source, user_id, id) WHERE user_id IS NOT NULL;

CREATE TABLE request_bodies (
    org      TEXT NOT NULL,
    source   TEXT NOT NULL,
    id       BLOB NOT NULL,
    asked    BLOB,
    answered BLOB,
    PRIMARY KEY (org, source, id)
) STRICT;

-- How often a client needed which leniency.
CREATE TABLE request_quirks (
    org    TEXT    NOT NULL,
    source TEXT    NOT NULL,
    quirk  TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    PRIMARY KEY (org, source, quirk)
) STRICT, WITHOUT ROWID;

-- The dialect that a client was recognised to speak.
CREATE TABLE client_profiles (
    org     TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    profile TEXT    NOT NULL,
    why     TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (org, source)
) STRICT, WITHOUT ROWID;

-- Signed assertions that have been used, so that nobody uses one twice while it is valid.
CREATE TABLE used_assertions (
    org    TEXT    NOT NULL,
    source TEXT    NOT NULL,
    hash   BLOB    NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (org, source, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_assertions_until ON used_assertions (until);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('requests', 'requests', '10000000 5000000 1000000 1'),
    ('requests', 'requests_status', '10000000 5000000 1000000 100000 1'),
    ('requests', 'requests_person', '8000000 4000000 1000000 20 1'),
    ('requests', 'requests_user', '8000000 4000000 1000000 20 1'),
    ('request_bodies', 'sqlite_autoindex_request_bodies_1', '100000 100000 50000 1'),
    ('request_quirks', 'request_quirks', '100 50 10 1'),
    ('client_profiles', 'client_profiles', '10 2 1'),
    ('used_assertions', 'used_assertions', '1000 500 500 1'),
    ('used_assertions', 'used_assertions_until', '1000 1');
ANALYZE sqlite_schema;
