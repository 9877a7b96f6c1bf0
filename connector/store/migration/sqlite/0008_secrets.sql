-- What the daemons of a store have to know alike and nobody else: keys that they make themselves.
CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY, -- what it is for
    value BLOB NOT NULL
) STRICT;
