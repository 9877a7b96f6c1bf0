-- since: 17
-- People whom an administrator has chosen for one thing: shown before it is done, and forgotten after a while.
CREATE TABLE selections (
    id     bytea  NOT NULL PRIMARY KEY,
    org    text COLLATE "C" NOT NULL,
    actor  text COLLATE "C" NOT NULL,
    deed   text COLLATE "C" NOT NULL,
    users  bytea  NOT NULL, -- their ids, one after the other
    until  bigint NOT NULL,
    begun  bigint NOT NULL, -- when it was carried out, 0 = not yet
    result text COLLATE "C" NOT NULL  -- JSON, '' = not known yet
);
CREATE INDEX selections_until ON selections (until);
