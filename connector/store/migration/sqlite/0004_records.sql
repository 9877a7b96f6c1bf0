-- What sources have said, for replays: packed records under the SHA-256 of their contents, and when who said them.
CREATE TABLE record_blobs (
    org  TEXT NOT NULL,
    hash BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (org, hash)
) STRICT;

CREATE TABLE record_chunks (
    org     TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    id      BLOB    NOT NULL, -- grows: the order in which they were said
    run     BLOB,
    at      INTEGER NOT NULL,
    records INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    PRIMARY KEY (org, source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_chunks_hash ON record_chunks (org, hash);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('record_blobs', 'sqlite_autoindex_record_blobs_1', '10000 5000 1'),
    ('record_chunks', 'record_chunks', '10000 5000 2000 1'),
    ('record_chunks', 'record_chunks_hash', '10000 5000 2 1');
ANALYZE sqlite_schema;
