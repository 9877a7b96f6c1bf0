-- Requests of SCIM clients stand in blocks: one row for some of one client that follow each other. What each was about
-- and how it was answered is told in short before the block itself, so that most need not be read.
CREATE TABLE request_blocks (
    org    TEXT NOT NULL,
    source TEXT NOT NULL,
    last   BLOB NOT NULL, -- id of its latest request
    about  BLOB NOT NULL,
    data   BLOB NOT NULL,
    PRIMARY KEY (org, source, last)
) STRICT;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('request_blocks', 'sqlite_autoindex_request_blocks_1', '100000 50000 10000 1');
DELETE FROM sqlite_stat1 WHERE tbl = 'requests';
ANALYZE sqlite_schema;
