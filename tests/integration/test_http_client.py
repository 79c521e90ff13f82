"""The shared client over real sockets: what it keeps apart, and where it refuses to go."""

import asyncio
import gzip
import socket
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from deskhand import http as shared
from deskhand.http import AddressGuard, create_http_client
from plugins.http import PRIVATE_EXTENSION, TENANT_EXTENSION, ForbiddenAddressError


class Vendor:
    """One host that serves many tenants, and remembers who came over which connection."""

    def __init__(self) -> None:
        self.base_url = ""
        self.connections: dict[str, set[int]] = {}
        self.cookies: list[str] = []
        self.accepted: set[str] = set()
        self.inside = 0
        self.most_inside = 0
        self.gate = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/", self.answer),
                Route("/slow", self.slow),
                Route("/moved", lambda _: RedirectResponse("/")),
                Route("/huge", self.huge),
                Route("/encoded", self.encoded),
            ]
        )

    async def answer(self, request: Request) -> Response:
        assert request.client is not None
        self.connections.setdefault(request.headers["x-tenant"], set()).add(request.client.port)
        self.cookies.append(request.headers.get("cookie", ""))
        response = PlainTextResponse("ok")
        response.set_cookie("session", request.headers["x-tenant"])
        return response

    async def slow(self, request: Request) -> Response:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        if self.inside == shared.CALLS_PER_TENANT:
            self.gate.set()
        await self.gate.wait()
        await asyncio.sleep(0)
        self.inside -= 1
        return PlainTextResponse("ok")

    async def huge(self, request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(9):
                yield b"x" * 1024 * 1024

        return StreamingResponse(body())

    async def encoded(self, request: Request) -> Response:
        """Says that it is encoded as it was asked to, and is gzip of far more than the limit."""
        self.accepted.add(request.headers["accept-encoding"])
        return Response(BOMB, headers={"Content-Encoding": request.query_params["as"]})


BOMB = gzip.compress(bytes(10 * shared.MAX_RESPONSE_BYTES))


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    # The socket listens before the server runs, so early requests wait in its backlog instead of being refused.
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(vendor.app, log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    vendor.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    yield vendor
    vendor.gate.set()
    server.should_exit = True
    await serving


@pytest.fixture
async def client(vendor: Vendor) -> AsyncIterator[httpx.AsyncClient]:
    async with create_http_client(dev_vendors=frozenset({vendor.base_url.removeprefix("http://")})) as client:
        yield client


async def get(client: httpx.AsyncClient, url: str, tenant: str) -> httpx.Response:
    return await client.get(url, headers={"x-tenant": tenant}, extensions={TENANT_EXTENSION: tenant})


async def test_two_tenants_of_one_host_share_no_cookie_and_no_connection(
    vendor: Vendor, client: httpx.AsyncClient
) -> None:
    for tenant in ("a", "b", "a", "b"):
        await get(client, vendor.base_url, tenant)
    assert vendor.cookies == ["", "", "", ""]
    assert len(vendor.connections["a"]) == 1, "a tenant's connection is kept alive"
    assert vendor.connections["a"].isdisjoint(vendor.connections["b"])


async def test_redirects_are_not_followed(vendor: Vendor, client: httpx.AsyncClient) -> None:
    assert (await get(client, f"{vendor.base_url}/moved", "a")).status_code == 307
    assert not vendor.connections


async def test_an_answer_past_the_limit_is_an_error(vendor: Vendor, client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadError, match="larger"):
        await get(client, f"{vendor.base_url}/huge", "a")


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip"])
async def test_a_compressed_answer_is_refused_before_it_is_inflated(
    vendor: Vendor, client: httpx.AsyncClient, coding: str
) -> None:
    for _ in range(shared.CALLS_PER_TENANT + 1):  # a refused answer that kept its connection would use them up
        with pytest.raises(httpx.DecodingError, match="compressed"):
            await get(client, f"{vendor.base_url}/encoded?as={coding}", "a")
    assert vendor.accepted == {"identity"}


async def test_an_answer_that_says_it_is_not_compressed_is_taken(vendor: Vendor, client: httpx.AsyncClient) -> None:
    assert (await get(client, f"{vendor.base_url}/encoded?as=Identity", "a")).content == BOMB


@pytest.mark.parametrize("extensions", [{}, {TENANT_EXTENSION: ""}, {TENANT_EXTENSION: None}])
async def test_a_request_that_names_no_tenant_is_refused(
    vendor: Vendor, client: httpx.AsyncClient, extensions: dict[str, object]
) -> None:
    with pytest.raises(httpx.UnsupportedProtocol, match="must name its tenant"):
        await client.get(vendor.base_url, headers={"x-tenant": ""}, extensions=extensions)
    assert not vendor.connections


async def test_one_tenants_calls_in_flight_are_bounded(vendor: Vendor, client: httpx.AsyncClient) -> None:
    calls = [get(client, f"{vendor.base_url}/slow", "a") for _ in range(shared.CALLS_PER_TENANT + 10)]
    answers = await asyncio.gather(*calls)
    assert Counter(answer.status_code for answer in answers) == {200: shared.CALLS_PER_TENANT + 10}
    assert vendor.most_inside == shared.CALLS_PER_TENANT


async def test_idle_pools_are_closed_past_the_number_kept(
    vendor: Vendor, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "POOLS_KEPT", 2)
    for tenant in ("a", "b", "c", "a"):
        await get(client, vendor.base_url, tenant)
    assert len(vendor.connections["a"]) == 2, "the connection of the least recent tenant was closed"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_loopback_address_that_is_not_listed_is_refused(vendor: Vendor, scheme: str) -> None:
    async with create_http_client() as client:
        with pytest.raises(ForbiddenAddressError, match=r"must be https|never allowed"):
            await get(client, vendor.base_url.replace("http", scheme), "a")
    assert not vendor.connections


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",  # noqa: S104  (an address to refuse, not to listen on)
        "169.254.169.254",
        "fe80::1",
        "224.0.0.1",
        "100.64.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
    ],
)
@pytest.mark.parametrize("private", [True, False])
async def test_addresses_that_are_never_allowed(host: str, private: bool) -> None:
    guard = AddressGuard(frozenset(), frozenset())
    with pytest.raises(ForbiddenAddressError, match="never allowed"):
        await guard.addresses(host, 443, private=private)


@pytest.mark.parametrize("host", ["10.0.0.5", "192.168.1.5", "172.16.0.5", "fd00::5"])
async def test_private_addresses_are_for_tenants_that_allow_them(host: str) -> None:
    guard = AddressGuard(frozenset(), frozenset())
    assert await guard.addresses(host, 443, private=True) == [host]
    with pytest.raises(ForbiddenAddressError, match="private"):
        await guard.addresses(host, 443, private=False)


async def test_our_own_stores_are_refused_even_where_private_addresses_are_allowed() -> None:
    guard = AddressGuard(frozenset(), frozenset({"10.0.0.5:5432"}))
    with pytest.raises(ForbiddenAddressError, match="stores"):
        await guard.addresses("10.0.0.5", 5432, private=True)
    assert await guard.addresses("10.0.0.5", 443, private=True) == ["10.0.0.5"]


async def test_public_addresses_are_allowed() -> None:
    assert await AddressGuard(frozenset(), frozenset()).addresses("93.184.216.34", 443, private=False)


async def test_a_name_is_judged_when_it_is_connected_to(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name was public when it was typed, and turns to loopback later."""
    loop = asyncio.get_running_loop()
    asked: list[str] = []

    async def turned(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", turned)
    async with create_http_client() as client:
        with pytest.raises(ForbiddenAddressError):
            await client.get("https://vendor.example/", extensions={TENANT_EXTENSION: "a", PRIVATE_EXTENSION: True})
    assert asked == ["vendor.example"], "and it is asked once, so that a second answer cannot differ"
