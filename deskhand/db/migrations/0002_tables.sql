-- What is stored. Tenants' rows are under row-level security, enabled and forced: it holds for the owner too.

-- The tenant of the current transaction; NULL, which equals nothing, where none is set. A transaction-local setting
-- leaves an empty string behind in its session, not nothing.
CREATE FUNCTION current_tenant() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('deskhand.tenant_id', true), '');

CREATE TABLE tenant_configs (
    tenant_id text PRIMARY KEY CHECK (tenant_id COLLATE "C" ~ '^[a-zA-Z0-9-]{1,64}$'),
    tool text NOT NULL,
    active_from timestamptz NOT NULL DEFAULT now(),
    active_until timestamptz,
    mode text NOT NULL CHECK (mode IN ('live', 'dry_run', 'pause')),
    settings jsonb NOT NULL,
    webhook_secrets bytea NOT NULL,
    connection bytea NOT NULL
);
COMMENT ON COLUMN tenant_configs.settings IS 'Plain settings, nothing secret.';
COMMENT ON COLUMN tenant_configs.webhook_secrets IS 'Sealed with the payload keys: a list of secrets with validity.';
COMMENT ON COLUMN tenant_configs.connection IS 'Sealed with the credential keys: the fields of the connection.';

ALTER TABLE tenant_configs ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_configs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenant_configs FOR SELECT TO deskhand_app USING (tenant_id = current_tenant());
CREATE POLICY every_tenant ON tenant_configs TO deskhand_operator USING (true) WITH CHECK (true);
GRANT SELECT ON tenant_configs TO deskhand_app;
GRANT SELECT, INSERT, UPDATE ON tenant_configs TO deskhand_operator;

-- Weights: the subject says most about what a ticket is, its resolution least. PostgreSQL takes only immutable
-- expressions in generated columns, which a cast to regconfig is not (someone could redefine a configuration); a
-- regconfig column instead would keep pg_upgrade from ever upgrading this database.
CREATE FUNCTION ticket_vector(language text, subject text, description text, resolution text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT setweight(to_tsvector(language::regconfig, subject), 'A')
            || setweight(to_tsvector(language::regconfig, description), 'B')
            || setweight(to_tsvector(language::regconfig, resolution), 'D')
    $$;

CREATE TABLE ticket_history (
    tenant_id text NOT NULL,
    tool text NOT NULL,
    ticket_id text NOT NULL,
    version text NOT NULL,
    resolved_at timestamptz NOT NULL,
    subject text NOT NULL,
    description text NOT NULL,
    resolution text NOT NULL,
    url text NOT NULL,
    language text NOT NULL,
    search tsvector NOT NULL GENERATED ALWAYS AS (ticket_vector(language, subject, description, resolution)) STORED,
    PRIMARY KEY (tenant_id, tool, ticket_id)
);
-- The tenant stands in the index itself: one tenant's common words must not cost another tenant's search.
CREATE INDEX ticket_history_search ON ticket_history USING gin (tenant_id, search);
CREATE INDEX ticket_history_subject ON ticket_history USING gin (tenant_id, subject gin_trgm_ops);

ALTER TABLE ticket_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE ticket_history FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON ticket_history TO deskhand_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON ticket_history FOR SELECT TO deskhand_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON ticket_history TO deskhand_app;
GRANT SELECT ON ticket_history TO deskhand_operator;

-- Deliveries that Temporal could not take. Ciphertext, beside keyed hashes to bound and to forget by: no policies.
CREATE TABLE spool (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_hash bytea NOT NULL,
    ticket_hash bytea NOT NULL,
    sealed bytea NOT NULL,
    spooled_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX spool_tenant ON spool (tenant_hash, ticket_hash);
GRANT SELECT, INSERT, DELETE ON spool TO deskhand_app;
GRANT SELECT, DELETE ON spool TO deskhand_operator;

-- Who changed what. Nobody but the owner can alter or remove an entry, and nobody chooses its time.
CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    tenant_id text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON audit_log FOR INSERT TO deskhand_app WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant_read ON audit_log FOR SELECT TO deskhand_operator USING (true);
CREATE POLICY every_tenant_add ON audit_log FOR INSERT TO deskhand_operator WITH CHECK (true);
GRANT INSERT (actor, action, tenant_id, detail) ON audit_log TO deskhand_app, deskhand_operator;
GRANT SELECT ON audit_log TO deskhand_operator;
