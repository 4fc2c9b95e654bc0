ALTER TABLE users ADD COLUMN tentative BOOLEAN NOT NULL DEFAULT false;
--bun:split
UPDATE users SET tentative = true WHERE last_sign_in = 0
  AND NOT EXISTS (SELECT 1 FROM identifiers i WHERE i.user_id = users.id AND i.verified_at > 0);
--bun:split
CREATE INDEX users_tentative ON users (tenant, created_at) WHERE tentative;
