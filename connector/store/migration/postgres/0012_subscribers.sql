-- People whom upstream systems have announced under templates, or who came by themselves. The ids grow.
CREATE TABLE subscribers (
    org         text COLLATE "C" NOT NULL,
    template    text COLLATE "C" NOT NULL,
    name_key    text COLLATE "C" NOT NULL, -- the subscriber id, folded
    id          bytea NOT NULL,
    name        text COLLATE "C" NOT NULL,
    announced   bigint NOT NULL,
    profile     bytea NOT NULL, -- JSON
    given       bytea NOT NULL, -- JSON
    package     text COLLATE "C" NOT NULL,
    status      text COLLATE "C" NOT NULL,
    said_key    text COLLATE "C" NOT NULL, -- the announced address, folded; '' = none
    email       text COLLATE "C" NOT NULL,
    email_key   text COLLATE "C" NOT NULL, -- email, folded
    language    text COLLATE "C" NOT NULL, -- of mails
    proven_at   bigint NOT NULL,
    links_since bigint NOT NULL,
    user_id     bytea,
    reason      text COLLATE "C" NOT NULL, -- of the failure; '' = there is none
    failure     text COLLATE "C" NOT NULL, -- JSON
    tries       bigint NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (org, template, name_key)
);
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
    org        text COLLATE "C" NOT NULL,
    subscriber bytea NOT NULL,
    id         bytea NOT NULL,
    at         bigint NOT NULL,
    what       text COLLATE "C" NOT NULL,
    actor      text COLLATE "C" NOT NULL,
    status     text COLLATE "C" NOT NULL,
    email      text COLLATE "C" NOT NULL,
    code       bigint NOT NULL,
    reason     text COLLATE "C" NOT NULL,
    detail     text COLLATE "C" NOT NULL,
    ref        text COLLATE "C" NOT NULL,
    PRIMARY KEY (org, subscriber, id)
);
