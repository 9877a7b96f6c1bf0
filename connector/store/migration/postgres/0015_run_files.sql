-- since: 14
-- The files of runs that wait for approval, in parts: what was approved is what is read then.
CREATE TABLE run_files (
    org  text COLLATE "C" NOT NULL,
    run  bytea  NOT NULL,
    part bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    body bytea  NOT NULL, -- deflate (RFC 1951)
    PRIMARY KEY (org, run, part)
);
