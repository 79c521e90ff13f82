"""What one caller can cost the codec: its own process, over raw sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deskhand.devstack.waiting import came_true
from tests.support.codec_process import CodecProcess, codec_process

HEAD = (
    b"POST /decode HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer s3cret\r\n"
    b"Content-Type: application/json\r\nContent-Length: 15\r\n\r\n"
)
BODY = b'{"payloads":[]}'


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[CodecProcess]:
    """It waits half a second for each part of a request."""
    async with codec_process(DESKHAND_CODEC_TOKEN="s3cret", DESKHAND_RECEIVE_SECONDS="0.5") as codec:
        yield codec


async def connected(codec: CodecProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = codec.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (HEAD[:60], b"408"),
        (HEAD + BODY[:5], b"408"),
        (HEAD.replace(b"s3cret", b"other") + BODY[:5], b"401"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
    ],
    ids=["head", "body", "a stranger's body", "not HTTP"],
)
async def test_a_sender_that_stops_is_answered_and_cut(impatient: CodecProcess, part: bytes, status: bytes) -> None:
    reader, writer = await connected(impatient)
    writer.write(part)
    async with asyncio.timeout(20):
        answer = await reader.read()  # until it closes
    writer.close()
    assert answer.split()[1] == status


async def test_missing_and_doubled_hosts_are_refused(impatient: CodecProcess) -> None:
    old = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")
    for head in (
        old.replace(b"Host: 127.0.0.1\r\n", b""),
        HEAD.replace(b"Host: 127.0.0.1\r\n", b""),
        HEAD.replace(b"Host: 127.0.0.1\r\n", b"Host: 127.0.0.1\r\nHost: evil.example\r\n"),
    ):
        reader, writer = await connected(impatient)
        writer.write(head + BODY)
        answer = await reader.readuntil(b"\r\n")
        writer.close()
        assert answer.split()[1] == b"400"


async def test_more_requests_than_may_be_in_flight_are_told_to_come_again() -> None:
    async with codec_process(DESKHAND_CODEC_TOKEN="s3cret", DESKHAND_CODEC_MAX_IN_FLIGHT="1") as codec:
        reader, writer = await connected(codec)
        writer.write(HEAD)

        async def full() -> bool:
            answer = await codec.decode("s3cret")
            return answer.status_code == 503 and answer.headers["retry-after"] == "5"

        assert await came_true(full, 8)
        assert (await codec.decode("other")).status_code == 401  # strangers take no place, and learn nothing of it
        writer.write(BODY)
        assert (await reader.readuntil(b"\r\n")).split()[1] == b"200"
        writer.close()
        assert (await codec.decode("s3cret")).status_code == 200
