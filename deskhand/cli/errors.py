"""Which failures are the operator's to read: one line each, and no traceback."""

from itertools import takewhile


class CliError(Exception):
    """A command cannot do what it was asked. The message is one readable line without a secret."""


READABLE = frozenset(
    {
        "deskhand.cli.errors.CliError",
        "deskhand.crypto.sealing.SealError",
        "deskhand.db.errors.DatabaseUnavailableError",
        "deskhand.db.errors.MigrationError",
        "deskhand.devstack.errors.DevStackError",
        "deskhand.settings.SettingsError",
        "deskhand.tenants.errors.TenantError",
        "plugins.exceptions.PluginError",
        "builtins.OSError",
    }
)
"""Exceptions by full name, so that nothing is imported only to be named. Their subclasses count too."""

_POSTGRES = "asyncpg.exceptions._base.PostgresError"


def readable(error: Exception) -> str | None:
    """What to show of a failure; `None` for one that nobody foresaw, whose traceback is the report."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if _POSTGRES in names:
        # What follows the first line quotes rows.
        return "the database refuses: " + "".join(takewhile(lambda character: character != "\n", str(error)))
    return str(error) if names & READABLE else None
