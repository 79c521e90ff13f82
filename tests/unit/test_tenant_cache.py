import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from deskhand.db.errors import DatabaseUnavailableError
from deskhand.tenants import cache as cached
from deskhand.tenants.cache import ABSENT_SECONDS, FRESH_SECONDS, MAX_ABSENT, STALE_SECONDS, TenantCache
from plugins.tenants import TenantConfig
from plugins.types import TenantMode, TenantSettings


async def _no_connection() -> Mapping[str, Any]:
    return {}


def tenant(tenant_id: str, mode: TenantMode = TenantMode.LIVE) -> TenantConfig:
    return TenantConfig(
        tenant_id, "jira", datetime(2025, 1, 1, tzinfo=UTC), None, mode, TenantSettings(), (), _no_connection
    )


@dataclass
class Rows:
    """A database of tenants that can be down, and a clock."""

    tenants: dict[str, TenantConfig] = field(default_factory=dict)
    down: bool = False
    reads: int = 0
    now: float = 1_000.0
    answer: asyncio.Event | None = None

    async def read(self, tenant_id: str) -> TenantConfig | None:
        self.reads += 1
        if self.answer is not None:
            await self.answer.wait()
        if self.down:
            raise DatabaseUnavailableError("down")
        return self.tenants.get(tenant_id)

    def cache(self) -> TenantCache:
        return TenantCache(self.read, lambda: self.now)


async def test_a_database_that_hangs_keeps_nobody_waiting_for_a_known_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "HANG_SECONDS", 0.01)
    rows = Rows({"acme": tenant("acme")})
    cache = rows.cache()
    known = await cache.get("acme")
    rows.now += FRESH_SECONDS + 1
    rows.answer = asyncio.Event()
    changed = rows.tenants["acme"] = tenant("acme", TenantMode.PAUSE)
    assert await cache.get("acme") is known
    rows.answer.set()
    rows.now += FRESH_SECONDS + 1
    assert await cache.get("acme") is changed, "once it answers again"


async def test_a_change_is_seen_after_ten_seconds_and_not_before() -> None:
    rows = Rows({"acme": tenant("acme")})
    cache = rows.cache()
    assert await cache.get("acme") is rows.tenants["acme"]
    changed = rows.tenants["acme"] = tenant("acme", TenantMode.PAUSE)
    rows.now += FRESH_SECONDS - 0.1
    assert (await cache.get("acme")) is not changed
    rows.now += 0.2
    assert (await cache.get("acme")) is changed


async def test_a_tenant_that_was_just_added_is_seen_soon() -> None:
    rows = Rows()
    cache = rows.cache()
    assert await cache.get("acme") is None
    rows.tenants["acme"] = tenant("acme")
    assert await cache.get("acme") is None
    rows.now += ABSENT_SECONDS
    assert await cache.get("acme") is rows.tenants["acme"]


async def test_a_tenant_that_is_gone_is_not_served_from_before() -> None:
    rows = Rows({"acme": tenant("acme")})
    cache = rows.cache()
    await cache.get("acme")
    del rows.tenants["acme"]
    rows.now += FRESH_SECONDS
    assert await cache.get("acme") is None
    rows.down = True
    rows.now += ABSENT_SECONDS
    with pytest.raises(DatabaseUnavailableError):
        await cache.get("acme")


async def test_any_number_of_unknown_ids_takes_bounded_memory() -> None:
    rows = Rows()
    cache = rows.cache()
    for number in range(MAX_ABSENT + 1):
        await cache.get(f"stranger-{number}")
    rows.tenants = {f"stranger-{number}": tenant(f"stranger-{number}") for number in (0, 1)}
    assert await cache.get("stranger-0") is not None  # forgotten, so asked again
    assert await cache.get("stranger-1") is None  # still believed to be absent


async def test_many_callers_at_once_make_one_read() -> None:
    rows = Rows({"acme": tenant("acme"), "other": tenant("other")}, answer=asyncio.Event())
    cache = rows.cache()
    assert rows.answer is not None
    callers = [asyncio.create_task(cache.get("acme")) for _ in range(50)]
    other = asyncio.create_task(cache.get("other"))
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.sleep(0)
    rows.answer.set()
    found = await asyncio.gather(*callers[1:])
    assert all(config is rows.tenants["acme"] for config in found)
    assert await other is rows.tenants["other"]
    assert rows.reads == 2


async def test_a_known_tenant_is_served_for_fifteen_minutes_while_the_database_is_down() -> None:
    rows = Rows({"acme": tenant("acme")})
    cache = rows.cache()
    known = await cache.get("acme")
    rows.down = True
    rows.now += STALE_SECONDS - 1
    assert await cache.get("acme") is known
    assert await cache.get("acme") is known
    assert rows.reads == 2  # it is not asked again for each delivery
    rows.now += 1
    with pytest.raises(DatabaseUnavailableError):
        await cache.get("acme")
    rows.down = False
    assert await cache.get("acme") is known


async def test_nobody_can_say_about_an_unknown_tenant_while_the_database_is_down() -> None:
    rows = Rows(down=True)
    cache = rows.cache()
    with pytest.raises(DatabaseUnavailableError):
        await cache.get("acme")
    rows.down = False
    assert await cache.get("acme") is None
    rows.down = True
    rows.now += ABSENT_SECONDS
    with pytest.raises(DatabaseUnavailableError):
        await cache.get("acme")
