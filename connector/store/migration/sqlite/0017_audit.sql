-- since: 16
-- What people have done: a chain for each organization, see connector.AuditEntry. Nothing is ever taken out.
CREATE TABLE audit (
    org     TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    address TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    details TEXT    NOT NULL, -- JSON
    reason  TEXT    NOT NULL,
    ref     TEXT    NOT NULL,
    hash    BLOB    NOT NULL,
    PRIMARY KEY (org, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_actor ON audit (org, actor, seq);
CREATE INDEX audit_target ON audit (org, target, seq);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('audit', 'audit', '1000000 500000 1'),
    ('audit', 'audit_actor', '1000000 500000 50000 1'),
    ('audit', 'audit_target', '1000000 500000 3 1');
ANALYZE sqlite_schema;
