-- since: 17
-- Runs by the time of their end, the rollbacks of one by the run that they undo, and whom it did nothing to by the person: what is NULL
-- was written by a usherd that did not know of it.
ALTER TABLE runs ADD COLUMN undoes bytea;
CREATE INDEX runs_undoes ON runs (undoes, id);
DROP INDEX runs_finished;
CREATE INDEX runs_finished ON runs (org, finished, id, source, result) WHERE finished > 0;
ALTER TABLE outcomes ADD COLUMN person bytea;
CREATE INDEX outcomes_person ON outcomes (run, person);
