-- since: 17
-- What an administrator was shown who tried what a sign-in would do, and how sign-ins ended, without such tests, for those who count them.
ALTER TABLE sign_ins ADD COLUMN test text COLLATE "C" NOT NULL DEFAULT ''; -- JSON; '' = somebody signed in
CREATE INDEX sign_ins_ends ON sign_ins (org, source, id, code, reason) WHERE test = '';
