-- since: 18
-- How full packages were on each day: what it was when it was counted last on it.
CREATE TABLE seat_days (
    org     text COLLATE "C" NOT NULL,
    package text COLLATE "C" NOT NULL,
    day     bigint NOT NULL, -- since 1970
    seats   bigint NOT NULL, -- -1 = unlimited
    used    bigint NOT NULL,
    waiting bigint NOT NULL,
    PRIMARY KEY (org, package, day)
);
