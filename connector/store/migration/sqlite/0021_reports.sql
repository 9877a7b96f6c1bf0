-- since: 17
-- Runs of which it is not decided yet whom to tell: how often they have ended since that was.
ALTER TABLE runs ADD COLUMN untold INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_untold ON runs (id) WHERE untold > 0;

-- What administrators are told of without asking, once for each of them. A notice stands in each of its deliveries.
CREATE TABLE report_deliveries (
    id       BLOB    NOT NULL PRIMARY KEY,
    notice   BLOB    NOT NULL,
    org      TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    said     TEXT    NOT NULL, -- JSON
    channel  TEXT    NOT NULL, -- mail or webhook
    target   TEXT    NOT NULL, -- its name in the configuration
    state    TEXT    NOT NULL, -- waiting, sent or failed
    due      INTEGER NOT NULL, -- of one that is waiting: when it is tried
    attempts INTEGER NOT NULL,
    code     INTEGER NOT NULL, -- of the receiver, 0 = no answer
    answer   TEXT    NOT NULL,
    done_at  INTEGER NOT NULL,
    mail     BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX report_deliveries_org ON report_deliveries (org, id);
CREATE INDEX report_deliveries_state ON report_deliveries (state, id);
CREATE INDEX report_deliveries_due ON report_deliveries (due, id) WHERE state = 'waiting';
CREATE INDEX report_deliveries_done ON report_deliveries (done_at) WHERE done_at > 0;

-- What was told, so that the same is not told again.
CREATE TABLE report_marks (
    org        TEXT    NOT NULL,
    topic      TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    suppressed INTEGER NOT NULL,
    PRIMARY KEY (org, topic)
) STRICT, WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('runs', 'runs_untold', '10 1'),
    ('report_deliveries', 'report_deliveries', '100000 1'),
    ('report_deliveries', 'report_deliveries_org', '100000 10000 1'),
    ('report_deliveries', 'report_deliveries_state', '100000 30000 1'),
    ('report_deliveries', 'report_deliveries_due', '100 2 1'),
    ('report_deliveries', 'report_deliveries_done', '100000 2'),
    ('report_marks', 'report_marks', '1000 100 1');
ANALYZE sqlite_schema;
