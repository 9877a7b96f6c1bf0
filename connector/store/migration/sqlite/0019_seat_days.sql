-- since: 18
-- How full packages were on each day: what it was when it was counted last on it.
CREATE TABLE seat_days (
    org     TEXT    NOT NULL,
    package TEXT    NOT NULL,
    day     INTEGER NOT NULL, -- since 1970
    seats   INTEGER NOT NULL, -- -1 = unlimited
    used    INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    PRIMARY KEY (org, package, day)
) STRICT, WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('seat_days', 'seat_days', '100000 5000 400 1');
ANALYZE sqlite_schema;
