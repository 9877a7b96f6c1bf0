-- since: 17
-- Runs by the time of their end, the rollbacks of one by the run that they undo, and whom it did nothing to by the person: what is NULL
-- was written by a usherd that did not know of it.
ALTER TABLE runs ADD COLUMN undoes BLOB;
CREATE INDEX runs_undoes ON runs (undoes, id);
DROP INDEX runs_finished;
CREATE INDEX runs_finished ON runs (org, finished, id, source, result) WHERE finished > 0;
ALTER TABLE outcomes ADD COLUMN person BLOB;
CREATE INDEX outcomes_person ON outcomes (run, person);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('runs', 'runs_undoes', '20000 2000 1'),
    ('runs', 'runs_finished', '20000 10000 1 1 1 1'),
    ('outcomes', 'outcomes_person', '1000000 10000 1');
ANALYZE sqlite_schema;
