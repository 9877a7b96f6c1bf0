-- What is good for one use, for a while: the request that a browser has gone away with, the code with which an
-- application asks who has come back. Only hashes of the secrets are kept.
CREATE TABLE tickets (
    org    text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    kind   text COLLATE "C" NOT NULL,
    hash   bytea NOT NULL,
    until  bigint NOT NULL,
    data   bytea NOT NULL,
    PRIMARY KEY (org, source, kind, hash)
);
CREATE INDEX tickets_until ON tickets (until);

-- Who has tried to sign in, and how far it went. The ids grow, so the latest stand at one end.
CREATE TABLE sign_ins (
    org     text COLLATE "C" NOT NULL,
    source  text COLLATE "C" NOT NULL,
    id      bytea NOT NULL,
    at      bigint NOT NULL,
    code    bigint NOT NULL, -- 0 = signed in
    reason  text COLLATE "C" NOT NULL,
    person  text COLLATE "C" NOT NULL,
    folded  text COLLATE "C" NOT NULL,
    user_id bytea,
    ref     text COLLATE "C" NOT NULL,
    remote  text COLLATE "C" NOT NULL,
    took    bigint NOT NULL, -- microseconds
    steps   text COLLATE "C" NOT NULL, -- JSON
    PRIMARY KEY (org, source, id)
);
CREATE INDEX sign_ins_person ON sign_ins (org, source, folded, id) WHERE folded <> '';
