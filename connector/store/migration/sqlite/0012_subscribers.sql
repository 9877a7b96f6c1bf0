-- People whom upstream systems have announced under templates, or who came by themselves. The ids grow.
CREATE TABLE subscribers (
    org         TEXT    NOT NULL,
    template    TEXT    NOT NULL,
    name_key    TEXT    NOT NULL, -- the subscriber id, folded
    id          BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    announced   INTEGER NOT NULL,
    profile     BLOB    NOT NULL, -- JSON
    given       BLOB    NOT NULL, -- JSON
    package     TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    said_key    TEXT    NOT NULL, -- the announced address, folded; '' = none
    email       TEXT    NOT NULL,
    email_key   TEXT    NOT NULL, -- email, folded
    language    TEXT    NOT NULL, -- of mails
    proven_at   INTEGER NOT NULL,
    links_since INTEGER NOT NULL,
    user_id     BLOB,
    reason      TEXT    NOT NULL, -- of the failure; '' = there is none
    failure     TEXT    NOT NULL, -- JSON
    tries       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (org, template, name_key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX subscribers_id ON subscribers (org, id);
CREATE INDEX subscribers_template ON subscribers (org, template, id);
CREATE INDEX subscribers_status ON subscribers (org, template, status, id);
CREATE INDEX subscribers_open ON subscribers (org, id) WHERE status <> 'provisioned';
CREATE INDEX subscribers_user ON subscribers (org, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX subscribers_name ON subscribers (org, name_key, id);
CREATE INDEX subscribers_said ON subscribers (org, said_key, id) WHERE said_key <> '';
CREATE INDEX subscribers_email ON subscribers (org, email_key, id) WHERE email_key <> '';

-- What happened to each.
CREATE TABLE subscriber_events (
    org        TEXT    NOT NULL,
    subscriber BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    what       TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    code       INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    ref        TEXT    NOT NULL,
    PRIMARY KEY (org, subscriber, id)
) STRICT, WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('subscribers', 'subscribers', '1000000 500000 100000 1'),
    ('subscribers', 'subscribers_id', '1000000 500000 1'),
    ('subscribers', 'subscribers_template', '1000000 500000 100000 1'),
    ('subscribers', 'subscribers_status', '1000000 500000 100000 20000 1'),
    ('subscribers', 'subscribers_open', '10000 5000 1'),
    ('subscribers', 'subscribers_user', '1000000 500000 1'),
    ('subscribers', 'subscribers_name', '1000000 500000 1 1'),
    ('subscribers', 'subscribers_said', '1000000 500000 1 1'),
    ('subscribers', 'subscribers_email', '1000000 500000 1 1'),
    ('subscriber_events', 'subscriber_events', '5000000 2500000 5 1');
ANALYZE sqlite_schema;
