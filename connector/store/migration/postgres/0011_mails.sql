-- since: 10
-- The outbox: a mail is written with the decision that causes it, and sent afterwards. The ids grow, so the latest stand at
-- one end.
CREATE TABLE mails (
    org      text COLLATE "C" NOT NULL,
    id       bytea NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    address  text COLLATE "C" NOT NULL,
    folded   text COLLATE "C" NOT NULL,
    language text COLLATE "C" NOT NULL,
    about    bytea,
    said     text COLLATE "C" NOT NULL, -- JSON: what the text has places for
    link     bytea,
    state    text COLLATE "C" NOT NULL, -- asked, waiting, sent or failed
    at       bigint NOT NULL,
    due      bigint NOT NULL, -- of one that is waiting: when it is tried
    attempts bigint NOT NULL,
    code     bigint NOT NULL, -- of the mail server, 0 = no answer
    answer   text COLLATE "C" NOT NULL,
    done_at  bigint NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX mails_state ON mails (org, state, id);
CREATE INDEX mails_address ON mails (org, folded, id);
CREATE INDEX mails_due ON mails (due, id) WHERE state = 'waiting';
CREATE INDEX mails_asked ON mails (due, id) WHERE state = 'asked';
CREATE INDEX mails_done ON mails (done_at) WHERE done_at > 0;

-- Links that were sent by mail. Their tokens are signed and not kept.
CREATE TABLE mail_links (
    org     text COLLATE "C" NOT NULL,
    id      bytea NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    subject bytea NOT NULL,
    email   text COLLATE "C" NOT NULL,
    until   bigint NOT NULL,
    used_at bigint NOT NULL, -- 0 = it is not
    PRIMARY KEY (org, id)
);
CREATE INDEX mail_links_subject ON mail_links (org, kind, subject, id);
CREATE INDEX mail_links_until ON mail_links (until);
