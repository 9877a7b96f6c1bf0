-- since: 19
-- What the console counts and lists: failures seen of late by reason, runs by day, revisions by time.
CREATE INDEX open_items_seen ON open_items (org, last_seen, code, reason);
CREATE INDEX runs_finished ON runs (org, finished, source, result) WHERE finished > 0;
CREATE INDEX revisions_at ON revisions (at, id);
