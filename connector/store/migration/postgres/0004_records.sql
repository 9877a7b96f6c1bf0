-- What sources have said, for replays: packed records under the SHA-256 of their contents, and when who said them.
CREATE TABLE record_blobs (
    org  text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (org, hash)
);

CREATE TABLE record_chunks (
    org     text COLLATE "C" NOT NULL,
    source  text COLLATE "C" NOT NULL,
    id      bytea NOT NULL, -- grows: the order in which they were said
    run     bytea,
    at      bigint NOT NULL,
    records bigint NOT NULL,
    hash    bytea NOT NULL,
    PRIMARY KEY (org, source, id)
);
CREATE INDEX record_chunks_hash ON record_chunks (org, hash);
