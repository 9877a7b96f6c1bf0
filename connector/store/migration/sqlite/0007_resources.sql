-- What clients that push list, sort and count: their organization's live users, and their own groups. The state
-- stands in the indexes so that whoever counts need not read the users. Telephone numbers, managers and that
-- somebody has no display name are added to user_terms by the program, which alone can fold (kind: 5 phone,
-- 6 manager).
CREATE INDEX users_live ON users (org, id, state) WHERE state NOT IN ('deleted', 'converted_away');
CREATE INDEX users_created ON users (org, created_at, id, state) WHERE state NOT IN ('deleted', 'converted_away');
CREATE INDEX users_updated ON users (org, updated_at, id, state) WHERE state NOT IN ('deleted', 'converted_away');
CREATE INDEX links_gone ON links (org, source, user_id) WHERE standing = 'gone';

ALTER TABLE groups ADD COLUMN version INTEGER NOT NULL DEFAULT 1; -- grows with each change, of members too
CREATE INDEX groups_client ON groups (org, source, id);
CREATE INDEX groups_folded ON groups (org, source, folded, id);
CREATE INDEX groups_created ON groups (org, source, created_at, id);
CREATE INDEX groups_updated ON groups (org, source, updated_at, id);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('users', 'users_live', '1000000 500000 1 1'),
    ('users', 'users_created', '1000000 500000 100 1 1'),
    ('users', 'users_updated', '1000000 500000 10 1 1'),
    ('links', 'links_gone', '10000 5000 2000 1'),
    ('groups', 'groups_client', '10000 5000 2600 1'),
    ('groups', 'groups_folded', '10000 5000 2600 1 1'),
    ('groups', 'groups_created', '10000 5000 2600 10 1'),
    ('groups', 'groups_updated', '10000 5000 2600 1 1');
ANALYZE sqlite_schema;
