"""Senders that dribble, and floods: a starter's own process, over raw sockets. Neither of its stores is there."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpx
import pytest

from deskhand.devstack.waiting import came_true
from tests.support.starter_process import starter_process

HEAD = b"POST /webhooks/jira/acme HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[tuple[str, int]]:
    """It waits half a second for each part of a request."""
    async with starter_process(DESKHAND_RECEIVE_SECONDS="0.5", DESKHAND_MAX_BODY_BYTES="2048") as starter:
        yield starter.place


async def dribble(place: tuple[str, int], first: bytes, then: bytes) -> bytes:
    """Say `first`, then `then` over and over, a little at a time, until the server closes; what it answered."""
    reader, writer = await asyncio.open_connection(*place)
    writer.write(first)
    answer = asyncio.create_task(everything(reader))
    try:
        while then and not answer.done():
            writer.write(then)
            await writer.drain()
            await asyncio.wait([answer], timeout=0.05)
    except ConnectionError:
        pass
    try:
        return await answer
    finally:
        writer.close()


async def everything(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, also where it ends by a reset: we may have been writing still."""
    said = b""
    try:
        while some := await reader.read(65_536):
            said += some
    except ConnectionError:
        pass
    return said


def parts(answer: bytes) -> tuple[str, dict[str, str], dict[str, object]]:
    """Status line, headers and body of the first answer on a connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return status, headers, json.loads(body[: int(headers["content-length"])])


SLOW = {
    "head": (b"POST /webhooks/jira/acme HTTP/1.1\r\n", b"X: y\r\n"),
    "head that stops": (b"POST /webhooks/jira/acme HTTP/1.1\r\n", b""),
    "body": (HEAD, b" "),
    "body that stops": (HEAD + b"{", b""),
    "chunked body": (HEAD.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
}


@pytest.mark.parametrize("name", SLOW)
async def test_a_slow_sender_is_told_so_and_the_connection_closed(impatient: tuple[str, int], name: str) -> None:
    status, headers, body = parts(await dribble(impatient, *SLOW[name]))
    assert status == "HTTP/1.1 408 Request Timeout"
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    assert body["status"] == 408
    assert "0.5 s" in str(body["detail"])


async def test_a_second_request_on_a_connection_is_held_to_the_same(impatient: tuple[str, int]) -> None:
    answer = await dribble(impatient, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", b"l")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 Request Timeout" in answer


async def test_a_connection_that_says_nothing_is_closed_without_a_word(impatient: tuple[str, int]) -> None:
    assert await dribble(impatient, b"", b"") == b""


async def test_a_body_that_goes_on_after_its_answer_is_cut_off(impatient: tuple[str, int]) -> None:
    for head, status in (
        (HEAD.replace(b"Content-Length: 1000", b"Content-Length: 1000000"), b"413"),
        (HEAD.replace(b"jira", b"telex"), b"404"),
    ):
        assert (await dribble(impatient, head, b" ")).startswith(b"HTTP/1.1 " + status)


async def test_a_quick_request_after_the_slow_ones_is_served(impatient: tuple[str, int]) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        url = "http://{}:{}".format(*impatient)
        for _ in range(3):
            assert (await http.get(f"{url}/healthz")).status_code == 200
            assert (await http.post(f"{url}/webhooks/jira/acme", json={})).status_code == 503


@pytest.fixture(scope="module")
async def narrow() -> AsyncIterator[tuple[str, int]]:
    """It takes two deliveries at once, and eight connections."""
    async with starter_process(DESKHAND_RECEIVE_SECONDS="600", DESKHAND_MAX_IN_FLIGHT="2") as starter:
        yield starter.place


async def opened(place: tuple[str, int], number: int, first: bytes) -> list[asyncio.StreamWriter]:
    """That many connections that have said something and are held."""
    writers = []
    for _ in range(number):
        _, writer = await asyncio.open_connection(*place)
        writer.write(first)
        await writer.drain()
        writers.append(writer)
    return writers


async def is_answered(place: tuple[str, int], right: Callable[[httpx.Response], bool]) -> bool:
    """Whether a delivery gets such an answer, within a while."""
    async with httpx.AsyncClient(trust_env=False) as http:

        async def answers() -> bool:
            try:
                return right(await http.post("http://{}:{}/webhooks/jira/acme".format(*place), json={}))
            except httpx.TransportError:
                return False

        return await came_true(answers, seconds=20)


def too_many(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and answer.headers["retry-after"] == "30" and "at once" in answer.json()["detail"]


async def test_deliveries_past_the_bound_are_told_to_come_again_before_their_body_is_read(
    narrow: tuple[str, int],
) -> None:
    assert await is_answered(narrow, lambda answer: not too_many(answer))
    held = await opened(narrow, 2, HEAD)
    assert await is_answered(narrow, too_many)
    reader, writer = await asyncio.open_connection(*narrow)
    writer.write(HEAD)  # and not a byte of its body
    assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
    writer.close()
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get("http://{}:{}/healthz".format(*narrow))).status_code == 200, "probes are not deliveries"
    for each in held:
        each.close()
    assert await is_answered(narrow, lambda answer: not too_many(answer))


async def test_connections_past_the_bound_are_closed_at_once(narrow: tuple[str, int]) -> None:
    held = await opened(narrow, 8, b"POST /")
    reader, writer = await asyncio.open_connection(*narrow)
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    for each in held:
        each.close()
    assert await is_answered(narrow, lambda answer: not too_many(answer))
