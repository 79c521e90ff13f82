"""What can go wrong with a tenant's row. No message holds a secret."""


class TenantError(Exception):
    """What the operator asked for cannot be done: no such tenant, one that exists already, an unusable value."""


class TenantStoreError(Exception):
    """A tenant's row is there and cannot be read by this process. Not the same as there being no tenant."""


class CredentialsSealedError(RuntimeError):
    """This process holds no credential keys, so it cannot open a connection. By design: the starter never can."""
