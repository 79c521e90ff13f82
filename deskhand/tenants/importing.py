"""What an import would change: each tenant of the file held against what is stored. Pure, but for what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deskhand.tenants.changing import StoredTenant
from deskhand.tenants.errors import TenantError
from deskhand.tenants.files import WEBHOOK_SECRET, ExportedTenant
from deskhand.tenants.sealing import Connection

Problems = Callable[[Mapping[str, object]], list[str]]
"""What a plugin's connection model has against these fields."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of one tenant of the file."""

    given: ExportedTenant
    old: StoredTenant | None
    """As it is stored; `None`: it is added."""
    connection: Connection
    missing: tuple[str, ...] = ()
    """Secrets that a tenant to be added has not got: it is added, and not activated."""
    changes: tuple[str, ...] = ()
    """Of a tenant that is stored, the names of what differs."""
    webhook_secret: str | None = field(default=None, repr=False)
    """One to give to it; `None`: it has it, or none is given."""

    @property
    def active(self) -> bool:
        """Whether deliveries are taken afterwards."""
        return self.given.active and not self.missing

    @property
    def new(self) -> StoredTenant:
        """What a stored tenant becomes."""
        if self.old is None:
            raise ValueError("the tenant is not stored yet")
        return self.old.with_changes(
            mode=self.given.mode, settings=self.given.plain_settings, connection=self.connection
        )


def plan(given: ExportedTenant, secrets: Mapping[str, str], old: StoredTenant | None, problems: Problems) -> Planned:
    """What becomes of the tenant, given its secrets as far as they are known.

    Raises:
        TenantError: it cannot become that, and why.
    """
    hidden = {name: value for name, value in secrets.items() if name != WEBHOOK_SECRET}
    if old is None:
        return _added(given, hidden, secrets.get(WEBHOOK_SECRET), problems)
    if old.tool != given.tool:
        raise TenantError(f"tenant {given.tenant}: is a tenant of {old.tool}, and tools cannot be changed")
    # A secret that the file does not name is taken out; one that it names and nobody gave stays.
    kept = {name: value for name, value in old.connection.secret.items() if name in given.secret_fields}
    connection = Connection(_plain(given), {**kept, **hidden})
    lost = sorted(set(given.secret_fields) - connection.secret.keys())
    if lost:
        raise TenantError(f"tenant {given.tenant}: {', '.join(lost)}: give it in the file of --secrets")
    new = old.with_changes(mode=given.mode, settings=given.plain_settings, connection=connection)
    changes = list(new.changed_from(old))
    if connection != old.connection:
        _require(given, problems(connection.fields()))
    webhook_secret = secrets.get(WEBHOOK_SECRET)
    if given.active and given.webhook_secret and not old.webhook_secrets and webhook_secret is None:
        raise TenantError(f"tenant {given.tenant}: {WEBHOOK_SECRET}: give it in the file of --secrets")
    if given.active != (old.active_until is None):
        changes.append("active")
    if old.webhook_secrets[:1] == (webhook_secret,):
        webhook_secret = None
    if webhook_secret is not None:
        changes.append(WEBHOOK_SECRET)
    return Planned(given, old, connection, changes=tuple(changes), webhook_secret=webhook_secret)


def _added(given: ExportedTenant, hidden: Mapping[str, str], webhook_secret: str | None, problems: Problems) -> Planned:
    connection = Connection(_plain(given), dict(hidden))
    missing = [name for name in given.secret_fields if name not in hidden]
    if not missing:
        _require(given, problems(connection.fields()))
    if given.webhook_secret and webhook_secret is None:
        missing.append(WEBHOOK_SECRET)
    return Planned(given, None, connection, missing=tuple(missing), webhook_secret=webhook_secret)


def _plain(given: ExportedTenant) -> dict[str, object]:
    return {name: value for name, value in given.connection.items() if value is not None}


def _require(given: ExportedTenant, problems: list[str]) -> None:
    if problems:
        raise TenantError(f"tenant {given.tenant}: {'; '.join(problems)}")
