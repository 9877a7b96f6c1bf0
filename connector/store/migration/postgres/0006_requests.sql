-- What SCIM clients have asked and got. The ids grow, so the latest requests of a client, of a person or with a
-- status stand at one end of an index.
CREATE TABLE requests (
    org       text COLLATE "C" NOT NULL,
    source    text COLLATE "C" NOT NULL,
    id        bytea NOT NULL,
    at        bigint NOT NULL,
    method    text COLLATE "C" NOT NULL,
    path      text COLLATE "C" NOT NULL,
    query     text COLLATE "C" NOT NULL,
    status    bigint NOT NULL,
    scim_type text COLLATE "C" NOT NULL,
    person    text COLLATE "C" NOT NULL,
    folded    text COLLATE "C" NOT NULL,
    user_id   bytea,
    took      bigint NOT NULL, -- microseconds
    profile   text COLLATE "C" NOT NULL,
    quirks    text COLLATE "C" NOT NULL, -- ids with blanks between
    ref       text COLLATE "C" NOT NULL,
    bytes_in  bigint NOT NULL,
    bytes_out bigint NOT NULL,
    remote    text COLLATE "C" NOT NULL,
    PRIMARY KEY (org, source, id)
);
CREATE INDEX requests_status ON requests (org, source, status, id);
CREATE INDEX requests_person ON requests (org, source, folded, id) WHERE folded <> '';
CREATE INDEX requests_user ON requests (org, source, user_id, id) WHERE user_id IS NOT NULL;

CREATE TABLE request_bodies (
    org      text COLLATE "C" NOT NULL,
    source   text COLLATE "C" NOT NULL,
    id       bytea NOT NULL,
    asked    bytea,
    answered bytea,
    PRIMARY KEY (org, source, id)
);

-- How often a client needed which leniency.
CREATE TABLE request_quirks (
    org    text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    quirk  text COLLATE "C" NOT NULL,
    n      bigint NOT NULL,
    first  bigint NOT NULL,
    last   bigint NOT NULL,
    PRIMARY KEY (org, source, quirk)
);

-- The dialect that a client was recognised to speak.
CREATE TABLE client_profiles (
    org     text COLLATE "C" NOT NULL,
    source  text COLLATE "C" NOT NULL,
    profile text COLLATE "C" NOT NULL,
    why     text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    PRIMARY KEY (org, source)
);

-- Signed assertions that have been used, so that nobody uses one twice while it is valid.
CREATE TABLE used_assertions (
    org    text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    hash   bytea NOT NULL,
    until  bigint NOT NULL,
    PRIMARY KEY (org, source, hash)
);
CREATE INDEX used_assertions_until ON used_assertions (until);
