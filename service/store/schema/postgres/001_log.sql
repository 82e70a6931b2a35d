-- The log. Rows written today are read for ever.
CREATE TABLE log (
    notification_id    bigint PRIMARY KEY,         -- the position: dense, in commit order
    originator_id      uuid NOT NULL,
    originator_version integer NOT NULL,
    topic              text NOT NULL,
    state              bytea,                      -- null once erased
    tenant_id          text COLLATE "C" NOT NULL,
    subject_id         uuid NOT NULL,              -- the incident that the event is about
    recorded_at        timestamptz NOT NULL,       -- rises with the position
    command_id         uuid,                       -- only where the client sent an idempotency key
    salt               bytea,                      -- erased with the state
    digest             bytea NOT NULL              -- SHA-256(salt || state); stays
);
CREATE UNIQUE INDEX log_aggregate ON log (originator_id, originator_version);
CREATE UNIQUE INDEX log_tenant ON log (tenant_id, notification_id);
CREATE UNIQUE INDEX log_subject ON log (subject_id, notification_id);
CREATE UNIQUE INDEX log_command ON log (command_id) WHERE command_id IS NOT NULL;

-- Which log this is: changed when an operator declares that it was restored from a backup.
CREATE TABLE log_identity (log_id uuid NOT NULL);
INSERT INTO log_identity VALUES (gen_random_uuid());

-- Appends what fits and says of each entry what became of it: 1 appended (now, or by the same entry sent before),
-- 2 another event has this version or the one before it is missing, 3 the command is known.
-- Whoever appends holds one lock until the commit, so positions and times follow the order of commits. The planner
-- settings keep a plan that was made for an empty table from scanning a full one.
CREATE FUNCTION append(
    ids uuid[], versions integer[], topics text[], states bytea[], tenants text[], subjects uuid[],
    commands uuid[], salts bytea[], digests bytea[]
) RETURNS TABLE (verdict integer, placed bigint, stamped timestamptz)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    last_position bigint;
    last_time timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(1229804851, '{schema}.log'::regclass::oid::integer);
    SELECT notification_id, recorded_at INTO last_position, last_time
        FROM {schema}.log ORDER BY notification_id DESC LIMIT 1;
    last_position := coalesce(last_position, 0);
    last_time := greatest(clock_timestamp(), last_time + interval '1 microsecond');

    RETURN QUERY
    WITH judged AS MATERIALIZED (
        SELECT entry.*,
               taken.notification_id AS taken_position, taken.recorded_at AS taken_time,
               taken.salt IS NOT DISTINCT FROM entry.salt AS taken_by_itself,
               known.notification_id AS known_position, known.recorded_at AS known_time,
               entry.version = 0 OR EXISTS (
                   SELECT FROM {schema}.log
                   WHERE originator_id = entry.id AND originator_version = entry.version - 1
               ) AS follows
        FROM unnest(ids, versions, topics, states, tenants, subjects, commands, salts, digests)
             WITH ORDINALITY AS entry (id, version, topic, state, tenant, subject, command, salt, digest, ordinal)
        LEFT JOIN {schema}.log AS taken
               ON taken.originator_id = entry.id AND taken.originator_version = entry.version
        LEFT JOIN {schema}.log AS known ON known.command_id = entry.command
    ), fresh AS MATERIALIZED (
        SELECT ordinal, row_number() OVER (ORDER BY ordinal) AS n
        FROM judged WHERE taken_position IS NULL AND known_position IS NULL AND follows
    ), inserted AS (
        INSERT INTO {schema}.log
        SELECT last_position + n, id, version, topic, state, tenant, subject,
               last_time + (n - 1) * interval '1 microsecond', command, salt, digest
        FROM judged JOIN fresh USING (ordinal) ORDER BY n
    )
    SELECT CASE WHEN n IS NOT NULL OR taken_by_itself AND taken_position IS NOT NULL THEN 1
                WHEN known_position IS NOT NULL THEN 3
                ELSE 2 END,
           coalesce(last_position + n, CASE WHEN taken_by_itself THEN taken_position END, known_position),
           coalesce(last_time + (n - 1) * interval '1 microsecond',
                    CASE WHEN taken_by_itself THEN taken_time END, known_time)
    FROM judged LEFT JOIN fresh USING (ordinal) ORDER BY ordinal;
END
$$;
