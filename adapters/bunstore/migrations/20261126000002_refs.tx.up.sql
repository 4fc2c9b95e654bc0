CREATE UNIQUE INDEX devices_ref ON devices (tenant, channel, ref) WHERE ref <> '';
--bun:split
CREATE TABLE receipts (
  channel    {{.Text}} NOT NULL,
  id         {{.Text}} NOT NULL,
  tenant     {{.Text}} NOT NULL,
  handle     {{.Text}} NOT NULL,
  number     BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (channel, id)
) {{.Cool}};
--bun:split
CREATE INDEX receipts_expiry ON receipts {{.Sweep}} (expires_at);
