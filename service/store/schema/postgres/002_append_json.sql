-- The entries come as one JSON text, which is far less work for the client than an array for each column.
DROP FUNCTION append(uuid[], integer[], text[], bytea[], text[], uuid[], uuid[], bytea[], bytea[]);

-- Appends what fits and says of each entry what became of it: 1 appended (now, or by the same entry sent before),
-- 2 another event has this version or the one before it is missing, 3 the command is known.
-- Whoever appends holds one lock until the commit, so positions and times follow the order of commits. The planner
-- settings keep a plan that was made for an empty table from scanning a full one.
CREATE FUNCTION append(entries json) RETURNS TABLE (verdict integer, placed bigint, stamped timestamptz)
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
               entry.version = 0 OR before.notification_id IS NOT NULL AS follows
        FROM ROWS FROM (
            json_to_recordset(entries) AS (
                originator_id uuid, originator_version integer, topic text, state bytea, tenant_id text,
                subject_id uuid, command_id uuid, salt bytea, digest bytea
            )
        ) WITH ORDINALITY AS entry (id, version, topic, state, tenant, subject, command, salt, digest, ordinal)
        LEFT JOIN {schema}.log AS taken
               ON taken.originator_id = entry.id AND taken.originator_version = entry.version
        LEFT JOIN {schema}.log AS before -- as EXISTS it would be planned to read the index of the whole log
               ON before.originator_id = entry.id AND before.originator_version = entry.version - 1
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
