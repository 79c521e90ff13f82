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
