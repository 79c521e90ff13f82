"""PostgreSQL: the pool, transactions that know their tenant, and migrations."""
