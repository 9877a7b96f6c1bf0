-- since: 17
-- What an administrator was shown who tried what a sign-in would do, and how sign-ins ended, without such tests, for those who count them.
ALTER TABLE sign_ins ADD COLUMN test TEXT NOT NULL DEFAULT ''; -- JSON; '' = somebody signed in
CREATE INDEX sign_ins_ends ON sign_ins (org, source, id, code, reason) WHERE test = '';

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sign_ins', 'sign_ins_ends', '1000000 500000 200000 1 1 1');
ANALYZE sqlite_schema;
