-- The log. Rows written today are read for ever. Ids are 32 hexadecimal digits, times microseconds since 1970, UTC.
CREATE TABLE log (
    notification_id    INTEGER PRIMARY KEY,        -- the position: dense, in commit order
    originator_id      TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic              TEXT NOT NULL,
    state              BLOB,                       -- null once erased
    tenant_id          TEXT NOT NULL,
    subject_id         TEXT NOT NULL,              -- the incident that the event is about
    recorded_at        INTEGER NOT NULL,           -- rises with the position
    command_id         TEXT,                       -- only where the client sent an idempotency key
    salt               BLOB,                       -- erased with the state
    digest             BLOB NOT NULL               -- SHA-256(salt || state); stays
);
CREATE UNIQUE INDEX log_aggregate ON log (originator_id, originator_version);
CREATE UNIQUE INDEX log_tenant ON log (tenant_id, notification_id);
CREATE UNIQUE INDEX log_subject ON log (subject_id, notification_id);
CREATE UNIQUE INDEX log_command ON log (command_id) WHERE command_id IS NOT NULL;

-- Which log this is: changed when an operator declares that it was restored from a backup.
CREATE TABLE log_identity (log_id TEXT NOT NULL);
INSERT INTO log_identity VALUES (lower(hex(randomblob(16))));
