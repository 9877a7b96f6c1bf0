-- By which clients of sources that push prove who they are. The tokens themselves are not here.
CREATE TABLE tokens (
    id         BLOB    NOT NULL PRIMARY KEY,
    org        TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    kind       TEXT    NOT NULL, -- token, secret, access
    hash       BLOB    NOT NULL, -- SHA-256
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL, -- with a blank between them
    networks   TEXT    NOT NULL, -- with a blank between them
    parent     BLOB,             -- the secret that an access token was given out for
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    ends_at    INTEGER NOT NULL, -- 0 = never
    used_at    INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    revoked_by TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_kind ON tokens (kind, ends_at);
CREATE INDEX tokens_parent ON tokens (parent) WHERE parent IS NOT NULL;

-- A number that grows when what a daemon remembers of tokens is not true any more: another process may revoke one.
CREATE TABLE token_revision (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO token_revision (one, revision) VALUES (1, 0);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('tokens', 'tokens_hash', '1000 1'),
    ('tokens', 'tokens_kind', '1000 300 1'),
    ('tokens', 'tokens_parent', '1000 20');
ANALYZE sqlite_schema;
