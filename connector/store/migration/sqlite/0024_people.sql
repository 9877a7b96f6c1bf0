-- since: 17
-- People with open failures, and sign-ins by the reference that a person was shown.
CREATE INDEX open_items_user ON open_items (org, user_id, reason) WHERE user_id IS NOT NULL;
CREATE INDEX sign_ins_ref ON sign_ins (org, source, ref, id) WHERE ref <> '';

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('open_items', 'open_items_user', '5000 2500 2 1'),
    ('sign_ins', 'sign_ins_ref', '100000 50000 20000 5 1');
ANALYZE sqlite_schema;
