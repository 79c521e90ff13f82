"""Tenants: read by starter and worker, changed by the command line."""
