-- Appends one event that erases, by the rules of `append`, and only where it is new rewrites rows of its aggregate.
-- What was rewritten before (the same call sent again) is left alone: a later erasure may have taken more.
CREATE FUNCTION erase(entries json, redactions json) RETURNS TABLE (verdict integer, placed bigint, stamped timestamptz)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    erasing record;
    known boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(1229804851, '{schema}.log'::regclass::oid::integer);
    SELECT * INTO erasing FROM json_to_recordset(entries) AS entry (originator_id uuid, originator_version integer);
    known := EXISTS (
        SELECT FROM {schema}.log
        WHERE originator_id = erasing.originator_id AND originator_version = erasing.originator_version
    );
    SELECT * INTO verdict, placed, stamped FROM {schema}.append(entries);
    IF verdict = 1 AND NOT known THEN
        UPDATE {schema}.log SET state = redaction.state, salt = redaction.salt
        FROM json_to_recordset(redactions) AS redaction (position bigint, state bytea, salt bytea)
        WHERE notification_id = redaction.position AND originator_id = erasing.originator_id;
    END IF;
    RETURN NEXT;
END
$$;

-- Samples of what was erased would stay among the planner's statistics.
ALTER TABLE log ALTER COLUMN state SET STATISTICS 0;
