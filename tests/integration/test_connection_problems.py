"""What a check says when no connection comes about: over real sockets, through the client that production uses."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deskhand.http import create_http_client
from plugins import checking
from plugins.base import TicketMetadata
from plugins.checking import Check
from plugins.conformance.tenants import MemoryTenants
from plugins.http import HttpPlugin
from plugins.types import ConnectionReport, Finding, PostedNote, TenantSettings


class Tool(HttpPlugin):
    """A tool whose check asks for its front page, and for a token if it has an `accounts_url`."""

    __tool_type__ = "tool"

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        check = Check()
        fields = await (await self.tenant(tenant_id)).connection()
        if "accounts_url" in fields:
            asked = self.access_token(tenant_id, fields["accounts_url"], form={}, address="accounts_url")
            await check.attempt(asked, refused="give other credentials")
        elif await check.attempt(self.send(tenant_id, "GET", fields["base_url"])) is not None:
            check.good("it answers")
        return check.report()

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        raise NotImplementedError

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        raise NotImplementedError

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        raise NotImplementedError

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        raise NotImplementedError


async def found(fields: dict[str, str], *, vendors: frozenset[str] = frozenset(), private: bool = False) -> Finding:
    """What the check of a connection with these fields finds."""
    tenants = MemoryTenants()
    tenants.add("acme", "tool", connection=fields, settings=TenantSettings(allow_private_address=private))
    async with create_http_client(dev_vendors=vendors) as http:
        report = await Tool(tenants, http).check_connection("acme")
    (finding,) = report.findings
    assert finding.ok is False
    assert report.ok is False
    return finding


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate for 127.0.0.1 that nobody has vouched for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass
    writer.close()


async def _answer_in_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1024)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """`host:port` of a server that takes requests and never answers."""
    server = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    server = await asyncio.start_server(_answer_in_plain, "127.0.0.1", 0, ssl=certificate(tmp_path))
    async with server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finding = await found({"base_url": f"https://{place}"}, vendors=frozenset({place}))
    assert re.search(r"certificate is not accepted \(self.signed certificate\)", finding.what)
    assert "trust its issuer" in finding.mend


async def test_a_port_that_does_not_speak_tls() -> None:
    server = await asyncio.start_server(_answer_in_plain, "127.0.0.1", 0)
    async with server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finding = await found({"base_url": f"https://{place}"}, vendors=frozenset({place}))
    assert "does not speak TLS" in finding.what
    assert "port" in finding.mend


async def test_nobody_listens() -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{bound.getsockname()[1]}"
        finding = await found({"base_url": f"http://{place}"}, vendors=frozenset({place}))
    assert "could not connect to 127.0.0.1: the connection was refused" in finding.what
    assert finding.mend == "is the tool running, and the port right?"


async def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    finding = await found({"base_url": "https://helpdesk.acme.example"})
    assert "could not connect to helpdesk.acme.example: its name does not resolve" in finding.what
    assert finding.mend == "is the host name spelt right?"


@pytest.mark.parametrize("host", ["acme..example", f"{'a' * 64}.example"])
async def test_what_can_be_no_name(host: str) -> None:
    finding = await found({"base_url": f"https://{host}"})
    assert "its name does not resolve" in finding.what
    assert finding.mend == "is the host name spelt right?"


async def test_no_answer(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "STEP_SECONDS", 0.2)
    finding = await found({"base_url": f"http://{silent}"}, vendors=frozenset({silent}))
    assert finding.what == "no answer within 0.2 s"
    assert "firewall" in finding.mend


@pytest.mark.parametrize("field", ["base_url", "accounts_url"])
@pytest.mark.parametrize(
    ("address", "private", "words"),
    [
        ("http://helpdesk.acme.example", False, "must be https"),
        ("https://169.254.169.254/latest", True, "never allowed"),
        ("https://127.0.0.1", True, "never allowed"),
        ("https://10.1.2.3", False, "private address.*--allow-private-address"),
    ],
)
async def test_an_address_that_is_not_allowed(field: str, address: str, private: bool, words: str) -> None:
    finding = await found({field: address}, private=private)
    assert re.search(f"{field}: .*{words}", f"{finding.what} {finding.mend}")


async def test_a_name_that_turns_private_once_it_is_the_token_address(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.216.34", "10.0.0.7"])
    guard_asked: list[str] = []

    async def changes(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        guard_asked.append(host)
        return [(0, 0, 0, "", (next(answers), port))]

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", changes)
    # What an operator would see on checking the name by hand is the first answer.
    assert (await loop.getaddrinfo("accounts.acme.example", 443))[0][4] == ("93.184.216.34", 443)
    finding = await found({"accounts_url": "https://accounts.acme.example/oauth/v2/token"})
    assert "accounts_url: leads to a private address" in finding.what
    assert guard_asked == ["accounts.acme.example"] * 2
