CREATE TABLE users (
  id          {{.Text}} NOT NULL,
  tenant      {{.Text}} NOT NULL,
  status      {{.Text}} NOT NULL,
  first_name  TEXT NOT NULL,
  last_name   TEXT NOT NULL,
  locale      TEXT NOT NULL,
  metadata    {{.JSON}} NOT NULL,
  two_factor  BOOLEAN NOT NULL,
  created_at  BIGINT NOT NULL,
  last_sign_in BIGINT NOT NULL,
  PRIMARY KEY (id)
) {{.Hot}};
--bun:split
CREATE TABLE identifiers (
  tenant      {{.Text}} NOT NULL,
  kind        {{.Text}} NOT NULL,
  value       {{.Text}} NOT NULL,
  user_id     {{.Text}} NOT NULL,
  verified_at BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (tenant, kind, value)
) {{.Cool}};
--bun:split
CREATE INDEX identifiers_user ON identifiers (user_id);
--bun:split
CREATE TABLE devices (
  id           {{.Text}} NOT NULL,
  tenant       {{.Text}} NOT NULL,
  user_id      {{.Text}} NOT NULL,
  channel      {{.Text}} NOT NULL,
  name         TEXT NOT NULL,
  address      TEXT NOT NULL,
  ref          TEXT NOT NULL,
  backup       BOOLEAN NOT NULL,
  credential   {{.Bytes}},
  version      BIGINT NOT NULL,
  status       {{.Text}} NOT NULL,
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) {{.Hot}};
--bun:split
CREATE INDEX devices_user ON devices (user_id);
--bun:split
CREATE TABLE challenges (
  handle      {{.Text}} NOT NULL,
  tenant      {{.Text}} NOT NULL,
  purpose     {{.Text}} NOT NULL,
  channel     {{.Text}} NOT NULL,
  status      {{.Text}} NOT NULL,
  delivery    {{.Text}} NOT NULL,
  decoy       BOOLEAN NOT NULL,
  user_id     {{.Text}} NOT NULL,
  device_id   {{.Text}} NOT NULL,
  sign_in_id  {{.Text}} NOT NULL,
  session_id  {{.Text}} NOT NULL,
  kind        {{.Text}} NOT NULL,
  destination {{.Text}} NOT NULL,
  shown       TEXT NOT NULL,
  counter     {{.Text}} NOT NULL,
  nonce       {{.Bytes}},
  key_id      BIGINT NOT NULL,
  format      {{.Text}} NOT NULL,
  prompt      {{.Bytes}},
  state       {{.Bytes}},
  locale      TEXT NOT NULL,
  client      TEXT NOT NULL,
  round       BIGINT NOT NULL,
  attempts    BIGINT NOT NULL,
  allowed     BIGINT NOT NULL,
  sends       BIGINT NOT NULL,
  max_sends   BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  resend_at   BIGINT NOT NULL,
  PRIMARY KEY (handle)
) {{.Hot}};
--bun:split
CREATE INDEX challenges_counter ON challenges (counter, created_at) WHERE counter <> '';
--bun:split
CREATE INDEX challenges_expiry ON challenges {{.Sweep}} (expires_at);
--bun:split
CREATE TABLE messages (
  id       {{.Text}} NOT NULL,
  tenant   {{.Text}} NOT NULL,
  handle   {{.Text}} NOT NULL,
  channel  {{.Text}} NOT NULL,
  number   BIGINT NOT NULL,
  tries    BIGINT NOT NULL,
  next_at  BIGINT NOT NULL,
  deadline BIGINT NOT NULL,
  owner    {{.Text}} NOT NULL,
  leased   BIGINT NOT NULL,
  fence    BIGINT NOT NULL,
  PRIMARY KEY (id)
) {{.Hot}};
--bun:split
CREATE INDEX messages_next ON messages (next_at);
--bun:split
CREATE TABLE counters (
  key          {{.Text}} NOT NULL,
  failures     BIGINT NOT NULL,
  locked_until BIGINT NOT NULL,
  touched_at   BIGINT NOT NULL,
  PRIMARY KEY (key)
) {{.Hot}};
--bun:split
CREATE TABLE windows (
  key   {{.Text}} NOT NULL,
  taken BIGINT NOT NULL,
  most  BIGINT NOT NULL,
  ends  BIGINT NOT NULL,
  PRIMARY KEY (key)
) {{.Hot}};
--bun:split
CREATE TABLE sessions (
  id         {{.Text}} NOT NULL,
  tenant     {{.Text}} NOT NULL,
  user_id    {{.Text}} NOT NULL,
  evidence   {{.JSON}} NOT NULL,
  client     TEXT NOT NULL,
  generation BIGINT NOT NULL,
  rotated_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  reason     {{.Text}} NOT NULL,
  PRIMARY KEY (id)
) {{.Hot}};
--bun:split
CREATE INDEX sessions_user ON sessions (user_id);
--bun:split
CREATE INDEX sessions_expiry ON sessions {{.Sweep}} (expires_at);
--bun:split
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at > 0;
--bun:split
CREATE TABLE sign_ins (
  id         {{.Text}} NOT NULL,
  tenant     {{.Text}} NOT NULL,
  user_id    {{.Text}} NOT NULL,
  evidence   {{.JSON}} NOT NULL,
  new_user   BOOLEAN NOT NULL,
  client     TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL,
  PRIMARY KEY (id)
) {{.Hot}};
--bun:split
CREATE TABLE once_keys (
  key       {{.Text}} NOT NULL,
  forget_at BIGINT NOT NULL,
  PRIMARY KEY (key)
) {{.Cool}};
--bun:split
CREATE TABLE answers (
  key        {{.Text}} NOT NULL,
  request    {{.Bytes}},
  status     BIGINT NOT NULL,
  body       {{.Bytes}},
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (key)
) {{.Cool}};
--bun:split
CREATE TABLE events (
  tenant  {{.Text}} NOT NULL,
  user_id {{.Text}} NOT NULL,
  id      {{.Text}} NOT NULL,
  type    {{.Text}} NOT NULL,
  at      BIGINT NOT NULL,
  data    {{.JSON}} NOT NULL,
  PRIMARY KEY (tenant, user_id, id)
) {{.Cool}};
--bun:split
CREATE INDEX events_at ON events {{.Sweep}} (at);
