-- since: 19
-- What the console counts and lists: failures seen of late by reason, runs by day, revisions by time.
CREATE INDEX open_items_seen ON open_items (org, last_seen, code, reason);
CREATE INDEX runs_finished ON runs (org, finished, source, result) WHERE finished > 0;
CREATE INDEX revisions_at ON revisions (at, id);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
 ('open_items', 'open_items_seen', '10000 5000 2 1 1'),
 ('runs', 'runs_finished', '20000 10000 1 1 1'),
 ('revisions', 'revisions_at', '100 1 1');
ANALYZE sqlite_schema;
