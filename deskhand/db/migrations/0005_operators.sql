-- What operators may do to what a tenant owns, and the audit of it.

-- Some of what they do concerns no one tenant: keys, the list of all. No app can write such an entry: its policy asks for
-- the transaction's tenant.
ALTER TABLE audit_log ALTER COLUMN tenant_id DROP NOT NULL;
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, id);

-- Nor can it write one in an operator's name.
DROP POLICY own_tenant ON audit_log;
CREATE POLICY own_tenant ON audit_log FOR INSERT TO deskhand_app
    WITH CHECK (tenant_id = current_tenant() AND actor = 'deskhand_app');

-- A tenant that is removed takes with it everything it owned.
GRANT DELETE ON tenant_configs, ticket_history TO deskhand_operator;
CREATE POLICY every_tenant_remove ON ticket_history FOR DELETE TO deskhand_operator USING (true);

-- A tenant's language stands in its history, too: the search index is made with it.
GRANT UPDATE (language) ON ticket_history TO deskhand_operator;
CREATE POLICY every_tenant_language ON ticket_history FOR UPDATE TO deskhand_operator USING (true) WITH CHECK (true);

-- Rows are sealed anew when the keys change, and the keyed hashes beside them with it.
GRANT UPDATE (tenant_hash, ticket_hash, run_hash, sealed) ON spool TO deskhand_operator;
