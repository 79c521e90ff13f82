import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payload

from deskhand.crypto import codec_server
from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.codec_server import create_codec_app
from deskhand.crypto.keyring import Keyring
from deskhand.settings import Settings, SettingsError

KEYRING = Keyring.parse(Keyring.generate_text())
UI = "http://127.0.0.1:8233"


@contextlib.asynccontextmanager
async def codec(host: str = "127.0.0.1:8081", **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    given = {"environment": "development", "codec_origin": UI, **settings}
    app = create_codec_app(KEYRING, Settings.model_validate(given))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}") as client:
        yield client


def as_json(payload: Payload) -> dict[str, Any]:
    return {
        "metadata": {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()},
        "data": base64.b64encode(payload.data).decode(),
    }


PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"printer on fire"')


async def sealed() -> dict[str, Any]:
    return as_json((await EncryptionCodec(KEYRING, allow_plaintext=False).encode([PLAIN]))[0])


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
                "Access-Control-Request-Headers": "authorization,content-type,x-namespace",
            },
        )
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == UI
        allowed = preflight.headers["access-control-allow-headers"].lower()
        assert all(name in allowed for name in ("authorization", "content-type", "x-namespace"))
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


async def test_a_page_cannot_avoid_the_preflight_with_a_simple_media_type() -> None:
    async with codec() as client:
        answer = await client.post("/decode", content=b'{"payloads":[]}', headers={"Content-Type": "text/plain"})
        assert answer.status_code == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example"])
async def test_a_name_that_only_leads_to_loopback_is_refused(host: str) -> None:
    async with codec(host=host) as client:
        assert (await client.post("/decode", json={"payloads": [await sealed()]})).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8081", "LOCALHOST", "[::1]:8081"])
async def test_loopback_may_be_named_in_any_way(host: str) -> None:
    async with codec(host=host) as client:
        assert (await client.post("/decode", json={"payloads": [await sealed()]})).status_code == 200


async def test_the_token_is_asked_for_where_there_is_one() -> None:
    async with codec(codec_token="s3cret", environment="production") as client:
        body = {"payloads": [await sealed()]}
        for header in (None, "Bearer", "Bearer other", "Basic s3cret", "s3cret"):
            answer = await client.post("/decode", json=body, headers={"Authorization": header} if header else {})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        for header in ("Bearer s3cret", "bearer s3cret"):
            assert (await client.post("/decode", json=body, headers={"Authorization": header})).status_code == 200


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"environment": "development", "codec_host": "0.0.0.0"}, "DESKHAND_CODEC_HOST must be loopback"),  # noqa: S104 - the case under test
        ({"environment": "development", "codec_host": "codec"}, "DESKHAND_CODEC_HOST must be loopback"),
        ({"environment": "production"}, "DESKHAND_CODEC_TOKEN is not set"),
    ],
)
def test_an_open_door_is_refused_at_the_start(settings: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        create_codec_app(KEYRING, Settings.model_validate(settings))


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
    stranger = EncryptionCodec(Keyring.parse(Keyring.generate_text()), allow_plaintext=False)
    (payload,) = await stranger.encode([PLAIN])
    async with codec() as client:
        answer = await client.post("/decode", json={"payloads": [as_json(payload)]})
    assert answer.status_code == 400
    assert "not in this keyring" in answer.text


async def test_a_body_over_the_limit_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_server, "MAX_BODY_BYTES", 100)
    async with codec() as client:
        assert (await client.post("/decode", json={"payloads": [], "x": "y" * 100})).status_code == 413
