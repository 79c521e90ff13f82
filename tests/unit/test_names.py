"""Look-ups of names that do not end."""

import asyncio
import socket
import threading

import pytest

from deskhand.http import AddressGuard


async def test_a_name_that_is_never_answered_holds_one_thread_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, asked, real = threading.Event(), [], socket.getaddrinfo

    def resolver(host: str, *rest: object, **more: object) -> object:
        if host != "silent.example":
            return real("93.184.216.34", *rest, **more)  # type: ignore[arg-type]
        asked.append(host)
        answered.wait()
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    guard = AddressGuard(frozenset(), frozenset())
    silent = [asyncio.create_task(guard.addresses("silent.example", 443, private=False)) for _ in range(50)]
    try:
        assert await guard.addresses("vendor.example", 443, private=False) == ["93.184.216.34"]
        assert asked == ["silent.example"]
        silent[0].cancel()
        assert not any(task.done() for task in silent[1:]), "one that gives up fails none of the others"
    finally:
        answered.set()
        ended = await asyncio.gather(*silent, return_exceptions=True)
    assert {type(error).__name__ for error in ended} == {"CancelledError", "ConnectError"}
