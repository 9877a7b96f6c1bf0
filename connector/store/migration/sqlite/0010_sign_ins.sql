-- What is good for one use, for a while: the request that a browser has gone away with, the code with which an
-- application asks who has come back. Only hashes of the secrets are kept.
CREATE TABLE tickets (
    org    TEXT    NOT NULL,
    source TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    hash   BLOB    NOT NULL,
    until  INTEGER NOT NULL,
    data   BLOB    NOT NULL,
    PRIMARY KEY (org, source, kind, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_until ON tickets (until);

-- Who has tried to sign in, and how far it went. The ids grow, so the latest stand at one end.
CREATE TABLE sign_ins (
    org     TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    id      BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    code    INTEGER NOT NULL, -- 0 = signed in
    reason  TEXT    NOT NULL,
    person  TEXT    NOT NULL,
    folded  TEXT    NOT NULL,
    user_id BLOB,
    ref     TEXT    NOT NULL,
    remote  TEXT    NOT NULL,
    took    INTEGER NOT NULL, -- microseconds
    steps   TEXT    NOT NULL, -- JSON
    PRIMARY KEY (org, source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_person ON sign_ins (org, source, folded, id) WHERE folded <> '';

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('tickets', 'tickets', '1000 500 500 250 1'),
    ('tickets', 'tickets_until', '1000 1'),
    ('sign_ins', 'sign_ins', '1000000 500000 200000 1'),
    ('sign_ins', 'sign_ins_person', '1000000 500000 200000 20 1');
ANALYZE sqlite_schema;
