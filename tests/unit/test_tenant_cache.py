import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from deskhand.db.errors import DatabaseUnavailableError
from deskhand.tenants import cache as cached
from deskhand.tenants.cache import (
    ABSENT_SECONDS,
    FRESH_SECONDS,
    STALE_SECONDS,
    Limits,
    TenantCache,
    TooManyUnknownError,
)
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
    asked: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    now: float = 1_000.0
    answer: asyncio.Event | None = None

    async def read(self, tenant_id: str) -> TenantConfig | None:
        self.reads += 1
        self.asked[tenant_id] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.answer is not None:
                await self.answer.wait()
        finally:
            self.at_once -= 1
        if self.down:
            raise DatabaseUnavailableError("down")
        return self.tenants.get(tenant_id)

    def cache(self, limits: Limits | None = None) -> TenantCache:
        return TenantCache(self.read, lambda: self.now, limits)


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


async def settled(calls: list["asyncio.Task[TenantConfig | None]"], *, leave: int = 0) -> None:
    """Let the calls come as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert sum(not call.done() for call in calls) == leave


async def test_an_unknown_name_is_asked_for_once_in_half_a_minute_however_many_others_come_between() -> None:
    rows = Rows()
    cache = rows.cache(Limits(absent=1_000))
    for _ in range(3):
        for number in range(1_000):
            assert await cache.get(f"stranger-{number}") is None
        rows.now += (ABSENT_SECONDS - 1) / 3
    assert set(rows.asked.values()) == {1}
    rows.now += ABSENT_SECONDS
    for number in range(1_000):
        assert await cache.get(f"stranger-{number}") is None
    assert set(rows.asked.values()) == {2}


async def test_with_as_many_absent_names_as_are_kept_a_further_one_is_neither_asked_for_nor_denied() -> None:
    rows = Rows({"acme": tenant("acme"), "cold": tenant("cold")})
    cache = rows.cache(Limits(absent=10))
    await cache.get("acme")
    for number in range(10):
        rows.now += 1
        assert await cache.get(f"stranger-{number}") is None
    asked = rows.reads
    for name in ("stranger-11", "cold"):
        with pytest.raises(TooManyUnknownError):
            await cache.get(name)
    assert rows.reads == asked
    changed = rows.tenants["acme"] = tenant("acme", TenantMode.PAUSE)
    rows.now += ABSENT_SECONDS - 10
    assert await cache.get("acme") is changed, "one in memory is read anew all the same"
    assert await cache.get("stranger-0") is None
    rows.now += 2
    assert await cache.get("cold") is rows.tenants["cold"], "the first answers had ended: there is room"


async def test_a_tenant_that_goes_while_there_is_no_room_is_gone() -> None:
    rows = Rows({"acme": tenant("acme")})
    cache = rows.cache(Limits(absent=2))
    await cache.get("acme")
    for name in ("stranger-1", "stranger-2"):
        await cache.get(name)
    del rows.tenants["acme"]
    rows.now += FRESH_SECONDS
    assert await cache.get("acme") is None
    asked = rows.reads
    assert await cache.get("acme") is None
    assert rows.reads == asked


async def test_few_unknown_names_are_asked_for_at_once_and_those_in_memory_out_of_turn() -> None:
    rows = Rows({"acme": tenant("acme")})
    cache = rows.cache(Limits(at_once=4, waiting=50))
    await cache.get("acme")
    rows.answer = asyncio.Event()
    calls = [asyncio.create_task(cache.get(f"stranger-{number}")) for number in range(50)]
    await settled(calls, leave=50)
    assert rows.at_once == 4
    with pytest.raises(TooManyUnknownError):
        await cache.get("stranger-50")
    assert await cache.get("acme") is rows.tenants["acme"]
    rows.now += FRESH_SECONDS
    known = asyncio.create_task(cache.get("acme"))
    await settled([known], leave=1)
    assert rows.at_once == 5
    rows.answer.set()
    assert await asyncio.gather(*calls) == [None] * 50
    assert await known is rows.tenants["acme"]
    assert rows.most_at_once == 5
    assert await cache.get("stranger-50") is None


async def test_callers_for_one_unknown_name_are_bounded_too_and_ask_once() -> None:
    rows = Rows(answer=asyncio.Event())
    cache = rows.cache(Limits(waiting=10))
    assert rows.answer is not None
    calls = [asyncio.create_task(cache.get("stranger")) for _ in range(30)]
    await settled(calls, leave=10)
    rows.answer.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] * 10 + ["TooManyUnknownError"] * 20
    assert rows.reads == 1


async def test_callers_who_give_up_leave_no_lookup_behind_that_others_could_not_have() -> None:
    rows = Rows(answer=asyncio.Event())
    cache = rows.cache(Limits(at_once=2, waiting=4))
    assert rows.answer is not None
    calls = [asyncio.create_task(cache.get(f"stranger-{number}")) for number in range(4)]
    await settled(calls, leave=4)
    for call in calls:
        call.cancel()
    await settled(calls)
    with pytest.raises(TooManyUnknownError):  # the database still owes four answers
        await cache.get("stranger-5")
    rows.answer.set()
    await settled([])
    assert await cache.get("stranger-5") is None
    assert rows.most_at_once == 2


async def test_where_the_database_fails_its_turns_are_given_back() -> None:
    rows = Rows(down=True)
    cache = rows.cache(Limits(at_once=2, waiting=4))
    for number in range(20):
        with pytest.raises(DatabaseUnavailableError):
            await cache.get(f"stranger-{number}")
    rows.down = False
    assert await cache.get("stranger-0") is None


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
