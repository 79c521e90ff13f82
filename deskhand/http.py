"""The one HTTP client that all plugins share, and what keeps its tenants and our own network safe from each other.

- Each tenant has a connection pool of its own, so nothing that a vendor ties to a connection is ever sent for another
  tenant, and one tenant's slow vendor cannot use up the calls of the rest.
- Addresses are judged when a connection is made, not when the URL was typed: a name may change its answer.
- No cookies, no redirects, no proxies from the environment, and no answer larger than the limit. Compressed answers are
  refused: a few bytes of one can become more than there is memory.
"""

import asyncio
import ipaddress
import socket
import ssl
import typing
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from plugins.http import PRIVATE_EXTENSION, TENANT_EXTENSION, ForbiddenAddressError

CALLS_PER_TENANT = 20
"""Connections, and so calls in flight, that one tenant may have at once."""
POOLS_KEPT = 256
"""Tenants whose idle connections are kept. Past it, the least recently used pool that is idle is closed."""
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
TIMEOUT = httpx.Timeout(30.0)
"""Only a backstop, in seconds: the activity closes a call at its budget."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE_IPV4 = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_PRIVATE_IPV6 = ipaddress.ip_network("fc00::/7")
# Where a cloud hands out credentials within the private range; its other address is link-local.
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254")})
# Global by the letter, but a gateway may turn them into any IPv4 address (RFC 6052, RFC 3056).
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))


def create_http_client(
    *, dev_vendors: frozenset[str] = frozenset(), own_stores: Iterable[str] = ()
) -> httpx.AsyncClient:
    """The shared client.

    Args:
        dev_vendors: exact `host:port` of pretend tools, which may be loopback and plain http.
        own_stores: `host:port` of our own PostgreSQL and Temporal, which no plugin may ever reach.
    """
    return httpx.AsyncClient(
        transport=TenantTransport(AddressGuard(dev_vendors, frozenset(own_stores))),
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        timeout=TIMEOUT,
        headers={"User-Agent": "deskhand", "Accept-Encoding": "identity"},
    )


class AddressGuard:
    """Says where a connection may go, and resolves names only once so that the answer cannot change in between."""

    def __init__(self, dev_vendors: frozenset[str], own_stores: frozenset[str]) -> None:
        self._dev_vendors = dev_vendors
        self._own_stores = own_stores
        self._names = _Names()

    def check_scheme(self, url: httpx.URL) -> None:
        """Refuse anything but https, save to a listed development vendor."""
        if url.scheme == "https" or f"{url.host}:{url.port or 80}" in self._dev_vendors:
            return
        raise ForbiddenAddressError("must be https")

    async def addresses(self, host: str, port: int, *, private: bool) -> list[str]:
        """The addresses of `host` to try, in order.

        Raises:
            ForbiddenAddressError: one of them is an address that may not be connected to. All count: a name that
                answers with a mixture is up to no good.
        """
        found = await self._names.addresses(host, port)
        if f"{host}:{port}" not in self._dev_vendors:
            own = await self._own_addresses(port)
            for address in found:
                self._check(address, private=private, own=own)
        return [str(address) for address in found]

    def _check(self, address: _Address, *, private: bool, own: set[_Address]) -> None:
        effective = getattr(address, "ipv4_mapped", None) or address
        if effective in own:
            raise ForbiddenAddressError("leads to one of Deskhand's own stores")
        if _is_never_allowed(effective):
            raise ForbiddenAddressError("leads to an address that is never allowed")
        if not effective.is_global and not private:
            raise ForbiddenAddressError(
                "leads to a private address; only a tenant added with --allow-private-address may have one"
            )

    async def _own_addresses(self, port: int) -> set[_Address]:
        own: set[_Address] = set()
        for store in self._own_stores:
            host, _, store_port = store.rpartition(":")
            if store_port == str(port):
                own.update(await self._names.addresses(host, port))
        return own


def _is_never_allowed(address: _Address) -> bool:
    """Neither a public address nor one of a private network. Python's releases differ in what they call private."""
    if isinstance(address, ipaddress.IPv4Address):
        private = any(address in network for network in _PRIVATE_IPV4)
    else:
        private = address in _PRIVATE_IPV6
    translated = any(address in network for network in _TRANSLATED)
    return address in _METADATA or address.is_multicast or translated or not (address.is_global or private)


class _Names:
    """Looks names up, each once at a time however many ask.

    A look-up holds a thread that everybody shares, and cannot be cut short: one tenant's name whose servers say nothing
    would take them all from the others.
    """

    def __init__(self) -> None:
        self._flights: dict[tuple[str, int], asyncio.Task[list[_Address]]] = {}

    async def addresses(self, host: str, port: int) -> list[_Address]:
        """The addresses of `host`, each once.

        Raises:
            httpcore.ConnectError: it has none.
        """
        name = host, port
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = asyncio.create_task(_resolve(host, port))
            flight.add_done_callback(lambda done: self._landed(name, done))
        # Shielded: a call that is closed at its budget must not fail the others that wait for the same name.
        return await asyncio.shield(flight)

    def _landed(self, name: tuple[str, int], flight: asyncio.Task[list[_Address]]) -> None:
        del self._flights[name]
        if not flight.cancelled():
            flight.exception()  # retrieved here: every caller may have given up


async def _resolve(host: str, port: int) -> list[_Address]:
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:  # the latter for what can be no name
        raise httpcore.ConnectError("the name does not resolve") from error
    return list(dict.fromkeys(ipaddress.ip_address(answer[4][0]) for answer in answers))


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's network backend, but for where it may connect to. TLS still checks the certificate for the name."""

    def __init__(self, guard: AddressGuard, *, private: bool) -> None:
        self._guard = guard
        self._private = private
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in await self._guard.addresses(host, port, private=self._private):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("the name has no address")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class TenantTransport(httpx.AsyncBaseTransport):
    """One connection pool per tenant, all over one TLS context."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._pools: OrderedDict[tuple[str, bool], _Pool] = OrderedDict()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request over its tenant's pool; the request's extensions name the tenant.

        Raises:
            httpx.UnsupportedProtocol: they name none. Nothing was sent.
            httpx.DecodingError: the answer is compressed, though we asked for it not to be.
            ForbiddenAddressError: the address is not one that may be connected to.
        """
        tenant = request.extensions.get(TENANT_EXTENSION)
        if not isinstance(tenant, str) or not tenant:
            raise httpx.UnsupportedProtocol(
                f'the request must name its tenant: extensions={{"{TENANT_EXTENSION}": tenant_id}}'
            )
        self._guard.check_scheme(request.url)
        private = bool(request.extensions.get(PRIVATE_EXTENSION, False))
        pool = self._pool(tenant, private=private)
        pool.calls += 1
        try:
            await self._close_idle()
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            pool.calls -= 1
            raise
        response.stream = _BoundedStream(typing.cast(httpx.AsyncByteStream, response.stream), pool)
        if _is_encoded(response):
            await response.aclose()
            raise httpx.DecodingError("the answer is compressed, though we asked for it not to be")
        return response

    async def aclose(self) -> None:
        """Close every pool."""
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.transport.aclose()

    def _pool(self, tenant: str, *, private: bool) -> "_Pool":
        key = (tenant, private)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = _Pool(_pool_transport(self._tls, _GuardedBackend(self._guard, private=private)))
        self._pools.move_to_end(key)
        return pool

    async def _close_idle(self) -> None:
        while len(self._pools) > POOLS_KEPT:
            idle = next((key for key, pool in self._pools.items() if pool.calls == 0), None)
            if idle is None:
                return
            await self._pools.pop(idle).transport.aclose()


class _Pool:
    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.transport = transport
        self.calls = 0


def _is_encoded(response: httpx.Response) -> bool:
    codings = response.headers.get("Content-Encoding", "").lower().split(",")
    return any(coding.strip() not in ("", "identity") for coding in codings)


def _pool_transport(tls: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> httpx.AsyncHTTPTransport:
    transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False)
    # httpx maps httpcore's errors and streams for us but has no argument for the network backend.
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=tls,
        max_connections=CALLS_PER_TENANT,
        max_keepalive_connections=CALLS_PER_TENANT,
        keepalive_expiry=30.0,
        network_backend=backend,
    )
    return transport


class _BoundedStream(httpx.AsyncByteStream):
    """A response body that ends in an error past the limit, and that tells its pool when the call is over."""

    def __init__(self, stream: httpx.AsyncByteStream, pool: _Pool) -> None:
        self._stream = stream
        self._pool = pool
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in self._stream:
            received += len(chunk)
            if received > MAX_RESPONSE_BYTES:
                raise httpx.ReadError(f"the answer is larger than {MAX_RESPONSE_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
        if self._open:
            self._open = False
            self._pool.calls -= 1
