-- What the spool needs to be drained: one row per run, each tenant's rows in order, and a place for what Temporal refuses.

-- No version has written to the table before this one: it is empty, or what is in it cannot be opened.
DELETE FROM spool;

ALTER TABLE spool
    ADD COLUMN run_hash bytea NOT NULL,
    ADD COLUMN refused_at timestamptz,
    ADD COLUMN reason text CHECK (length(reason) <= 500),
    ADD CONSTRAINT spool_one_per_run UNIQUE (run_hash),
    ADD CONSTRAINT spool_refused_for_a_reason CHECK ((refused_at IS NULL) = (reason IS NULL));
COMMENT ON COLUMN spool.run_hash IS 'Keyed hash of the workflow id: a redelivery of the same run is no second row.';
COMMENT ON COLUMN spool.refused_at IS 'Since when the row is quarantined: Temporal refuses it, or it cannot be opened.';
COMMENT ON COLUMN spool.reason IS 'Why, in the words of the server or our own. Nothing of the delivery.';

-- Drainers go from tenant to tenant and take each one's oldest row; what is quarantined must not cost them anything.
CREATE INDEX spool_waiting ON spool (tenant_hash, id) WHERE refused_at IS NULL;

-- Locking a row asks for the right to update some column of it.
GRANT UPDATE (refused_at, reason) ON spool TO deskhand_app, deskhand_operator;
