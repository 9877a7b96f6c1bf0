-- What clients that push list, sort and count: their organization's live users, and their own groups. The state
-- stands in the indexes so that whoever counts need not read the users. Telephone numbers, managers and that
-- somebody has no display name are added to user_terms by the program, which alone can fold (kind: 5 phone,
-- 6 manager).
CREATE INDEX users_live ON users (org, id, state) WHERE state NOT IN ('deleted', 'converted_away');
CREATE INDEX users_created ON users (org, created_at, id, state) WHERE state NOT IN ('deleted', 'converted_away');
CREATE INDEX users_updated ON users (org, updated_at, id, state) WHERE state NOT IN ('deleted', 'converted_away');
CREATE INDEX links_gone ON links (org, source, user_id) WHERE standing = 'gone';

ALTER TABLE groups ADD COLUMN version bigint NOT NULL DEFAULT 1; -- grows with each change, of members too
CREATE INDEX groups_client ON groups (org, source, id);
CREATE INDEX groups_folded ON groups (org, source, folded, id);
CREATE INDEX groups_created ON groups (org, source, created_at, id);
CREATE INDEX groups_updated ON groups (org, source, updated_at, id);
