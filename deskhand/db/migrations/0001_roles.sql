-- Roles. deskhand_owner, which runs this, has CREATEROLE and owns the database; it is no superuser.
-- The two login roles get their passwords from `deskhand migrate`, never from a file.
-- Valid for PostgreSQL 15 and later.

DO $$
DECLARE
    role_name text;
BEGIN
    -- Roles belong to the whole server: another database on it may have made them.
    FOREACH role_name IN ARRAY ARRAY['deskhand_app', 'deskhand_operator', 'deskhand_search'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO deskhand_app, deskhand_operator', current_database());
END
$$;

-- What the search function trusts by its search_path must be writable by the owner alone.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO deskhand_app, deskhand_operator, deskhand_search;

-- Both are "trusted": a database owner may install them.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;
