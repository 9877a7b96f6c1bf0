-- since: 17
-- People whom an administrator has chosen for one thing: shown before it is done, and forgotten after a while.
CREATE TABLE selections (
    id     BLOB    NOT NULL PRIMARY KEY,
    org    TEXT    NOT NULL,
    actor  TEXT    NOT NULL,
    deed   TEXT    NOT NULL,
    users  BLOB    NOT NULL, -- their ids, one after the other
    until  INTEGER NOT NULL,
    begun  INTEGER NOT NULL, -- when it was carried out, 0 = not yet
    result TEXT    NOT NULL  -- JSON, '' = not known yet
) STRICT, WITHOUT ROWID;
CREATE INDEX selections_until ON selections (until);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('selections', 'selections', '100 1'),
    ('selections', 'selections_until', '100 1 1');
ANALYZE sqlite_schema;
