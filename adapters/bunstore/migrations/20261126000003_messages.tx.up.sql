CREATE TABLE messages_by_handle (
  handle   {{.Text}} NOT NULL,
  id       {{.Text}} NOT NULL,
  tenant   {{.Text}} NOT NULL,
  channel  {{.Text}} NOT NULL,
  number   BIGINT NOT NULL,
  tries    BIGINT NOT NULL,
  next_at  BIGINT NOT NULL,
  deadline BIGINT NOT NULL,
  owner    {{.Text}} NOT NULL,
  leased   BIGINT NOT NULL,
  fence    BIGINT NOT NULL,
  notice   {{.JSON}} NOT NULL,
  PRIMARY KEY (handle, id)
) {{.Hot}};
--bun:split
INSERT INTO messages_by_handle (handle, id, tenant, channel, number, tries, next_at, deadline, owner, leased, fence, notice)
  SELECT handle, id, tenant, channel, number, tries, next_at, deadline, owner, leased, fence, notice FROM messages;
--bun:split
DROP TABLE messages;
--bun:split
ALTER TABLE messages_by_handle RENAME TO messages;
--bun:split
CREATE INDEX messages_next ON messages (next_at);
