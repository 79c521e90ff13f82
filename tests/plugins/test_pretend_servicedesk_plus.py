"""The pretend ServiceDesk Plus has the oddities of the real one."""

import json
from typing import Any

import httpx
import pytest

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from tests.support.pretend import PretendFactory

KEY = "A-MARKED-TEST-KEY"
HEADERS = {"Accept": "application/vnd.manageengine.sdp.v3+json", "authtoken": KEY}
PRIVATE = {"description": "<p>Hello</p>", "show_to_requester": False}


@pytest.fixture
async def sdp(pretend: PretendFactory, http: httpx.AsyncClient) -> PretendServiceDeskPlus:
    vendor = await pretend(PretendServiceDeskPlus)
    (await http.post(f"{vendor.origin}/_pretend/accounts", json={"api_key": KEY})).raise_for_status()
    return vendor


@pytest.fixture
async def api(sdp: PretendServiceDeskPlus, http: httpx.AsyncClient) -> str:
    """The address of a request in the API."""
    ticket = {"subject": "Printer", "description": "On fire", "priority": "High"}
    created = (await http.post(f"{sdp.origin}/_pretend/tickets", json=ticket)).json()
    return f"{sdp.origin}/api/v3/requests/{created['ticket_id']}"


async def add(http: httpx.AsyncClient, api: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await http.post(f"{api}/notes", headers=HEADERS | headers, data={"input_data": json.dumps(body)})


async def stored(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus) -> list[dict[str, Any]]:
    tickets = (await http.get(f"{sdp.origin}/_pretend/tickets")).json()["tickets"]
    notes: list[dict[str, Any]] = tickets[0]["notes"]
    return notes


def code(answer: httpx.Response) -> int:
    """The precise code of a failure."""
    status = answer.json()["response_status"]
    assert (status["status_code"], status["status"]) == (4000, "failed")
    return int(status["messages"][0]["status_code"])


async def test_strangers(http: httpx.AsyncClient, api: str) -> None:
    accept = {"Accept": HEADERS["Accept"]}
    for headers, params in ((accept, {}), (accept | {"authtoken": "wrong"}, {}), (accept, {"TECHNICIAN_KEY": KEY})):
        answer = await http.get(api, headers=headers, params=params)
        assert (answer.status_code, code(answer)) == (401, 4022)
    assert (await http.get(api, headers=accept | {"TECHNICIAN_KEY": KEY})).status_code == 200


async def test_a_key_counts_at_its_own_address_only(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str
) -> None:
    number = api.rpartition("/")[2]
    portal = sdp.add_account({"edition": "on_premises_portal", "portal": "hr"})
    keys = {"/api/v3": HEADERS["authtoken"], "/app/hr/api/v3": portal.connection["api_key"]}
    for own, key in keys.items():
        for root in (*keys, "/app/itdesk/api/v3"):
            answer = await http.get(f"{sdp.origin}{root}/requests/{number}", headers=HEADERS | {"authtoken": key})
            assert (answer.status_code == 200) is (root == own), (own, root)
            assert answer.status_code == 200 or code(answer) == 4007
    sdp.unknown_portal = "page"
    answer = await http.get(f"{sdp.origin}/app/itdesk/api/v3/requests/{number}", headers=HEADERS)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/html")


@pytest.mark.parametrize("missing", ["may_read", "may_write"])
async def test_a_technician_without_a_right(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str, missing: str
) -> None:
    key = sdp.add_account({missing: False}).connection["api_key"]
    read = await http.get(api, headers=HEADERS | {"authtoken": key})
    written = await add(http, api, {"note": PRIVATE}, authtoken=key)
    answers = {"may_read": read, "may_write": written}
    refused = answers.pop(missing)
    assert (refused.status_code, code(refused)) == (403, 4002)
    assert all(answer.is_success for answer in answers.values())


# Cloud


def form(connection: Any, **changed: str) -> dict[str, str]:
    """What asks Zoho for an access token."""
    fields = {name: connection[name] for name in ("client_id", "client_secret", "refresh_token")}
    return {"grant_type": "refresh_token", **fields, **changed}


async def test_clouds_requests_want_an_access_token_and_its_portal(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus
) -> None:
    connection = sdp.add_account({"edition": "cloud"}).connection
    assert connection["base_url"] == f"{sdp.origin}/app/itdesk"
    number = sdp.add_ticket().id
    assert 15 <= len(number) <= 19
    given = (await http.post(f"{connection['accounts_url']}/oauth/v2/token", data=form(connection))).json()
    assert given["expires_in"] == 3600
    accept, token = {"Accept": HEADERS["Accept"]}, given["access_token"]
    for root, authorization, status in (
        ("/app/itdesk", f"Zoho-oauthtoken {token}", 200),
        ("/app/itdesk", f"Bearer {token}", 401),
        ("/app/itdesk", "Zoho-oauthtoken wrong", 401),
        ("/app/another", f"Zoho-oauthtoken {token}", 404),
        ("", f"Zoho-oauthtoken {token}", 404),
    ):
        address = f"{sdp.origin}{root}/api/v3/requests/{number}"
        answer = await http.get(address, headers=accept | {"Authorization": authorization})
        assert answer.status_code == status, (root, authorization)
    api = f"{sdp.origin}/app/itdesk/api/v3/requests/{number}"
    assert (await http.get(api, headers=HEADERS)).status_code == 404, "a technician's key is none of Cloud's"
    headers = accept | {"Authorization": f"Zoho-oauthtoken {token}"}
    data = {"input_data": json.dumps({"note": PRIVATE})}
    assert code(await http.post(f"{api}/notes", headers=headers, data=data)) == 4001
    data = {"input_data": json.dumps({"request_note": PRIVATE})}
    assert "request_note" in (await http.post(f"{api}/notes", headers=headers, data=data)).json()
    sdp.tokens.expire()
    assert code(await http.get(api, headers=headers)) == 4022


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"client_id": "1000.ANOTHER"}, "invalid_client"),
        ({"client_secret": "another"}, "invalid_client_secret"),
        ({"refresh_token": "another"}, "invalid_code"),
    ],
    ids=str,
)
async def test_zoho_refuses_with_http_200(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, changed: dict[str, str], error: str
) -> None:
    connection = sdp.add_account({"edition": "cloud"}).connection
    answer = await http.post(f"{sdp.origin}/oauth/v2/token", data=form(connection, **changed))
    assert (answer.status_code, answer.json()) == (200, {"error": error})


async def test_zoho_gives_out_only_so_many_tokens(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus) -> None:
    connection = sdp.add_account({"edition": "cloud"}).connection
    sdp.throttles_tokens = True
    answer = await http.post(f"{sdp.origin}/oauth/v2/token", data=form(connection))
    assert (answer.status_code, answer.json()["error"]) == (400, "Access Denied")


# Requests and notes


async def test_a_request(http: httpx.AsyncClient, api: str) -> None:
    body = (await http.get(api, headers=HEADERS)).json()
    assert body["request"]["priority"]["name"] == "High"
    assert body["request"]["description"] == "<div>On fire</div>"
    assert body["request"]["created_time"]["value"].isdigit()
    assert body["response_status"] == {"status_code": 2000, "status": "success"}


@pytest.mark.parametrize("path", ["requests/999", "tickets/999", "requests/999/notes"])
async def test_what_is_not_there(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, path: str) -> None:
    answer = await http.get(f"{sdp.origin}/api/v3/{path}", headers=HEADERS)
    assert (answer.status_code, code(answer)) == (404, 4007)


async def test_another_schema_is_not_served(http: httpx.AsyncClient, api: str) -> None:
    assert (await http.get(api, headers=HEADERS | {"Accept": "application/json"})).status_code == 400


async def test_a_json_body_is_answered_with_success_and_does_nothing(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str
) -> None:
    answer = await http.post(f"{api}/notes", headers=HEADERS, json={"note": PRIVATE})
    assert (answer.status_code, answer.json()["response_status"]["status_code"]) == (200, 2000)
    assert await stored(http, sdp) == []


async def test_a_note_and_its_flags(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str) -> None:
    note = (await add(http, api, {"note": PRIVATE})).json()["note"]
    assert note["show_to_requester"] is False
    shown = (await add(http, api, {"note": {**PRIVATE, "show_to_requester": True}})).json()["note"]
    assert shown["show_to_requester"] is True
    assert [note["private"] for note in await stored(http, sdp)] == [True, False]
    page = (await http.get(sdp.origin)).text
    assert page.index(">Private<") < page.index(">Public<")


async def test_only_one_key_is_known_around_a_note(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str
) -> None:
    assert code(await add(http, api, {"request_note": PRIVATE})) == 4001
    sdp.note_root = "request_note"
    assert code(await add(http, api, {"note": PRIVATE})) == 4001
    assert "request_note" in (await add(http, api, {"request_note": PRIVATE})).json()
    assert code(await add(http, api, {})) == 4012


async def test_a_closed_request(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str) -> None:
    number = api.rpartition("/")[2]
    (await http.post(f"{sdp.origin}/_pretend/tickets/{number}/close")).raise_for_status()
    answer = await add(http, api, {"note": PRIVATE})
    assert answer.status_code == 400
    assert "closed" in answer.json()["response_status"]["messages"][0]["message"]


async def test_notes_come_in_pages_and_can_be_deleted(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str
) -> None:
    for text in ("one", "two", "three"):
        await add(http, api, {"note": {**PRIVATE, "description": text}})
    seen: list[dict[str, Any]] = []
    more = True
    while more:
        info = {"row_count": 2, "start_index": len(seen) + 1, "sort_field": "added_time", "sort_order": "desc"}
        params = {"input_data": json.dumps({"list_info": info})}
        page = (await http.get(f"{api}/notes", headers=HEADERS, params=params)).json()
        assert page["response_status"] == [{"status_code": 2000, "status": "success"}]
        seen += page["notes"]
        more = page["list_info"]["has_more_rows"]
    assert [note["description"] for note in seen] == ["three", "two", "one"]
    address = f"{api}/notes/{seen[0]['id']}"
    assert (await http.get(address, headers=HEADERS)).json()["note"]["description"] == "three"
    assert (await http.delete(address, headers=HEADERS)).status_code == 200
    assert (await http.delete(address, headers=HEADERS)).status_code == 404
    assert [note["body"] for note in await stored(http, sdp)] == ["one", "two"]
    params = {"input_data": json.dumps({"list_info": {"sort_field": "colour"}})}
    assert code(await http.get(f"{api}/notes", headers=HEADERS, params=params)) == 4001


async def test_failures_can_come_inside_success(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str) -> None:
    sdp.failure_status = 200
    answer = await http.get(f"{api}9", headers=HEADERS)
    assert (answer.status_code, code(answer)) == (200, 4007)


async def test_the_technicians_address_leads_to_the_page(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str
) -> None:
    number = api.rpartition("/")[2]
    page = await http.get(f"{sdp.origin}/WorkOrder.do?woMode=viewWO&woID={number}", follow_redirects=True)
    assert "Printer" in page.text
    assert (await http.get(f"{sdp.origin}/requests/1")).status_code == 404


async def test_an_unknown_scheme_is_refused_by_name(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, api: str
) -> None:
    control, number = f"{sdp.origin}/_pretend", api.rpartition("/")[2]
    webhook = {"url": "http://127.0.0.1:9/hook", "secret": "s", "scheme": "jwt"}
    (await http.put(f"{control}/webhook", json=webhook)).raise_for_status()
    answer = await http.get(f"{control}/tickets/{number}/delivery")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("scheme: ")
