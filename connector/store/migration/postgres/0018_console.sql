-- since: 17
-- Browsers in which administrators have signed in. The value of the cookie is not kept, only its hash.
CREATE TABLE sessions (
    hash       bytea  NOT NULL PRIMARY KEY,
    provider   text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    groups     text COLLATE "C" NOT NULL, -- JSON
    address    text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    used_at    bigint NOT NULL,
    fresh_at   bigint NOT NULL,
    until      bigint NOT NULL
);
CREATE INDEX sessions_until ON sessions (until);

-- How often something was tried of late: signing in by a name, or from an address.
CREATE TABLE tries (
    key   text COLLATE "C" NOT NULL PRIMARY KEY,
    n     bigint NOT NULL,
    until bigint NOT NULL -- it is forgotten then
);
CREATE INDEX tries_until ON tries (until);

-- Keys of forms that were used: each is good once.
CREATE TABLE form_keys (
    hash  bytea  NOT NULL PRIMARY KEY,
    until bigint NOT NULL
);
CREATE INDEX form_keys_until ON form_keys (until);
