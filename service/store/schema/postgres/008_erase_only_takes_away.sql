-- Who may erase may take away, and nothing else: what is left of each event is worked out here from what stands there,
-- and whoever sends something else is refused. `erase` is called as before: older processes go on beside newer ones.

-- An event without these members, as `domain/redaction.py` leaves it.
CREATE FUNCTION left_of(topic text, state jsonb, fields jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT state || jsonb_strip_nulls(jsonb_build_object(
        'request_digest', CASE WHEN state ->> 'request_digest' <> '' THEN '' END,
        'erased', (SELECT jsonb_agg(field ORDER BY field COLLATE "C") FROM (
            SELECT jsonb_array_elements_text(coalesce(state -> 'erased', '[]'))
            UNION SELECT jsonb_array_elements_text(fields)) AS gone (field))))
    || CASE topic
        WHEN 'IncidentReported' THEN jsonb_build_object(
            'details', (SELECT coalesce(jsonb_object_agg(key, CASE WHEN fields ? key THEN 'null' ELSE value END), '{}')
                        FROM jsonb_each(state -> 'details')),
            'attributes', (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(state -> 'attributes')
                           WHERE NOT fields ?| ARRAY['attributes', 'attributes.' || key]))
        WHEN 'IncidentAttributeSet' THEN
            CASE WHEN fields ?| ARRAY['attributes', 'attributes.' || (state ->> 'name')]
                 THEN '{"old_value": null, "value": null}' ELSE '{}' END::jsonb
        WHEN 'IncidentAttributeRemoved' THEN
            CASE WHEN fields ?| ARRAY['attributes', 'attributes.' || (state ->> 'name')]
                 THEN '{"old_value": null}' ELSE '{}' END::jsonb
        ELSE CASE WHEN state ? 'edits' THEN jsonb_build_object(
            'edits', (SELECT coalesce(jsonb_object_agg(key, CASE
                          WHEN fields ? key OR key LIKE 'attributes.%' AND fields ? 'attributes'
                          THEN '{"from": null, "to": null}' ELSE value END), '{}')
                      FROM jsonb_each(state -> 'edits'))) ELSE '{}' END
    END
$$;

-- Whether an object in it names a member twice: the second would hide the first from whoever compares.
CREATE FUNCTION repeats(document json) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    WITH RECURSIVE part (value) AS (
        SELECT document
        UNION ALL
        SELECT inner_part.value FROM part, LATERAL (
            SELECT value FROM json_each(CASE json_typeof(part.value) WHEN 'object' THEN part.value ELSE '{}' END)
            UNION ALL
            SELECT value FROM json_array_elements(CASE json_typeof(part.value) WHEN 'array' THEN part.value ELSE '[]' END)
        ) AS inner_part
    )
    SELECT EXISTS (SELECT FROM part WHERE json_typeof(value) = 'object'
                   AND (SELECT count(*) <> count(DISTINCT key) FROM json_each(value)))
$$;

-- Appends one event that erases, by the rules of `append`, and only where it is new rewrites rows of its aggregate.
-- What was rewritten before (the same call sent again) is left alone: a later erasure may have taken more.
CREATE OR REPLACE FUNCTION erase(entries json, redactions json)
RETURNS TABLE (verdict integer, placed bigint, stamped timestamptz)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    erasing record;
    ordered jsonb;
    redaction record;
    found record;
    wrong text;
    known boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(1229804851, '{schema}.log'::regclass::oid::integer);
    SELECT * INTO erasing FROM json_to_recordset(entries) AS entry (
        originator_id uuid, originator_version integer, topic text, state bytea, tenant_id text, salt bytea, digest bytea
    );
    known := EXISTS (
        SELECT FROM {schema}.log
        WHERE originator_id = erasing.originator_id AND originator_version = erasing.originator_version
    );
    SELECT * INTO verdict, placed, stamped FROM {schema}.append(entries);
    IF verdict <> 1 OR known THEN
        RETURN NEXT;
        RETURN;
    END IF;
    ordered := convert_from(erasing.state, 'UTF8')::jsonb;
    IF json_array_length(entries) <> 1 OR erasing.topic NOT IN ('IncidentErased', 'CommentErased')
       OR sha256(erasing.salt || erasing.state) <> erasing.digest
       OR (SELECT count(*) FROM jsonb_object_keys(ordered -> 'redacted')) <> json_array_length(redactions) THEN
        RAISE check_violation USING MESSAGE = 'no event that erases, or it tells of other events than are rewritten';
    END IF;
    FOR redaction IN
        SELECT * FROM json_to_recordset(redactions) AS one (position bigint, state bytea, salt bytea)
    LOOP
        SELECT topic, state, tenant_id INTO found FROM {schema}.log
            WHERE notification_id = redaction.position AND originator_id = erasing.originator_id
              AND notification_id < placed;
        wrong := CASE
            WHEN found.state IS NULL THEN 'there is nothing of this aggregate to take away'
            WHEN found.topic IN ('IncidentErased', 'CommentErased') THEN 'it erased something itself'
            WHEN found.tenant_id <> erasing.tenant_id THEN 'it is of another tenant'
            WHEN redaction.state IS NULL AND redaction.salt IS NULL THEN
                CASE WHEN ordered ->> 'fields' <> 'all' AND erasing.topic <> 'CommentErased'
                     THEN 'only some members were to go'
                     WHEN ordered -> 'redacted' ->> redaction.position::text IS DISTINCT FROM ''
                     THEN 'the event that erases tells of something else' END
            WHEN jsonb_typeof(ordered -> 'fields') <> 'array' THEN 'all was to go'
            WHEN octet_length(redaction.salt) IS DISTINCT FROM 16
                 OR ordered -> 'redacted' ->> redaction.position::text
                    IS DISTINCT FROM encode(sha256(redaction.salt || redaction.state), 'hex')
                THEN 'the event that erases tells of something else'
            WHEN {schema}.repeats(convert_from(redaction.state, 'UTF8')::json)
                 OR convert_from(redaction.state, 'UTF8')::jsonb IS DISTINCT FROM {schema}.left_of(
                     found.topic, convert_from(found.state, 'UTF8')::jsonb, ordered -> 'fields')
                THEN 'what is to be left is not what was there without the members that were to go'
        END;
        IF wrong IS NOT NULL THEN
            RAISE check_violation USING MESSAGE = format('position %s is not rewritten: %s', redaction.position, wrong);
        END IF;
        UPDATE {schema}.log SET state = redaction.state, salt = redaction.salt
            WHERE notification_id = redaction.position AND originator_id = erasing.originator_id;
    END LOOP;
    RETURN NEXT;
END
$$;
