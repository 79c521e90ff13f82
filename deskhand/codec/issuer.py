"""The public keys of who issues access tokens: fetched when needed, remembered, and never asked for too often."""

import asyncio
import json
import time
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import structlog

FRESH_SECONDS = 10 * 60.0
"""How long keys are used without asking again. A key that the issuer takes back is refused after that at the latest."""
STALE_SECONDS = 24 * 3600.0
"""How long keys are used while the issuer does not answer."""
AGAIN_SECONDS = 30.0
"""Between two questions for a key that nobody knows, and between two to an issuer that failed while there are keys."""
FIRST_AGAIN_SECONDS = 1.0
"""Between two questions to an issuer that failed, while there are no keys at all."""
FETCH_SECONDS = 5.0
"""What all of one fetch may take, discovery among it."""
MAX_ANSWER_BYTES = 256 * 1024

DISCOVERY = "/.well-known/openid-configuration"
"""Below the issuer's address (OpenID Connect Discovery 1.0, section 4)."""

Jwk = dict[str, Any]
"""One JSON Web Key (RFC 7517)."""

log = structlog.get_logger(__name__)


class IssuerUnavailableError(Exception):
    """The issuer's keys cannot be had now, so that nothing can be said of a token. The message says why not."""


def create_issuer_client() -> httpx.AsyncClient:
    """A client for `IssuerKeys`: no redirects, cookies, proxies. `SSL_CERT_FILE` may name a company's authority."""
    return httpx.AsyncClient(
        verify=httpx.create_ssl_context(),
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        timeout=FETCH_SECONDS,
        headers={"User-Agent": "deskhand", "Accept": "application/json", "Accept-Encoding": "identity"},
    )


class IssuerKeys:
    """The keys that an issuer signs with now, by their ids."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        issuer: str,
        *,
        jwks_url: str | None = None,
        plain_http_allowed: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet.

        Args:
            http: as `create_issuer_client` makes one.
            issuer: who it is, as its tokens say in `iss`.
            jwks_url: where its keys are; its discovery document says so where this is `None`.
            plain_http_allowed: whether an address may be asked without TLS.
            clock: seconds, only ever forward.
        """
        self._http = http
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._plain_http_allowed = plain_http_allowed
        self._clock = clock
        self._flight = asyncio.Lock()
        self._keys: list[Jwk] = []
        self._fetched_at = -STALE_SECONDS
        self._tried_at = -STALE_SECONDS
        self._sought_at = -STALE_SECONDS
        self._failure: str | None = None

    async def named(self, kid: str) -> list[Jwk]:
        """The keys of this id, mostly one; empty if the issuer has none, as far as may be asked.

        Raises:
            IssuerUnavailableError: it cannot be known.
        """
        await self._fetch_if(self._due)
        if self._age() > STALE_SECONDS:
            raise IssuerUnavailableError(self._failure or "its keys were not fetched yet")
        found = self._of(kid)
        if not found:
            await self._fetch_if(self._may_seek, seeking=True)
            found = self._of(kid)
        if not found and self._failure is not None:  # perhaps a new key, which it could not tell us of
            raise IssuerUnavailableError(self._failure)
        return found

    async def prepare(self) -> None:
        """Fetch the keys before the first caller needs them. The log says whether they came."""
        await self._fetch_if(self._due)

    def _of(self, kid: str) -> list[Jwk]:
        return [key for key in self._keys if key["kid"] == kid]

    def _age(self) -> float:
        return self._clock() - self._fetched_at if self._keys else float("inf")

    def _due(self) -> bool:
        age, rest = self._age(), self._clock() - self._tried_at
        if age > STALE_SECONDS:
            return self._failure is None or rest >= FIRST_AGAIN_SECONDS
        return age >= FRESH_SECONDS and (self._failure is None or rest >= AGAIN_SECONDS)

    def _may_seek(self) -> bool:
        now = self._clock()
        return now - self._sought_at >= AGAIN_SECONDS and (
            self._failure is None or now - self._tried_at >= AGAIN_SECONDS
        )

    async def _fetch_if(self, wanted: Callable[[], bool], *, seeking: bool = False) -> None:
        """One fetch at a time: who waited for another's looks again whether one is still wanted."""
        if not wanted():
            return
        async with self._flight:
            if not wanted():
                return
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    self._keys = await self._fetched()
            except (IssuerUnavailableError, TimeoutError) as error:
                self._failure = str(error) or f"it did not answer within {FETCH_SECONDS:g} s"
                log.warning("codec.issuer_unavailable", reason=self._failure, keys=len(self._keys))
            else:
                self._failure = None
                self._fetched_at = self._clock()
                log.info("codec.issuer_keys", keys=len(self._keys))
            self._tried_at = self._clock()
            if seeking:
                self._sought_at = self._tried_at

    async def _fetched(self) -> list[Jwk]:
        answer = await self._get(self._jwks_url or await self._discovered())
        listed = answer.get("keys")
        keys = [key for key in listed if _is_usable(key)] if isinstance(listed, list) else []
        if not keys:
            raise IssuerUnavailableError("its key set holds no public key with an id")
        return keys

    async def _discovered(self) -> str:
        answer = await self._get(self._issuer.rstrip("/") + DISCOVERY)
        if answer.get("issuer") != self._issuer:
            raise IssuerUnavailableError("its discovery document names another issuer than DESKHAND_CODEC_ISSUER")
        url = answer.get("jwks_uri")
        if not isinstance(url, str):
            raise IssuerUnavailableError("its discovery document has no jwks_uri")
        return url

    async def _get(self, address: str) -> dict[str, Any]:
        try:
            url = httpx.URL(address)
            if url.scheme != "https" and not (url.scheme == "http" and self._plain_http_allowed(address)):
                raise IssuerUnavailableError("it names an address that is not https")
            async with self._http.stream("GET", url) as response:
                body = await _bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise IssuerUnavailableError(type(error).__name__) from error
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise IssuerUnavailableError("it did not answer in JSON") from error
        if not isinstance(answer, dict):
            raise IssuerUnavailableError("it did not answer with a JSON object")
        return answer


async def _bounded(response: httpx.Response) -> bytes:
    if response.is_redirect:
        raise IssuerUnavailableError(f"it answered {response.status_code}; redirects are not followed")
    if response.status_code != 200:
        raise IssuerUnavailableError(f"it answered {response.status_code}")
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise IssuerUnavailableError("its answer is compressed, though we asked for it not to be")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise IssuerUnavailableError(f"its answer is larger than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _is_usable(key: object) -> bool:
    """Whether it is a public key for signatures with an id to be found by. Secrets (`oct`) never are."""
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
    )
