-- Which steps somebody must know at least who is to work with this one; 0 = the step itself.
ALTER TABLE migrations ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
