-- Requests of SCIM clients stand in blocks: one row for some of one client that follow each other. What each was about
-- and how it was answered is told in short before the block itself, so that most need not be read.
CREATE TABLE request_blocks (
    org    text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    last   bytea NOT NULL, -- id of its latest request
    about  bytea NOT NULL,
    data   bytea NOT NULL,
    PRIMARY KEY (org, source, last)
);
