CREATE INDEX devices_unproven ON devices (created_at) WHERE status = 'pending';
