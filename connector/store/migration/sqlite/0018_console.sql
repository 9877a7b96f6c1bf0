-- since: 17
-- Browsers in which administrators have signed in. The value of the cookie is not kept, only its hash.
CREATE TABLE sessions (
    hash       BLOB    NOT NULL PRIMARY KEY,
    provider   TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    groups     TEXT    NOT NULL, -- JSON
    address    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    fresh_at   INTEGER NOT NULL,
    until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_until ON sessions (until);

-- How often something was tried of late: signing in by a name, or from an address.
CREATE TABLE tries (
    key   TEXT    NOT NULL PRIMARY KEY,
    n     INTEGER NOT NULL,
    until INTEGER NOT NULL -- it is forgotten then
) STRICT, WITHOUT ROWID;
CREATE INDEX tries_until ON tries (until);

-- Keys of forms that were used: each is good once.
CREATE TABLE form_keys (
    hash  BLOB    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX form_keys_until ON form_keys (until);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sessions', 'sessions', '100 1'),
    ('sessions', 'sessions_until', '100 1 1'),
    ('tries', 'tries', '1000 1'),
    ('tries', 'tries_until', '1000 1 1'),
    ('form_keys', 'form_keys', '1000 1'),
    ('form_keys', 'form_keys_until', '1000 1 1');
ANALYZE sqlite_schema;
