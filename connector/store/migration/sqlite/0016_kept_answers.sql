-- since: 15
-- What requests to the API were answered, for a day: one that comes again under its key is not carried out again.
CREATE TABLE kept_answers (
    org     TEXT    NOT NULL,
    token   BLOB    NOT NULL,
    key     BLOB    NOT NULL,
    request BLOB    NOT NULL,
    begun   INTEGER NOT NULL,
    sealed  BLOB    NOT NULL, -- empty while the work goes on; the token is needed to read it
    PRIMARY KEY (org, token, key)
) STRICT;
CREATE INDEX kept_answers_begun ON kept_answers (begun);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('kept_answers', 'sqlite_autoindex_kept_answers_1', '10000 5000 1000 1'),
    ('kept_answers', 'kept_answers_begun', '10000 1');
ANALYZE sqlite_schema;
