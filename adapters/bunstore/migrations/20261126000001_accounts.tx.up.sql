ALTER TABLE challenges ADD COLUMN extra {{.JSON}} NOT NULL DEFAULT '';
--bun:split
ALTER TABLE messages ADD COLUMN notice {{.JSON}} NOT NULL DEFAULT '';
--bun:split
ALTER TABLE users ADD COLUMN invited_by {{.Text}} NOT NULL DEFAULT '';
--bun:split
ALTER TABLE users ADD COLUMN reset_at BIGINT NOT NULL DEFAULT 0;
--bun:split
ALTER TABLE identifiers ADD COLUMN claimed {{.Text}} NOT NULL DEFAULT '';
--bun:split
CREATE INDEX users_tenant ON users (tenant, id);
--bun:split
ALTER TABLE sign_ins ADD COLUMN step {{.Text}} NOT NULL DEFAULT '';
--bun:split
ALTER TABLE sign_ins ADD COLUMN draft {{.JSON}} NOT NULL DEFAULT '';
--bun:split
CREATE INDEX events_tenant ON events (tenant, id);
--bun:split
CREATE TABLE identifier_changes (
  tenant        {{.Text}} NOT NULL,
  user_id       {{.Text}} NOT NULL,
  kind          {{.Text}} NOT NULL,
  value         {{.Text}} NOT NULL,
  id            {{.Text}} NOT NULL,
  replaces      {{.Text}} NOT NULL,
  needs_current BOOLEAN NOT NULL,
  new_at        BIGINT NOT NULL,
  current_at    BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  PRIMARY KEY (tenant, user_id, kind)
) {{.Cool}};
--bun:split
CREATE TABLE passwords (
  tenant     {{.Text}} NOT NULL,
  user_id    {{.Text}} NOT NULL,
  hash       {{.Text}} NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, user_id)
) {{.Cool}};
--bun:split
CREATE TABLE invitations (
  id         {{.Text}} NOT NULL,
  tenant     {{.Text}} NOT NULL,
  kind       {{.Text}} NOT NULL,
  value      {{.Text}} NOT NULL,
  inviter    {{.Text}} NOT NULL,
  made_by    TEXT NOT NULL,
  locale     TEXT NOT NULL,
  return_to  TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  user_id    {{.Text}} NOT NULL,
  PRIMARY KEY (id)
) {{.Cool}};
--bun:split
CREATE INDEX invitations_tenant ON invitations (tenant, id);
--bun:split
CREATE INDEX invitations_inviter ON invitations (tenant, inviter, id);
--bun:split
CREATE TABLE api_keys (
  id           {{.Text}} NOT NULL,
  tenant       {{.Text}} NOT NULL,
  name         TEXT NOT NULL,
  scopes       {{.Text}} NOT NULL,
  hash         {{.Bytes}},
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  revoked_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) {{.Cool}};
--bun:split
CREATE INDEX api_keys_tenant ON api_keys (tenant, id);
--bun:split
CREATE TABLE rules (
  id         {{.Text}} NOT NULL,
  tenant     {{.Text}} NOT NULL,
  list       {{.Text}} NOT NULL,
  subject    {{.Text}} NOT NULL,
  pattern    TEXT NOT NULL,
  reason     TEXT NOT NULL,
  made_by    TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) {{.Cool}};
--bun:split
CREATE INDEX rules_tenant ON rules (tenant, id);
--bun:split
CREATE TABLE facts (
  listener {{.Text}} NOT NULL,
  id       {{.Text}} NOT NULL,
  tenant   {{.Text}} NOT NULL,
  user_id  {{.Text}} NOT NULL,
  type     {{.Text}} NOT NULL,
  at       BIGINT NOT NULL,
  data     {{.JSON}} NOT NULL,
  tries    BIGINT NOT NULL,
  next_at  BIGINT NOT NULL,
  owner    {{.Text}} NOT NULL,
  leased   BIGINT NOT NULL,
  fence    BIGINT NOT NULL,
  PRIMARY KEY (listener, id)
) {{.Hot}};
--bun:split
CREATE INDEX facts_next ON facts (next_at, id);
--bun:split
CREATE INDEX facts_user ON facts (listener, tenant, user_id, id);
