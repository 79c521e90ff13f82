"""Forgetting: one ticket, one requester, a whole tenant, and what is older than a tenant wants it kept."""
