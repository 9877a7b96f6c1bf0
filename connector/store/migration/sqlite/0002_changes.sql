-- When a person's state becomes another one by the clock alone, and what runs of changes have taken away of late.
ALTER TABLE links ADD COLUMN recheck_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX links_recheck ON links (org, source, recheck_at) WHERE recheck_at > 0;
ALTER TABLE sources ADD COLUMN removed TEXT NOT NULL DEFAULT '[]'; -- JSON
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('links', 'links_recheck', '10000 5000 2000 1');
ANALYZE sqlite_schema;
