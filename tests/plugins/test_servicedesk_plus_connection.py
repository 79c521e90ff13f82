"""What an operator gives for ServiceDesk Plus: exactly one way to authenticate, and where Zoho's accounts are."""

from typing import Any

import pydantic
import pytest

from plugins.fields import secret_fields
from plugins.servicedesk_plus import ServiceDeskPlusConnection

KEY: dict[str, Any] = {"api_key": "A-MARKED-TEST-KEY"}
OAUTH: dict[str, Any] = {
    "client_id": "1000.CLIENT",
    "client_secret": "a-marked-secret",
    "refresh_token": "1000.a-marked-token",
}
HERE = "https://helpdesk.acme.example"
CLOUD = "https://sdpondemand.manageengine.eu/app/itdesk"


def problem(**fields: Any) -> str:
    """What is said of fields that make no connection."""
    with pytest.raises(pydantic.ValidationError) as caught:
        ServiceDeskPlusConnection.model_validate(fields)
    for value in (*KEY.values(), *OAUTH.values()):
        assert value not in str(caught.value)
    return str(caught.value)


def test_either_a_key_or_zohos_oauth() -> None:
    assert ServiceDeskPlusConnection(base_url=HERE, **KEY).cloud is False
    assert ServiceDeskPlusConnection(base_url=CLOUD, **OAUTH).cloud is True
    assert secret_fields(ServiceDeskPlusConnection) == {"api_key", "client_secret", "refresh_token"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "api_key: is missing"),
        ({**KEY, **OAUTH}, "api_key: is given beside client_id, client_secret, refresh_token"),
        ({**KEY, "client_id": "1000.CLIENT"}, "api_key: is given beside client_id"),
        ({**KEY, "accounts_url": "https://accounts.zoho.eu"}, "api_key: is given beside accounts_url"),
        ({"client_id": "1000.CLIENT"}, "client_secret, refresh_token: is missing"),
        ({**OAUTH, "client_id": None}, "client_id: is missing"),
    ],
    ids=str,
)
def test_anything_else_is_refused_with_the_fields_and_the_way_out(fields: dict[str, Any], named: str) -> None:
    said = problem(base_url=CLOUD, **fields)
    assert named in said
    assert "give either api_key (on-premises, MSP) or client_id, client_secret and refresh_token (Cloud" in said


@pytest.mark.parametrize(
    ("host", "accounts"),
    [
        ("sdpondemand.manageengine.com", "accounts.zoho.com"),
        ("acme.sdpondemand.manageengine.com", "accounts.zoho.com"),
        ("SDPOnDemand.ManageEngine.EU", "accounts.zoho.eu"),
        ("sdpondemand.manageengine.in", "accounts.zoho.in"),
        ("servicedeskplus.net.au", "accounts.zoho.com.au"),
        ("sdpondemand.manageengine.com.au", "accounts.zoho.com.au"),
        ("servicedeskplus.cn", "accounts.zoho.com.cn"),
        ("sdpondemand.manageengine.com.cn", "accounts.zoho.com.cn"),
        ("servicedeskplus.jp", "accounts.zoho.jp"),
        ("servicedeskplus.ca", "accounts.zohocloud.ca"),
        ("sdpondemand.manageenginecloud.ca", "accounts.zohocloud.ca"),
        ("servicedeskplus.sa", "accounts.zoho.sa"),
        ("servicedeskplus.uk", "accounts.zoho.uk"),
    ],
)
def test_the_services_own_host_says_where_the_accounts_are(host: str, accounts: str) -> None:
    connection = ServiceDeskPlusConnection(base_url=f"https://{host}/app/itdesk", **OAUTH)
    assert connection.token_url == f"https://{accounts}/oauth/v2/token"


@pytest.mark.parametrize(
    "host",
    [
        "helpdesk.acme.com",
        "helpdesk.acme.eu",
        "manageengine.xyz",
        "notmanageengine.com",
        "manageengine.com.acme.example",
        "127.0.0.1:8080",
    ],
)
def test_another_host_does_not_and_the_operator_must(host: str) -> None:
    said = problem(base_url=f"https://{host}/app/itdesk", **OAUTH)
    assert "accounts_url: must be given, since the host of base_url does not say the data centre" in said
    connection = ServiceDeskPlusConnection(
        base_url=f"https://{host}/app/itdesk", accounts_url="https://accounts.zoho.in/", **OAUTH
    )
    assert connection.token_url == "https://accounts.zoho.in/oauth/v2/token"


def test_what_the_operator_gives_counts_before_what_the_host_says() -> None:
    connection = ServiceDeskPlusConnection(base_url=CLOUD, accounts_url="https://accounts.zoho.com", **OAUTH)
    assert connection.token_url.startswith("https://accounts.zoho.com/")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_url", "ftp://acme.example"),
        ("base_url", f"{HERE}/api/v3"),
        ("base_url", f"{HERE}/app/itdesk/api/v3/requests"),
        ("base_url", f"{HERE}?TECHNICIAN_KEY=1"),
        ("base_url", "https://me:secret@acme.example"),
        ("api_key", "two\nlines"),
        ("accounts_url", "https://accounts.zoho.eu/oauth/v2/token"),
        ("resource_path", "requests/../users"),
        ("note_root", "remark"),
        ("note_rot", "misspelt"),
    ],
)
def test_a_field_that_is_unusable_is_named_and_not_quoted(field: str, value: str) -> None:
    said = problem(**{"base_url": HERE, **KEY, field: value})
    assert f"\n{field}\n" in said
    assert value not in said


@pytest.mark.parametrize(
    ("fields", "roots"),
    [
        ({"base_url": HERE, **KEY}, ("note", "request_note")),
        ({"base_url": CLOUD, **OAUTH}, ("request_note", "note")),
        ({"base_url": HERE, **KEY, "note_root": "request_note"}, ("request_note", "note")),
        ({"base_url": CLOUD, **OAUTH, "note_root": "note"}, ("note", "request_note")),
    ],
    ids=str,
)
def test_each_edition_has_its_own_key_around_a_note_first(fields: dict[str, Any], roots: tuple[str, str]) -> None:
    assert ServiceDeskPlusConnection.model_validate(fields).note_roots == roots


def test_no_secret_is_shown() -> None:
    shown = repr(ServiceDeskPlusConnection(base_url=CLOUD, **OAUTH)) + repr(
        ServiceDeskPlusConnection(base_url=HERE, **KEY)
    )
    for secret in (KEY["api_key"], OAUTH["client_secret"], OAUTH["refresh_token"]):
        assert secret not in shown
