"""Bring the database up to date: SQL files in order, each applied once, and passwords for the two login roles."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from deskhand.db.errors import MigrationError, first_line
from deskhand.db.passwords import scram_verifier
from deskhand.db.pool import connect

MIGRATIONS = Path(__file__).parent / "migrations"
APP_ROLE = "deskhand_app"
OPERATOR_ROLE = "deskhand_operator"

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = int.from_bytes(b"deskhand", "big", signed=True)
"""The advisory lock that lets one migration run at a time."""

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file. Once it was applied anywhere its content must never change."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """The migrations in a folder, in order.

    Raises:
        MigrationError: a file is not named `NNNN_words.sql`, or the numbers are not 1, 2, 3, …
    """
    found = []
    for file in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(file.name)
        if match is None:
            raise MigrationError(f"{file.name}: a migration is named NNNN_words.sql")
        found.append(Migration(int(match.group(1)), file.stem, file.read_text()))
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"migrations in {folder.name}: their numbers must be 1, 2, 3, … without gap or repeat")
    return tuple(found)


async def migrate(
    owner_url: str, app_url: str, operator_url: str, migrations: Sequence[Migration] | None = None
) -> tuple[str, ...]:
    """Apply what is missing, all of it or nothing, and give the app's and operator's roles the passwords in their URLs.

    May be run at any time, also by several processes at once. Returns the names of what was applied.

    Raises:
        MigrationError: an applied file has changed, the database is newer than this version, or PostgreSQL refuses.
        DatabaseUnavailableError: the database cannot be reached as its owner.
    """
    verifiers = {
        APP_ROLE: _verifier(app_url, APP_ROLE, "DESKHAND_DATABASE_URL"),
        OPERATOR_ROLE: _verifier(operator_url, OPERATOR_ROLE, "DESKHAND_DATABASE_OPERATOR_URL"),
    }
    wanted = read_migrations() if migrations is None else tuple(migrations)
    connection = await connect(owner_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            applied = await _apply_missing(connection, wanted)
            await _let_log_in(connection, verifiers)
        return applied
    finally:
        await connection.close()


async def _apply_missing(
    connection: "asyncpg.Connection[asyncpg.Record]", wanted: Sequence[Migration]
) -> tuple[str, ...]:
    await _execute(connection, _LEDGER, "schema_migrations")
    rows = await connection.fetch("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
    known = {migration.version: migration for migration in wanted}
    for row in rows:
        migration = known.get(row["version"])
        if migration is None:
            raise MigrationError(f"the database has migration {row['name']}, which this version does not know: update")
        if migration.checksum != row["checksum"]:
            raise MigrationError(f"{migration.name}: its file was changed after it was applied; add a new one instead")
    done = {row["version"] for row in rows}
    missing = [migration for migration in wanted if migration.version not in done]
    for migration in missing:
        await _execute(connection, migration.sql, migration.name)
        await connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            *(migration.version, migration.name, migration.checksum),
        )
    return tuple(migration.name for migration in missing)


async def _let_log_in(connection: "asyncpg.Connection[asyncpg.Record]", verifiers: Mapping[str, str]) -> None:
    for role, verifier in verifiers.items():
        # ALTER ROLE takes no parameters; a verifier is base64, `$` and `:`.
        await _execute(connection, f"ALTER ROLE {role} LOGIN PASSWORD '{verifier}'", f"password of role {role}")


async def _execute(connection: "asyncpg.Connection[asyncpg.Record]", sql: str, what: str) -> None:
    try:
        await connection.execute(sql)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{what}: PostgreSQL refuses: {first_line(error)}") from None


def _verifier(url: str, role: str, setting: str) -> str:
    try:
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        raise MigrationError(f"{setting}: must read postgresql://{role}:password@host:port/database") from None
    if user != role:
        raise MigrationError(f"{setting}: its user must be {role}")
    try:
        return scram_verifier(password)
    except ValueError as error:
        raise MigrationError(f"{setting}: its password {error}") from None
