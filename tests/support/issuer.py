"""A pretend issuer of access tokens: discovery, a key set that can be rotated, and tokens good and bad."""

import asyncio
import base64
import contextlib
import datetime
import hashlib
import hmac
import ipaddress
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import NameOID
from jwt.algorithms import get_default_algorithms
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

AUDIENCE = "deskhand-codec"
GROUP = "ticket-readers"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair of the issuer."""

    kid: str
    algorithm: str
    private: PrivateKeyTypes = field(repr=False)

    @classmethod
    def make(cls, kid: str, algorithm: str = "RS256", bits: int = 2048) -> "SigningKey":
        """A new one."""
        private: PrivateKeyTypes
        if algorithm == "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        elif algorithm.startswith("ES"):
            private = ec.generate_private_key({"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}[algorithm]())
        else:
            private = rsa.generate_private_key(65537, bits)
        return cls(kid, algorithm, private)

    @property
    def public_pem(self) -> bytes:
        """What anybody may know of it."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def jwk(self) -> dict[str, Any]:
        """The same as the key set has it."""
        kind: Any = get_default_algorithms()[self.algorithm]
        public = json.loads(kind.to_jwk(self.private.public_key()))
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class PretendIssuer:
    """Serve it at `origin`, as an ASGI app. What it has done wrong is switched on by its fields."""

    def __init__(self, origin: str = "https://issuer.example") -> None:
        self.origin = origin
        self.key = SigningKey.make("one")
        self.listed = [self.key.jwk]
        """The key set, as it is served."""
        self.says_issuer = origin
        self.says_jwks: object = f"{origin}/keys"
        self.status = 200
        """Of every answer."""
        self.redirects = False
        self.padding = 0
        """Bytes by which the key set is larger than it need be."""
        self.body: bytes | None = None
        """Served in place of the key set."""
        self.open = asyncio.Event()
        """It does not answer while this is not set."""
        self.open.set()
        self.asked = 0
        """How often the key set was asked for."""
        self._app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/elsewhere", self._document),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        await self._app(scope, receive, send)

    def rotate(self, key: SigningKey) -> None:
        """Sign with this key from now on, and list no other."""
        self.key = key
        self.listed = [key.jwk]

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of a good token; one that is `None` is left out."""
        now = int(time.time())
        claims = {
            "iss": self.origin,
            "aud": AUDIENCE,
            "sub": "u-1234",
            "groups": ["staff", GROUP],
            "iat": now,
            "exp": now + 300,
            "email": "someone@example.com",
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: SigningKey | None = None, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token with these claims changed, signed with the present key or another."""
        key = key or self.key
        headers = {"kid": key.kid, "typ": "at+jwt", **(header or {})}
        algorithm = headers.pop("alg", key.algorithm)
        headers = {name: value for name, value in headers.items() if value is not None}
        private: Any = key.private
        return jwt.encode(self.claims(**claims), private, algorithm, headers)

    async def _discovery(self, request: Request) -> Response:
        if self.redirects:
            return RedirectResponse("/elsewhere", 302)
        return await self._document(request)

    async def _document(self, request: Request) -> Response:
        del request
        await self.open.wait()
        return JSONResponse({"issuer": self.says_issuer, "jwks_uri": self.says_jwks}, self.status)

    async def _keys(self, request: Request) -> Response:
        del request
        self.asked += 1
        await self.open.wait()
        if self.body is not None:
            return Response(self.body, self.status, media_type="application/json")
        return JSONResponse({"keys": self.listed, "padding": "x" * self.padding}, self.status)


def forged(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes = b"") -> str:
    """A token that no library would make: its header says anything, and its signature is an HMAC or empty."""
    signed = f"{_part(header)}.{_part(claims)}"
    signature = hmac.digest(secret, signed.encode(), hashlib.sha256) if secret else b""
    return f"{signed}.{_encoded(signature)}"


def _part(value: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the test process's."""
        yield


@contextlib.asynccontextmanager
async def over_tls(issuer: PretendIssuer, port: int, folder: Path) -> AsyncIterator[Path]:
    """Serve it at `https://127.0.0.1:port`; the path of the authority that vouches for that."""
    certificate, key = _self_signed(folder)
    server = _Server(
        uvicorn.Config(
            issuer,
            port=port,
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )
    task = asyncio.create_task(server.serve())
    try:
        while not server.started and not task.done():
            await asyncio.wait([task], timeout=0.02)
        yield certificate
    finally:
        server.should_exit = True
        await task


def _self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pretend issuer")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "issuer.pem", folder / "issuer-key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
