ALTER TABLE identifiers DROP COLUMN claimed;
