-- By which clients of sources that push prove who they are. The tokens themselves are not here.
CREATE TABLE tokens (
    id         bytea NOT NULL PRIMARY KEY,
    org        text COLLATE "C" NOT NULL,
    source     text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL, -- token, secret, access
    hash       bytea NOT NULL, -- SHA-256
    name       text COLLATE "C" NOT NULL,
    scopes     text COLLATE "C" NOT NULL, -- with a blank between them
    networks   text COLLATE "C" NOT NULL, -- with a blank between them
    parent     bytea,             -- the secret that an access token was given out for
    created_at bigint NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    ends_at    bigint NOT NULL, -- 0 = never
    used_at    bigint NOT NULL,
    revoked_at bigint NOT NULL,
    revoked_by text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_kind ON tokens (kind, ends_at);
CREATE INDEX tokens_parent ON tokens (parent) WHERE parent IS NOT NULL;

-- A number that grows when what a daemon remembers of tokens is not true any more: another process may revoke one.
CREATE TABLE token_revision (
    one      bigint NOT NULL PRIMARY KEY CHECK (one = 1),
    revision bigint NOT NULL
);
INSERT INTO token_revision (one, revision) VALUES (1, 0);
