-- A role for the service with no more rights than it needs (`rights.sql`): users who log in are made members of it.
-- Roles are shared by all databases of a server. Whoever may make none goes on without.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{schema}_service') THEN
        CREATE ROLE {schema}_service NOLOGIN;
    END IF;
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
    RAISE NOTICE 'the role {schema}_service was not made: %', SQLERRM;
END
$$;
