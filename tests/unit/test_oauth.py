"""Access tokens: one request for all who wait, kept as long as they count, refusals believed for a while."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from plugins.exceptions import APIError, AuthenticationError, RateLimitError
from plugins.oauth import REFUSAL_KEPT, AccessToken, AccessTokens, TokenAuth

CREDENTIALS = ("client", "secret")


class Vendor:
    """Gives tokens out, `t1`, `t2`, …, once it is let go on; what it refuses with is `failure`."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: Exception | None = None
        self.was_asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def ask(self) -> AccessToken:
        self.asked += 1
        self.was_asked.set()
        number = self.asked
        await self.go_on.wait()
        if self.failure:
            raise self.failure
        return AccessToken(f"t{number}", seconds=1000)


class Clock:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> AccessTokens:
    return AccessTokens(clock)


async def test_a_token_is_kept_until_shortly_before_its_end(tokens: AccessTokens, vendor: Vendor, clock: Clock) -> None:
    assert await tokens.get("acme", CREDENTIALS, vendor.ask) == "t1"
    clock.now += 939
    assert await tokens.get("acme", CREDENTIALS, vendor.ask) == "t1"
    clock.now += 2
    assert await tokens.get("acme", CREDENTIALS, vendor.ask) == "t2"


async def test_each_tenant_has_its_own(tokens: AccessTokens, vendor: Vendor) -> None:
    assert await tokens.get("acme", CREDENTIALS, vendor.ask) == "t1"
    assert await tokens.get("other", CREDENTIALS, vendor.ask) == "t2"


async def test_other_credentials_need_another_token(tokens: AccessTokens, vendor: Vendor) -> None:
    assert await tokens.get("acme", CREDENTIALS, vendor.ask) == "t1"
    assert await tokens.get("acme", ("client", "rotated"), vendor.ask) == "t2"
    assert await tokens.get("acme", ("clientrotated",), vendor.ask) == "t3"


async def test_however_many_wait_it_is_asked_for_once(tokens: AccessTokens, vendor: Vendor) -> None:
    vendor.go_on.clear()
    calls = [asyncio.create_task(tokens.get("acme", CREDENTIALS, vendor.ask)) for _ in range(20)]
    await vendor.was_asked.wait()
    vendor.go_on.set()
    assert set(await asyncio.gather(*calls)) == {"t1"}
    assert vendor.asked == 1


async def test_a_call_that_is_closed_leaves_the_token_to_the_others(tokens: AccessTokens, vendor: Vendor) -> None:
    vendor.go_on.clear()
    closed = asyncio.create_task(tokens.get("acme", CREDENTIALS, vendor.ask))
    other = asyncio.create_task(tokens.get("acme", CREDENTIALS, vendor.ask))
    await vendor.was_asked.wait()
    closed.cancel()
    vendor.go_on.set()
    assert await other == "t1"
    assert vendor.asked == 1


async def test_a_refused_token_is_renewed_once_for_all_whom_it_failed(tokens: AccessTokens, vendor: Vendor) -> None:
    await tokens.get("acme", CREDENTIALS, vendor.ask)
    fresh = [await tokens.get("acme", CREDENTIALS, vendor.ask, refused="t1") for _ in range(3)]
    assert fresh == ["t2", "t2", "t2"]


async def test_a_fresh_token_that_is_refused_is_not_renewed_again_and_again(
    tokens: AccessTokens, vendor: Vendor, clock: Clock
) -> None:
    await tokens.get("acme", CREDENTIALS, vendor.ask)
    assert await tokens.get("acme", CREDENTIALS, vendor.ask, refused="t1") == "t2"
    assert await tokens.get("acme", CREDENTIALS, vendor.ask, refused="t2") == "t2", "it is not the token's fault"
    clock.now += REFUSAL_KEPT + 1
    assert await tokens.get("acme", CREDENTIALS, vendor.ask, refused="t2") == "t3"


async def test_calls_that_were_refused_together_all_get_the_new_token(tokens: AccessTokens, vendor: Vendor) -> None:
    await tokens.get("acme", CREDENTIALS, vendor.ask)
    refused = [tokens.get("acme", CREDENTIALS, vendor.ask, refused="t1") for _ in range(3)]
    assert await asyncio.gather(*refused) == ["t2", "t2", "t2"]
    assert vendor.asked == 2


async def test_a_refusal_that_is_told_again_is_another_error(tokens: AccessTokens, vendor: Vendor) -> None:
    vendor.failure = AuthenticationError("invalid_client")
    caught = []
    for _ in range(3):
        with pytest.raises(AuthenticationError) as refusal:
            await tokens.get("acme", CREDENTIALS, vendor.ask)
        caught.append(refusal.value)
    assert len({id(error) for error in caught}) == 3


async def test_a_refusal_of_the_credentials_is_believed_for_a_while(
    tokens: AccessTokens, vendor: Vendor, clock: Clock
) -> None:
    vendor.failure = AuthenticationError("invalid_client")
    for _ in range(3):
        with pytest.raises(AuthenticationError, match="invalid_client"):
            await tokens.get("acme", CREDENTIALS, vendor.ask)
    assert vendor.asked == 1
    vendor.failure = None
    clock.now += REFUSAL_KEPT + 1
    assert await tokens.get("acme", CREDENTIALS, vendor.ask) == "t2"


async def test_a_throttle_at_the_token_address_is_believed_too(tokens: AccessTokens, vendor: Vendor) -> None:
    vendor.failure = RateLimitError("too many tokens")
    for _ in range(3):
        with pytest.raises(RateLimitError):
            await tokens.get("acme", CREDENTIALS, vendor.ask)
    assert vendor.asked == 1


async def test_a_throttle_is_believed_no_longer_than_it_says(
    tokens: AccessTokens, vendor: Vendor, clock: Clock
) -> None:
    vendor.failure = RateLimitError("too many tokens", retry_after=5)
    for seconds, left in ((0, 5), (2, 3)):
        clock.now += seconds
        with pytest.raises(RateLimitError) as refusal:
            await tokens.get("acme", CREDENTIALS, vendor.ask)
        assert refusal.value.retry_after == left
    clock.now += 4
    with pytest.raises(RateLimitError):
        await tokens.get("acme", CREDENTIALS, vendor.ask)
    assert vendor.asked == 2


async def test_another_failure_is_not_believed(tokens: AccessTokens, vendor: Vendor) -> None:
    vendor.failure = APIError("503")
    with pytest.raises(APIError):
        await tokens.get("acme", CREDENTIALS, vendor.ask)
    vendor.failure = None
    assert await tokens.get("acme", CREDENTIALS, vendor.ask) == "t2"


# Sending it


def client(vendor: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(vendor))


def giver(*tokens: str) -> tuple[list[str | None], Callable[[str | None], Awaitable[str]]]:
    asked: list[str | None] = []

    async def give(refused: str | None) -> str:
        asked.append(refused)
        return tokens[len(asked) - 1]

    return asked, give


async def test_a_refused_request_goes_out_once_more_with_a_fresh_token_and_the_same_body() -> None:
    seen: list[tuple[str, bytes]] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        seen.append((request.headers["Authorization"], request.content))
        return httpx.Response(200 if "new" in request.headers["Authorization"] else 401)

    asked, give = giver("old", "new")
    async with client(vendor) as http:
        answer = await http.post(
            "https://vendor.example/notes", json={"a": 1}, auth=TokenAuth(give, kind="Zoho-oauthtoken")
        )
    assert answer.status_code == 200
    assert seen == [("Zoho-oauthtoken old", b'{"a":1}'), ("Zoho-oauthtoken new", b'{"a":1}')]
    assert asked == [None, "old"]


async def test_a_token_that_is_not_renewed_is_not_sent_again() -> None:
    asked, give = giver("old", "old")
    seen: list[httpx.Request] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(401)

    async with client(vendor) as http:
        assert (await http.get("https://vendor.example/", auth=TokenAuth(give))).status_code == 401
    assert (len(seen), asked) == (1, [None, "old"])


async def test_what_is_refused_twice_stays_refused() -> None:
    asked, give = giver("old", "new", "newer")
    async with client(lambda _: httpx.Response(401)) as http:
        assert (await http.get("https://vendor.example/", auth=TokenAuth(give))).status_code == 401
    assert asked == [None, "old"]


@pytest.mark.parametrize("status", [200, 400, 403, 404, 429, 500])
async def test_only_a_refusal_of_the_token_is_answered_with_another(status: int) -> None:
    asked, give = giver("old", "new")
    async with client(lambda _: httpx.Response(status)) as http:
        assert (await http.get("https://vendor.example/", auth=TokenAuth(give))).status_code == status
    assert asked == [None]
