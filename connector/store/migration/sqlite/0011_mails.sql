-- since: 10
-- The outbox: a mail is written with the decision that causes it, and sent afterwards. The ids grow, so the latest stand at
-- one end.
CREATE TABLE mails (
    org      TEXT    NOT NULL,
    id       BLOB    NOT NULL,
    kind     TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    folded   TEXT    NOT NULL,
    language TEXT    NOT NULL,
    about    BLOB,
    said     TEXT    NOT NULL, -- JSON: what the text has places for
    link     BLOB,
    state    TEXT    NOT NULL, -- asked, waiting, sent or failed
    at       INTEGER NOT NULL,
    due      INTEGER NOT NULL, -- of one that is waiting: when it is tried
    attempts INTEGER NOT NULL,
    code     INTEGER NOT NULL, -- of the mail server, 0 = no answer
    answer   TEXT    NOT NULL,
    done_at  INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mails_state ON mails (org, state, id);
CREATE INDEX mails_address ON mails (org, folded, id);
CREATE INDEX mails_due ON mails (due, id) WHERE state = 'waiting';
CREATE INDEX mails_asked ON mails (due, id) WHERE state = 'asked';
CREATE INDEX mails_done ON mails (done_at) WHERE done_at > 0;

-- Links that were sent by mail. Their tokens are signed and not kept.
CREATE TABLE mail_links (
    org     TEXT    NOT NULL,
    id      BLOB    NOT NULL,
    kind    TEXT    NOT NULL,
    subject BLOB    NOT NULL,
    email   TEXT    NOT NULL,
    until   INTEGER NOT NULL,
    used_at INTEGER NOT NULL, -- 0 = it is not
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_links_subject ON mail_links (org, kind, subject, id);
CREATE INDEX mail_links_until ON mail_links (until);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('mails', 'mails', '1000000 500000 1'),
    ('mails', 'mails_state', '1000000 500000 200000 1'),
    ('mails', 'mails_address', '1000000 500000 3 1'),
    ('mails', 'mails_due', '1000 2 1'),
    ('mails', 'mails_asked', '1000 2 1'),
    ('mails', 'mails_done', '1000000 2'),
    ('mail_links', 'mail_links', '1000000 500000 1'),
    ('mail_links', 'mail_links_subject', '1000000 500000 200000 3 1'),
    ('mail_links', 'mail_links_until', '1000000 2');
ANALYZE sqlite_schema;
