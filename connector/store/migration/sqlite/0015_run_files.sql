-- since: 14
-- The files of runs that wait for approval, in parts: what was approved is what is read then.
CREATE TABLE run_files (
    org  TEXT    NOT NULL,
    run  BLOB    NOT NULL,
    part INTEGER NOT NULL,
    name TEXT    NOT NULL,
    body BLOB    NOT NULL, -- deflate (RFC 1951)
    PRIMARY KEY (org, run, part)
) STRICT;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('run_files', 'sqlite_autoindex_run_files_1', '1000 500 100 1');
ANALYZE sqlite_schema;
