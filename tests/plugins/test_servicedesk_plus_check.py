"""What a check of a ServiceDesk Plus connection finds, and how each finding says to mend it."""

import socket
from typing import Any

import httpx
import pytest
from starlette.responses import HTMLResponse

from deskhand.http import create_http_client
from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from plugins.conformance.pretend.faults import Fault
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from plugins.types import ConnectionReport, Finding, TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory

EDITIONS = list(PretendServiceDeskPlus.editions)


@pytest.fixture
async def sdp(pretend: PretendFactory) -> PretendServiceDeskPlus:
    return await pretend(PretendServiceDeskPlus)


class Checks:
    """Checks of connections to one pretend tool."""

    def __init__(self, tenants: MemoryTenants, http: httpx.AsyncClient, sdp: PretendServiceDeskPlus) -> None:
        self._tenants = tenants
        self._sdp = sdp
        self.plugin = ServiceDeskPlusPlugin(tenants, http)

    async def report(
        self, edition: str, account: dict[str, Any] | None = None, own_account_id: str | None = None, **changed: Any
    ) -> ConnectionReport:
        """What is found with this account, the connection changed so."""
        made = self._sdp.add_account({**self._sdp.editions[edition], **(account or {})})
        settings = TenantSettings(own_account_id=own_account_id)
        connection = {**made.connection, **changed}
        self._tenants.add("acme", "servicedesk_plus", connection=connection, settings=settings)
        report = await self.plugin.check_connection("acme")
        said = report.model_dump_json()
        secrets = ("api_key", "client_secret", "refresh_token")
        assert not any(connection[name] in said for name in secrets if name in connection)
        return report

    async def wrong(self, edition: str, account: dict[str, Any] | None = None, **changed: Any) -> Finding:
        """The one thing that is found wrong."""
        report = await self.report(edition, account, **changed)
        assert not report.ok
        (found,) = [finding for finding in report.findings if finding.ok is False]
        return found


@pytest.fixture
def checks(tenants: MemoryTenants, http: httpx.AsyncClient, sdp: PretendServiceDeskPlus) -> Checks:
    return Checks(tenants, http, sdp)


@pytest.mark.parametrize("edition", EDITIONS)
async def test_a_connection_that_works(checks: Checks, sdp: PretendServiceDeskPlus, edition: str) -> None:
    report = await checks.report(edition)
    assert report.ok
    good = [finding.what for finding in report.findings if finding.ok]
    assert good[-1] == "ServiceDesk Plus accepts the credentials and lists requests"
    assert ("Zoho" in good[0]) is (edition == "cloud")
    assert all(not entry.writes or entry.operation == "token" for entry in sdp.log), "nothing is written"


async def test_what_cannot_be_asked_is_said_to_be_open(checks: Checks) -> None:
    report = await checks.report("cloud")
    who, write = (finding for finding in report.findings if finding.ok is None)
    assert "cannot be asked who we are" in who.what
    assert "own_account_id" in who.mend
    assert "notes may be added" in write.what
    assert "role needs the right to add notes" in write.mend
    assert "SDPOnDemand.requests.ALL" in write.mend
    report = await checks.report("on_premises", own_account_id="12")
    who, write = (finding for finding in report.findings if finding.ok is None)
    assert (who.what.endswith("own_account_id was not checked"), who.mend) == (True, "")
    assert "SDPOnDemand" not in write.mend


@pytest.mark.parametrize("edition", ["on_premises", "on_premises_portal"])
@pytest.mark.parametrize("failure_status", [None, 200])
async def test_a_wrong_key(
    checks: Checks, sdp: PretendServiceDeskPlus, edition: str, failure_status: int | None
) -> None:
    sdp.failure_status = failure_status
    found = await checks.wrong(edition, api_key="WRONG-4711")
    assert "does not accept the API key" in found.what
    assert "code 4022" in found.what
    assert "give another api_key" in found.mend


@pytest.mark.parametrize("edition", EDITIONS)
async def test_a_missing_right(checks: Checks, edition: str) -> None:
    found = await checks.wrong(edition, {"may_read": False})
    assert "may not list requests" in found.what
    assert "role needs the right to view requests" in found.mend
    assert ("SDPOnDemand.requests" in found.mend) is (edition == "cloud")


@pytest.mark.parametrize("edition", ["on_premises_portal", "cloud"])
@pytest.mark.parametrize("answered", ["code", "page"])
@pytest.mark.parametrize("path", ["/app/helpdesk", "", "/app/itdesk/desk"])
async def test_an_unknown_portal_and_a_wrong_path(
    checks: Checks, sdp: PretendServiceDeskPlus, edition: str, answered: Any, path: str
) -> None:
    sdp.unknown_portal = answered
    found = await checks.wrong(edition, base_url=sdp.origin + path)
    assert "there is no" in found.what or "with a page" in found.what
    assert "base_url" in found.mend
    assert "/app/<portal>" in found.mend


async def test_a_wrong_resource_path(checks: Checks) -> None:
    found = await checks.wrong("on_premises", resource_path="tickets")
    assert "/api/v3/tickets" in found.what
    assert "is resource_path right?" in found.mend


@pytest.mark.parametrize(
    "fault",
    [
        Fault(operation="list_tickets", kind="garbage"),
        Fault(operation="list_tickets", kind="status", status=302, headers={"Location": "/login"}),
    ],
    ids=["page", "redirect"],
)
async def test_something_else_than_the_api_at_the_address(
    checks: Checks, sdp: PretendServiceDeskPlus, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdp, "refusal", lambda status: HTMLResponse("<h1>Moved</h1>", status_code=status))
    sdp.faults.add(fault)
    found = await checks.wrong("on_premises")
    assert "with a page and not as the API does" in found.what
    assert "give as base_url the address of ServiceDesk Plus itself" in found.mend


@pytest.mark.parametrize(
    ("changed", "word", "mend"),
    [
        ({"client_id": "1000.ANOTHER"}, "invalid_client", "give client_id and client_secret as Zoho's API console"),
        ({"client_secret": "WRONG-4711"}, "invalid_client_secret", "accounts_url if the data centre is another"),
        ({"refresh_token": "WRONG-4711"}, "invalid_code", "make a new refresh token in Zoho's API console"),
    ],
    ids=str,
)
async def test_what_zoho_refuses(
    checks: Checks, sdp: PretendServiceDeskPlus, changed: dict[str, Any], word: str, mend: str
) -> None:
    found = await checks.wrong("cloud", **changed)
    assert found.what.endswith(word)
    assert mend in found.mend
    assert [entry.operation for entry in sdp.log] == ["token"]


async def test_a_token_that_clouds_portal_does_not_take(checks: Checks, sdp: PretendServiceDeskPlus) -> None:
    sdp.faults.add(Fault(operation="list_tickets", kind="status", status=401))
    found = await checks.wrong("cloud")
    assert "does not accept Zoho's access token" in found.what
    assert "base_url and accounts_url of one data centre" in found.mend


async def test_too_many_tokens_and_too_many_requests(checks: Checks, sdp: PretendServiceDeskPlus) -> None:
    sdp.throttles_tokens = True
    assert "try again later" in (await checks.wrong("cloud")).mend
    sdp.faults.add(Fault(operation="list_tickets", kind="status", status=429))
    assert "try again later" in (await checks.wrong("on_premises")).mend


async def test_accounts_at_another_address(checks: Checks, sdp: PretendServiceDeskPlus) -> None:
    sdp.faults.add(Fault(operation="token", kind="status", status=404))
    assert "is accounts_url right?" in (await checks.wrong("cloud")).what
    found = await checks.wrong("cloud", accounts_url=None)
    assert "accounts_url: must be given" in found.what


@pytest.mark.parametrize(("edition", "field"), [("on_premises", "base_url"), ("cloud", "accounts_url")])
async def test_nothing_answers_there(checks: Checks, edition: str, field: str) -> None:
    with socket.socket() as bound:  # and not listening: connections are refused
        bound.bind(("127.0.0.1", 0))
        changed: dict[str, Any] = {field: f"http://127.0.0.1:{bound.getsockname()[1]}"}
        found = await checks.wrong(edition, **changed)
    assert "connection was refused" in found.what
    assert "is the tool running, and the port right?" in found.mend


@pytest.mark.parametrize(("edition", "field"), [("on_premises", "base_url"), ("cloud", "accounts_url")])
async def test_an_address_that_may_not_be_connected_to(
    tenants: MemoryTenants, sdp: PretendServiceDeskPlus, edition: str, field: str
) -> None:
    """Zoho's accounts are judged like any other address: the field may name anything."""
    own = sdp.origin.removeprefix("http://")
    async with create_http_client(dev_vendors=frozenset({own})) as guarded:
        checks = Checks(tenants, guarded, sdp)
        assert (await checks.report(edition)).ok
        for address in ("https://127.0.0.1:1", "http://169.254.169.254", "https://10.0.0.1"):
            changed: dict[str, Any] = {field: address}
            found = await checks.wrong(edition, **changed)
            assert f"tenant acme: {field}: " in found.what
