-- When a person's state becomes another one by the clock alone, and what runs of changes have taken away of late.
ALTER TABLE links ADD COLUMN recheck_at bigint NOT NULL DEFAULT 0;
CREATE INDEX links_recheck ON links (org, source, recheck_at) WHERE recheck_at > 0;
ALTER TABLE sources ADD COLUMN removed text COLLATE "C" NOT NULL DEFAULT '[]'; -- JSON
