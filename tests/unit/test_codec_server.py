import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payload

from deskhand.codec import app as codec_app
from deskhand.codec.app import create_codec_app
from deskhand.crypto.keyring import Keyring
from deskhand.settings import Settings, SettingsError
from tests.support.codec_process import KEYS, PLAIN, as_json, sealed

UI = "http://127.0.0.1:8233"


@contextlib.asynccontextmanager
async def codec(host: str = "127.0.0.1:8081", **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    given = {"environment": "development", "codec_origin": UI, **settings}
    app = create_codec_app(Keyring.parse(KEYS), Settings.model_validate(given))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}") as client:
        yield client


async def test_it_opens_what_is_sealed_and_leaves_the_rest() -> None:
    marker = as_json(Payload(metadata={"encoding": b"json/plain"}, data=b"{}"))
    async with codec() as client:
        answer = await client.post("/decode", json={"payloads": [await sealed(), marker]})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"payloads": [as_json(PLAIN), marker]}


async def test_it_never_encodes() -> None:
    async with codec() as client:
        assert (await client.post("/encode", json={"payloads": [as_json(PLAIN)]})).status_code == 404
        assert (await client.get("/decode")).status_code == 405
        assert (await client.get("/healthz")).status_code == 200


async def test_the_ui_may_call_it_from_its_origin() -> None:
    async with codec() as client:
        preflight = await client.options(
            "/decode",
            headers={
                "Origin": UI,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,authorization-extras,content-type,x-namespace",
            },
        )
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == UI
        # What every page may send in any case is listed too: Accept and the languages.
        assert set(preflight.headers["access-control-allow-headers"].lower().split(", ")) == {
            *("authorization", "authorization-extras", "content-type", "x-namespace"),
            *("accept", "accept-language", "content-language"),
        }
        assert "access-control-allow-credentials" not in preflight.headers
        answer = await client.post(
            "/decode", json={"payloads": [await sealed()]}, headers={"Origin": UI, "X-Namespace": "default"}
        )
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == UI


@pytest.mark.parametrize("origin", ["http://evil.example", "null", UI + ".evil.example", "http://127.0.0.1:8234"])
async def test_another_origin_may_not(origin: str) -> None:
    async with codec() as client:
        preflight = await client.options("/decode", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert "access-control-allow-origin" not in preflight.headers
        answer = await client.post("/decode", json={"payloads": [await sealed()]}, headers={"Origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


async def test_without_an_origin_set_no_page_may() -> None:
    async with codec(codec_origin=None) as client:
        answer = await client.post("/decode", json={"payloads": []}, headers={"Origin": UI})
        assert answer.status_code == 403
        assert (await client.post("/decode", json={"payloads": []})).status_code == 200


async def test_the_ui_may_ask_with_a_query() -> None:
    async with codec() as client:
        answer = await client.post("/decode?preserveStorageRefs=true", json={"payloads": [await sealed()]})
    assert answer.status_code == 200


async def test_a_page_cannot_avoid_the_preflight_with_a_simple_media_type() -> None:
    async with codec() as client:
        answer = await client.post("/decode", content=b'{"payloads":[]}', headers={"Content-Type": "text/plain"})
        assert answer.status_code == 415


OTHERS = ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "[::2]"]  # noqa: S104 - the case under test


@pytest.mark.parametrize("host", OTHERS)
async def test_a_name_that_only_leads_to_loopback_is_refused(host: str) -> None:
    async with codec(host=host) as client:
        assert (await client.post("/decode", json={"payloads": [await sealed()]})).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8081", "LOCALHOST", "localhost.", "[::1]:8081"])
async def test_loopback_may_be_named_in_any_way(host: str) -> None:
    async with codec(host=host) as client:
        assert (await client.post("/decode", json={"payloads": [await sealed()]})).status_code == 200


NAMED = {"codec_host": "0.0.0.0", "codec_host_names": "Codec.example.com,[2001:db8::1]", "codec_token": "s3cret"}  # noqa: S104 - behind a proxy


@pytest.mark.parametrize("host", ["codec.example.com", "CODEC.example.com.:8443", "[2001:DB8:0::1]:443"])
async def test_elsewhere_it_answers_to_the_names_that_are_set(host: str) -> None:
    async with codec(host=host, **NAMED) as client:
        answer = await client.post("/decode", json={"payloads": []}, headers={"Authorization": "Bearer s3cret"})
        assert answer.status_code == 200


@pytest.mark.parametrize("host", [*OTHERS, "localhost", "127.0.0.1:8081", "codec.example.com.evil.example"])
async def test_and_to_no_other_name(host: str) -> None:
    async with codec(host=host, **NAMED) as client:
        answer = await client.post("/decode", json={"payloads": []}, headers={"Authorization": "Bearer s3cret"})
        assert answer.status_code == 400
        assert (await client.get("/healthz")).status_code == 200


async def test_the_token_is_asked_for_where_there_is_one() -> None:
    async with codec(codec_token="s3cret", codec_origin=None, environment="production") as client:
        body = {"payloads": [await sealed()]}
        for header in (None, "Bearer", "Bearer other", "Basic s3cret", "s3cret"):
            answer = await client.post("/decode", json=body, headers={"Authorization": header} if header else {})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        for header in ("Bearer s3cret", "bearer s3cret"):
            assert (await client.post("/decode", json=body, headers={"Authorization": header})).status_code == 200


async def test_a_page_gets_in_by_no_static_token_in_development_either() -> None:
    async with codec(codec_token="s3cret") as client:
        headers = {"Authorization": "Bearer s3cret", "Origin": UI}
        assert (await client.post("/decode", json={"payloads": []}, headers=headers)).status_code == 401


ISSUER = {"codec_issuer": "https://login.example.com", "codec_audience": "deskhand"}
ANYWHERE = {"codec_host": "0.0.0.0"}  # noqa: S104 - the case under test


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({**ANYWHERE, "codec_host_names": "codec"}, "without them DESKHAND_CODEC_HOST must be loopback"),
        ({"codec_host": "codec", "codec_host_names": "codec"}, "without them DESKHAND_CODEC_HOST must be loopback"),
        ({**ANYWHERE, "codec_token": "s3cret"}, "DESKHAND_CODEC_HOST_NAMES is not set"),
        ({"codec_host_names": "codec.example.com:8081"}, "DESKHAND_CODEC_HOST_NAMES must hold names"),
        ({"codec_host_names": "[::1]:8081"}, "DESKHAND_CODEC_HOST_NAMES must hold names"),
        ({"codec_host_names": "*.example.com"}, "DESKHAND_CODEC_HOST_NAMES must hold names"),
        ({"codec_host_names": "https://codec.example.com"}, "DESKHAND_CODEC_HOST_NAMES must hold names"),
        ({"environment": "production"}, "neither DESKHAND_CODEC_ISSUER nor DESKHAND_CODEC_TOKEN is set"),
        ({"environment": "production", "codec_token": "s3cret", "codec_origin": UI}, "a page in a browser must"),
        ({"codec_issuer": "https://login.example.com"}, "DESKHAND_CODEC_AUDIENCE is not set"),
        ({"codec_audience": "deskhand"}, "DESKHAND_CODEC_AUDIENCE is set without DESKHAND_CODEC_ISSUER"),
        ({"codec_group": "readers"}, "DESKHAND_CODEC_GROUP is set without DESKHAND_CODEC_ISSUER"),
        ({"codec_jwks_url": "https://login.example.com/keys"}, "DESKHAND_CODEC_JWKS_URL is set without"),
        ({**ISSUER, "codec_issuer": "http://login.example.com"}, "DESKHAND_CODEC_ISSUER must be an https address"),
        ({**ISSUER, "codec_issuer": "login.example.com"}, "DESKHAND_CODEC_ISSUER must be an https address"),
        ({**ISSUER, "codec_issuer": "https://"}, "DESKHAND_CODEC_ISSUER must be an https address"),
        ({**ISSUER, "codec_jwks_url": "ftp://127.0.0.1/keys"}, "DESKHAND_CODEC_JWKS_URL must be an https address"),
        (
            {**ISSUER, "codec_issuer": "http://127.0.0.1:8000", "environment": "production"},
            "DESKHAND_CODEC_ISSUER must be an https address",
        ),
        ({"codec_origin": "*"}, "DESKHAND_CODEC_ORIGIN must be one origin"),
        ({"codec_origin": UI + "/"}, "DESKHAND_CODEC_ORIGIN must be one origin"),
        ({"codec_origin": "https://Temporal.example.com"}, "DESKHAND_CODEC_ORIGIN must be one origin"),
        ({"codec_origin": "https://a.example,https://b.example"}, "DESKHAND_CODEC_ORIGIN must be one origin"),
    ],
)
def test_an_open_door_is_refused_at_the_start(settings: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        create_codec_app(Keyring.parse(KEYS), Settings.model_validate({"environment": "development", **settings}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"payloads": 1}',
        b'{"payloads":[{"data":"A"}]}',
        b'{"payloads":' + b"[" * 50_000,
        b"\xff\xfe",
    ],
)
async def test_what_is_not_the_protocol_is_400(body: bytes) -> None:
    async with codec() as client:
        answer = await client.post("/decode", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400


async def test_what_does_not_open_is_400_and_says_why() -> None:
    payload = await sealed(Keyring.generate_text())
    async with codec() as client:
        answer = await client.post("/decode", json={"payloads": [payload]})
    assert answer.status_code == 400
    assert "not in this keyring" in answer.text


async def test_a_body_over_the_limit_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_app, "MAX_BODY_BYTES", 100)
    async with codec() as client:
        assert (await client.post("/decode", json={"payloads": [], "x": "y" * 100})).status_code == 413


@pytest.mark.parametrize("much", [{"payloads": [{}] * 5001}, {"payloads": [], "x": [0] * 100_000}])
async def test_too_many_payloads_are_413(much: object) -> None:
    async with codec() as client:
        answer = await client.post("/decode", json=much)
        assert (answer.status_code, answer.text) == (413, "more than 5000 payloads")
        assert (await client.post("/decode", json={"payloads": [{}] * 5000})).status_code == 200
