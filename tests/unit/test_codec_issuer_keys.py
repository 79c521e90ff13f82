"""How long the issuer's keys are kept, and how often it is asked: against a pretend issuer, under a clock of ours."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from deskhand.codec.issuer import (
    AGAIN_SECONDS,
    FIRST_AGAIN_SECONDS,
    FRESH_SECONDS,
    STALE_SECONDS,
    IssuerKeys,
    IssuerUnavailableError,
)
from tests.support.issuer import PretendIssuer, SigningKey


@dataclass
class Clock:
    now: float = 5.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Setting:
    issuer: PretendIssuer
    keys: IssuerKeys
    clock: Clock

    async def knows(self, kid: str) -> bool:
        return bool(await self.keys.named(kid))


@pytest.fixture
async def at() -> AsyncIterator[Setting]:
    issuer, clock = PretendIssuer(), Clock()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(issuer)) as http:
        yield Setting(issuer, IssuerKeys(http, issuer.origin, clock=clock), clock)


async def test_keys_are_asked_for_once_in_ten_minutes(at: Setting) -> None:
    for _ in range(3):
        assert await at.knows("one")
    at.clock.now += FRESH_SECONDS - 1
    assert await at.knows("one")
    assert at.issuer.asked == 1
    at.issuer.rotate(SigningKey.make("two"))
    at.clock.now += 1
    assert not await at.knows("one")
    assert await at.knows("two")


async def test_many_callers_at_once_cost_one_question(at: Setting) -> None:
    at.issuer.open.clear()
    asking = [asyncio.create_task(at.knows("one")) for _ in range(20)]
    await asyncio.wait(asking, timeout=0.05)
    at.issuer.open.set()
    assert all(await asyncio.gather(*asking))
    assert at.issuer.asked == 1
    at.issuer.rotate(SigningKey.make("two"))
    assert all(await asyncio.gather(*(at.knows("two") for _ in range(20))))
    assert at.issuer.asked == 2


async def test_an_unknown_key_is_sought_once_in_thirty_seconds(at: Setting) -> None:
    assert await at.knows("one")
    for kid in ("x", "y", "x"):
        assert not await at.knows(kid)
    assert at.issuer.asked == 2
    at.issuer.rotate(SigningKey.make("two"))
    at.clock.now += AGAIN_SECONDS - 1
    assert not await at.knows("two")
    at.clock.now += 1
    assert await at.knows("two")
    assert at.issuer.asked == 3


async def test_keys_serve_a_day_while_the_issuer_is_down(at: Setting) -> None:
    assert await at.knows("one")
    at.issuer.status = 503
    at.clock.now += FRESH_SECONDS
    assert await at.knows("one")
    at.clock.now += AGAIN_SECONDS - 1
    assert await at.knows("one")
    assert at.issuer.asked == 1  # it fell at discovery
    at.issuer.status = 200
    at.issuer.rotate(SigningKey.make("two"))
    at.clock.now += 1
    assert await at.knows("two")
    at.issuer.status = 503
    at.clock.now += STALE_SECONDS
    assert await at.knows("two")
    at.clock.now += 1
    with pytest.raises(IssuerUnavailableError, match="503"):
        await at.knows("two")
    at.issuer.status = 200
    at.clock.now += FIRST_AGAIN_SECONDS
    assert await at.knows("two")


async def test_a_key_that_may_be_new_is_not_called_unknown_while_the_issuer_is_down(at: Setting) -> None:
    assert await at.knows("one")
    at.issuer.status = 503
    for _ in range(2):
        with pytest.raises(IssuerUnavailableError, match="503"):
            await at.knows("two")
    at.issuer.status = 200
    at.clock.now += AGAIN_SECONDS
    assert not await at.knows("two")


async def test_without_keys_it_is_asked_again_after_a_second(at: Setting) -> None:
    at.issuer.body = b'{"keys": []}'
    for _ in range(5):
        with pytest.raises(IssuerUnavailableError, match="no public key"):
            await at.knows("one")
    assert at.issuer.asked == 1
    at.issuer.body = None
    at.clock.now += FIRST_AGAIN_SECONDS
    assert await at.knows("one")


PRIVATE_USE = {**SigningKey.make("one").jwk, "use": "enc"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not answer in JSON"),
        (b"[" * 50_000, "not answer in JSON"),
        (b"\xff", "not answer in JSON"),
        (b"[]", "JSON object"),
        (b'{"keys": {"one": 1}}', "no public key"),
        (b'{"keys": [7, {"kid": 7, "kty": "RSA"}, {"kty": "EC"}]}', "no public key"),
        (b'{"keys": [{"kid": "one", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}', "no public key"),
        (b'{"keys": [{"kid": "one", "kty": "RSA", "use": "enc"}]}', "no public key"),
    ],
    ids=["nothing", "deep", "not text", "a list", "keys by name", "not keys", "a secret", "for encryption"],
)
async def test_what_is_no_key_set_is_no_answer(at: Setting, body: bytes, says: str) -> None:
    at.issuer.body = body
    with pytest.raises(IssuerUnavailableError, match=says):
        await at.knows("one")


@pytest.mark.parametrize("url", [None, 7, "http://issuer.example/keys", "http://127.0.0.1/keys", "file:///etc/x", "::"])
async def test_keys_are_not_fetched_from_just_anywhere(at: Setting, url: object) -> None:
    at.issuer.says_jwks = url
    with pytest.raises(IssuerUnavailableError):
        await at.knows("one")
    assert at.issuer.asked == 0
