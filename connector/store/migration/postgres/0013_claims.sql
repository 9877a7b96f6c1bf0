-- Users whom one organization has claimed from another. While a claim is open, data holds what the new organization is
-- not shown yet.
CREATE TABLE claims (
    org        text COLLATE "C" NOT NULL, -- that claims
    id         bytea NOT NULL,
    user_id    bytea NOT NULL,
    from_org   text COLLATE "C" NOT NULL,
    from_user  bytea NOT NULL,
    email      text COLLATE "C" NOT NULL,
    folded     text COLLATE "C" NOT NULL,
    was        text COLLATE "C" NOT NULL,
    actor      text COLLATE "C" NOT NULL,
    at         bigint NOT NULL,
    until      bigint NOT NULL,
    next_at    bigint NOT NULL, -- 0 = the claim is not open
    status     text COLLATE "C" NOT NULL,
    choice     text COLLATE "C" NOT NULL,
    decided_at bigint NOT NULL,
    decided_by text COLLATE "C" NOT NULL,
    kept       bytea,
    kept_email text COLLATE "C" NOT NULL,
    package    text COLLATE "C" NOT NULL, -- of the old account
    data       bytea,            -- JSON
    PRIMARY KEY (org, id)
);
CREATE INDEX claims_user ON claims (org, user_id);
CREATE INDEX claims_due ON claims (org, next_at) WHERE next_at > 0;
CREATE INDEX claims_lost ON claims (from_org, id);
CREATE INDEX claims_taken ON claims (from_org, folded);

-- The state of a claimed user before the claim, as long as that is open.
ALTER TABLE users ADD COLUMN was text COLLATE "C" NOT NULL DEFAULT '';

