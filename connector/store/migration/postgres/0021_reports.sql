-- since: 17
-- Runs of which it is not decided yet whom to tell: how often they have ended since that was.
ALTER TABLE runs ADD COLUMN untold bigint NOT NULL DEFAULT 0;
CREATE INDEX runs_untold ON runs (id) WHERE untold > 0;

-- What administrators are told of without asking, once for each of them. A notice stands in each of its deliveries.
CREATE TABLE report_deliveries (
    id       bytea  NOT NULL PRIMARY KEY,
    notice   bytea  NOT NULL,
    org      text COLLATE "C" NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    said     text COLLATE "C" NOT NULL, -- JSON
    channel  text COLLATE "C" NOT NULL, -- mail or webhook
    target   text COLLATE "C" NOT NULL, -- its name in the configuration
    state    text COLLATE "C" NOT NULL, -- waiting, sent or failed
    due      bigint NOT NULL, -- of one that is waiting: when it is tried
    attempts bigint NOT NULL,
    code     bigint NOT NULL, -- of the receiver, 0 = no answer
    answer   text COLLATE "C" NOT NULL,
    done_at  bigint NOT NULL,
    mail     bytea
);
CREATE INDEX report_deliveries_org ON report_deliveries (org, id);
CREATE INDEX report_deliveries_state ON report_deliveries (state, id);
CREATE INDEX report_deliveries_due ON report_deliveries (due, id) WHERE state = 'waiting';
CREATE INDEX report_deliveries_done ON report_deliveries (done_at) WHERE done_at > 0;

-- What was told, so that the same is not told again.
CREATE TABLE report_marks (
    org        text COLLATE "C" NOT NULL,
    topic      text COLLATE "C" NOT NULL,
    value      text COLLATE "C" NOT NULL,
    at         bigint NOT NULL,
    suppressed bigint NOT NULL,
    PRIMARY KEY (org, topic)
);
