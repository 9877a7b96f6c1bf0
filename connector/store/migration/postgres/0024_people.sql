-- since: 17
-- People with open failures, and sign-ins by the reference that a person was shown.
CREATE INDEX open_items_user ON open_items (org, user_id, reason) WHERE user_id IS NOT NULL;
CREATE INDEX sign_ins_ref ON sign_ins (org, source, ref, id) WHERE ref <> '';
