-- The role reads the log and appends to it; content is taken away by erasing alone. Its read models are its own: it makes
-- them. Migrating, restoring and importing are for the schema's owner, who makes what is derived as the role does: else
-- the service could not go on with it.
DO $$
DECLARE
    way regprocedure;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{schema}_service') THEN
        RETURN;
    END IF;
    GRANT USAGE, CREATE ON SCHEMA {schema} TO {schema}_service;
    GRANT SELECT ON {schema}.log, {schema}.log_identity, {schema}.schema_version TO {schema}_service;
    GRANT SELECT, INSERT ON {schema}.audit_keys, {schema}.audit_checkpoints TO {schema}_service;
    BEGIN
        GRANT {schema}_service TO CURRENT_USER;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'the owner of {schema} is no member of {schema}_service: %', SQLERRM;
    END;
    FOR way IN
        SELECT oid FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace AND proname IN ('append', 'erase')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', way);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', way);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {schema}_service', way);
    END LOOP;
END
$$;
