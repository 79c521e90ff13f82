"""ServiceDesk Plus Cloud: Zoho's access tokens, asked for as few times as can be."""

import asyncio
from typing import Any

import httpx
import pytest

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from plugins.conformance.pretend.faults import Fault
from plugins.exceptions import APIError, AuthenticationError, ConfigurationError, OutcomeUnknownError, RateLimitError
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from tests.support.pretend import MemoryTenants, PretendFactory

REF = "dh-0123456789ab"
NOTE = f"**Try** turning it off.\n\nref {REF}"
CLOUD = {"edition": "cloud"}


@pytest.fixture
async def sdp(pretend: PretendFactory) -> PretendServiceDeskPlus:
    return await pretend(PretendServiceDeskPlus)


@pytest.fixture
def connection(sdp: PretendServiceDeskPlus) -> dict[str, Any]:
    return dict(sdp.add_account(CLOUD).connection)


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient, connection: dict[str, Any]) -> ServiceDeskPlusPlugin:
    tenants.add("acme", "servicedesk_plus", connection=connection)
    return ServiceDeskPlusPlugin(tenants, http)


@pytest.fixture
def number(sdp: PretendServiceDeskPlus, connection: dict[str, Any]) -> str:
    """A request's id."""
    return sdp.add_ticket({"subject": "Printer", "description": "On fire", "priority": "High"}).id


def operations(sdp: PretendServiceDeskPlus) -> list[str]:
    return [entry.operation for entry in sdp.log]


async def test_a_note_is_posted_with_a_token_and_under_clouds_own_key(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    assert len(number) == 17
    assert await plugin.has_note("acme", number, REF) is False
    assert await plugin.update_ticket("acme", number, NOTE) is True
    assert await plugin.has_note("acme", number, REF) is True
    assert [note.private for note in sdp.tickets[number].notes] == [True]
    assert operations(sdp) == ["token", "list_notes", "post_note", "list_notes"]
    assert all(entry.status in (200, 201) for entry in sdp.log)
    assert sdp.log[1].path == f"/app/itdesk/api/v3/requests/{number}/notes"


async def test_a_technician_opens_the_request_under_its_portal(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, http: httpx.AsyncClient, number: str
) -> None:
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    seen = plugin.describe(ticket, plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number}))
    assert seen.url == f"{sdp.origin}/app/itdesk/ui/requests/{number}/details"
    assert "Printer" in (await http.get(seen.url, follow_redirects=True)).text


async def test_each_tenant_has_a_token_of_its_own(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    other = sdp.add_account(CLOUD)
    tenants.add("globex", "servicedesk_plus", connection=other.connection)
    await asyncio.gather(*(plugin.update_ticket(tenant, number, NOTE) for tenant in ("acme", "globex") * 3))
    assert sdp.tokens.issued == 2
    assert sorted(note.author for note in sdp.tickets[number].notes).count(other.id) == 3


@pytest.mark.parametrize("failure_status", [None, 200, 400])
async def test_a_refused_token_is_replaced_once_whatever_the_refusals_status(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str, failure_status: int | None
) -> None:
    """A note that was refused for its token was not added: the corrected request adds one."""
    await plugin.get_ticket("acme", number)
    sdp.tokens.expire()
    sdp.failure_status = failure_status
    sdp.log.clear()
    assert await plugin.update_ticket("acme", number, NOTE) is True
    assert operations(sdp) == ["post_note", "token", "post_note"]
    assert len({entry.digest for entry in sdp.log}) == 3
    assert len(sdp.tickets[number].notes) == 1


@pytest.mark.parametrize("failure_status", [None, 200, 400])
async def test_a_fresh_token_that_is_refused_too_is_the_end(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str, failure_status: int | None
) -> None:
    sdp.failure_status = failure_status
    sdp.faults.add(Fault(operation="post_note", kind="status", status=401))
    with pytest.raises(AuthenticationError, match="code 4022"):
        await plugin.update_ticket("acme", number, NOTE)
    assert operations(sdp) == ["token", "post_note", "token", "post_note"]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"client_id": "1000.ANOTHER"}, "invalid_client"),
        ({"client_secret": "another"}, "invalid_client_secret"),
        ({"refresh_token": "another"}, "invalid_code"),
    ],
    ids=str,
)
async def test_what_zoho_refuses_inside_http_200_is_believed_for_a_while(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    connection: dict[str, Any],
    number: str,
    changed: dict[str, str],
    word: str,
) -> None:
    tenants.add("acme", "servicedesk_plus", connection={**connection, **changed})
    for _ in range(3):
        with pytest.raises(AuthenticationError, match=f"when asked for a token: {word}$"):
            await plugin.update_ticket("acme", number, NOTE)
    assert operations(sdp) == ["token"]
    tenants.add("acme", "servicedesk_plus", connection=connection)
    assert await plugin.update_ticket("acme", number, NOTE) is True, "mended credentials count at once"


async def test_too_many_tokens_asked_for_is_no_fault_of_the_credentials(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.throttles_tokens = True
    for _ in range(2):
        with pytest.raises(RateLimitError, match="too many tokens"):
            await plugin.update_ticket("acme", number, NOTE)
    assert operations(sdp) == ["token"], "it is believed for a moment: asking on and on would keep it throttled"


@pytest.mark.parametrize("fault", [Fault(operation="token", kind="drop"), Fault(operation="token", kind="garbage")])
async def test_accounts_that_do_not_answer_leave_no_outcome_unknown(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str, fault: Fault
) -> None:
    sdp.faults.add(fault)
    for call in (plugin.update_ticket("acme", number, NOTE), plugin.get_ticket("acme", number)):
        with pytest.raises(APIError) as caught:
            await call
        assert not isinstance(caught.value, OutcomeUnknownError)
    assert set(operations(sdp)) == {"token"}


async def test_the_wrong_accounts_address_is_named(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    connection: dict[str, Any],
    number: str,
) -> None:
    sdp.faults.add(Fault(operation="token", kind="status", status=404))
    with pytest.raises(ConfigurationError, match=r"is accounts_url right\?"):
        await plugin.get_ticket("acme", number)
    sdp.faults.clear()
    tenants.add("acme", "servicedesk_plus", connection={**connection, "accounts_url": None})
    with pytest.raises(ConfigurationError, match="accounts_url: must be given"):
        await plugin.get_ticket("acme", number)


async def test_no_secret_of_zohos_is_in_what_is_raised_or_in_an_address(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    connection: dict[str, Any],
    number: str,
) -> None:
    tenants.add("acme", "servicedesk_plus", connection={**connection, "client_secret": "another"})
    with pytest.raises(AuthenticationError) as caught:
        await plugin.get_ticket("acme", number)
    said = str(caught.value) + "".join(entry.path for entry in sdp.log)
    assert not any(connection[name] in said for name in ("client_id", "client_secret", "refresh_token"))
