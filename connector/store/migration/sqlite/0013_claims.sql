-- Users whom one organization has claimed from another. While a claim is open, data holds what the new organization is
-- not shown yet.
CREATE TABLE claims (
    org        TEXT    NOT NULL, -- that claims
    id         BLOB    NOT NULL,
    user_id    BLOB    NOT NULL,
    from_org   TEXT    NOT NULL,
    from_user  BLOB    NOT NULL,
    email      TEXT    NOT NULL,
    folded     TEXT    NOT NULL,
    was        TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    next_at    INTEGER NOT NULL, -- 0 = the claim is not open
    status     TEXT    NOT NULL,
    choice     TEXT    NOT NULL,
    decided_at INTEGER NOT NULL,
    decided_by TEXT    NOT NULL,
    kept       BLOB,
    kept_email TEXT    NOT NULL,
    package    TEXT    NOT NULL, -- of the old account
    data       BLOB,             -- JSON
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_user ON claims (org, user_id);
CREATE INDEX claims_due ON claims (org, next_at) WHERE next_at > 0;
CREATE INDEX claims_lost ON claims (from_org, id);
CREATE INDEX claims_taken ON claims (from_org, folded);

-- The state of a claimed user before the claim, as long as that is open.
ALTER TABLE users ADD COLUMN was TEXT NOT NULL DEFAULT '';

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('claims', 'claims', '10000 5000 1'),
    ('claims', 'claims_user', '10000 5000 1 1'),
    ('claims', 'claims_due', '1000 500 1 1'),
    ('claims', 'claims_lost', '10000 5000 1 1'),
    ('claims', 'claims_taken', '10000 5000 1 1 1');
ANALYZE sqlite_schema;
