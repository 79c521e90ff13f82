"""What can go wrong with the database, in words for an operator. No message holds a password or a row's content."""

import asyncpg


class DatabaseUnavailableError(Exception):
    """The database cannot be asked now: down, out of reach, or it refuses our login. Not the tenant's fault."""


class NotMigratedError(DatabaseUnavailableError):
    """The database lacks a table, column or function that this version needs."""


class MigrationError(Exception):
    """A migration cannot be applied. The message names the migration or the setting, and the way out."""


def first_line(error: BaseException) -> str:
    """The error's message without PostgreSQL's DETAIL lines, which quote rows."""
    message = error.message if isinstance(error, asyncpg.PostgresError) else str(error)
    return next(iter((message or "").splitlines()), "") or type(error).__name__
