"""The codec's own process, and a pretend issuer whose access tokens let people in."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jwt.warnings import InsecureKeyLengthWarning

from deskhand.devstack.state import free_ports
from deskhand.devstack.waiting import came_true
from plugins.conformance.pretend.serving import serve
from tests.support.codec_process import PLAIN, CodecProcess, as_json, codec_process
from tests.support.issuer import AUDIENCE, GROUP, PretendIssuer, SigningKey, forged, over_tls

UI = "https://temporal.example.com"
HOST = "codec.example.com"
STRANGER = SigningKey.make("stranger")


def settings(issuer: PretendIssuer, **more: str) -> dict[str, str]:
    return {
        "DESKHAND_ENVIRONMENT": "development",
        "DESKHAND_CODEC_ISSUER": issuer.origin,
        "DESKHAND_CODEC_AUDIENCE": AUDIENCE,
        "DESKHAND_CODEC_GROUP": GROUP,
        "DESKHAND_CODEC_ORIGIN": UI,
        **more,
    }


@asynccontextmanager
async def served() -> AsyncIterator[PretendIssuer]:
    async with serve(PretendIssuer) as issuer:
        yield issuer


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[PretendIssuer]:
    """It signs with four kinds of keys, and the tests that use this one leave it as it is."""
    async with served() as issuer:
        yield issuer


WEAK = SigningKey.make("weak", bits=1024)
ALSO = {name: SigningKey.make(name, name) for name in ("PS256", "ES256", "ES384", "EdDSA")}


@pytest.fixture(scope="module")
async def codec(issuer: PretendIssuer) -> AsyncIterator[CodecProcess]:
    issuer.listed += [key.jwk for key in (*ALSO.values(), WEAK)]
    async with codec_process(**settings(issuer)) as codec:
        yield codec


async def test_a_good_token_opens_payloads_and_the_log_says_for_whom(
    issuer: PretendIssuer, codec: CodecProcess
) -> None:
    token = issuer.token(sub="u-77")
    answer = await codec.decode(token, origin=UI, x_namespace="deskhand")
    assert answer.status_code == 200
    assert answer.json() == {"payloads": [as_json(PLAIN)]}
    assert answer.headers["access-control-allow-origin"] == UI
    line = await codec.logged("codec.decoded", sub="u-77")
    assert (line["caller"], line["payloads"], line["namespace"]) == ("jwt", 1, "deskhand")
    said = json.dumps(codec.lines)
    assert token.rpartition(".")[2] not in said
    assert "someone@example.com" not in said
    assert "printer" not in said


@pytest.mark.parametrize("kind", ALSO)
async def test_every_algorithm_of_a_public_key_is_taken(issuer: PretendIssuer, codec: CodecProcess, kind: str) -> None:
    assert (await codec.decode(issuer.token(ALSO[kind]))).status_code == 200


GOOD: dict[str, Callable[[int], dict[str, Any]]] = {
    "several audiences": lambda _: {"aud": ["other", AUDIENCE]},
    "one group": lambda _: {"groups": GROUP},
    "groups by blanks": lambda _: {"groups": f"staff {GROUP}"},
    "groups by commas": lambda _: {"groups": f"staff,{GROUP},others"},
    "just over": lambda now: {"exp": now - 5},
    "in a moment": lambda now: {"nbf": now + 5},
}


@pytest.mark.parametrize("what", GOOD)
async def test_these_tokens_are_good_too(issuer: PretendIssuer, codec: CodecProcess, what: str) -> None:
    assert (await codec.decode(issuer.token(**GOOD[what](int(time.time()))))).status_code == 200


Forge = Callable[[PretendIssuer], str]

BAD: dict[str, tuple[Forge, str]] = {
    "another audience": (lambda i: i.token(aud="temporal-ui"), "InvalidAudienceError"),
    "no audience": (lambda i: i.token(aud=None), "MissingRequiredClaimError"),
    "another issuer": (lambda i: i.token(iss=i.origin + "/"), "InvalidIssuerError"),
    "no issuer": (lambda i: i.token(iss=None), "MissingRequiredClaimError"),
    "over": (lambda i: i.token(exp=int(time.time()) - 60), "ExpiredSignatureError"),
    "never over": (lambda i: i.token(exp=None), "MissingRequiredClaimError"),
    "not yet": (lambda i: i.token(nbf=int(time.time()) + 600), "ImmatureSignatureError"),
    "nobody's": (lambda i: i.token(sub=None), "MissingRequiredClaimError"),
    "an empty sub": (lambda i: i.token(sub=""), "its sub is empty"),
    "alg none": (lambda i: forged({"alg": "none", "kid": "one"}, i.claims()), "its algorithm is not taken"),
    "alg None": (lambda i: forged({"alg": "None", "kid": "one"}, i.claims()), "its algorithm is not taken"),
    "no alg": (lambda i: forged({"kid": "one"}, i.claims()), "its algorithm is not taken"),
    "the public key as a secret": (
        lambda i: forged({"alg": "HS256", "kid": "one"}, i.claims(), i.key.public_pem),
        "its algorithm is not taken",
    ),
    "RS256 that is an HMAC": (
        lambda i: forged({"alg": "RS256", "kid": "one"}, i.claims(), i.key.public_pem),
        "InvalidSignatureError",
    ),
    "no signature": (lambda i: i.token().rpartition(".")[0] + ".", "InvalidSignatureError"),
    "a key that nobody lists": (lambda i: i.token(STRANGER), "its key is not the issuer's"),
    "the kid of another key": (lambda i: i.token(STRANGER, header={"kid": "one"}), "InvalidSignatureError"),
    "another algorithm than its key's": (
        lambda i: i.token(header={"alg": "PS256"}),
        "its algorithm is not its key's",
    ),
    "another kind of key": (
        lambda i: i.token(ALSO["ES256"], header={"kid": "one"}),
        "its algorithm is not its key's",
    ),
    "no kid": (lambda i: i.token(header={"kid": None}), "it names no key"),
    "a header that must be understood": (
        lambda i: i.token(header={"crit": ["exp2"], "exp2": 1}),
        "it is no signed token",
    ),
    "a key that is too short": (lambda i: _with_weak_key(i), "InvalidKeyError"),
    "its own key inside": (
        lambda i: i.token(STRANGER, header={"kid": "one", "jwk": STRANGER.jwk}),
        "InvalidSignatureError",
    ),
    "other claims than were signed": (lambda i: _swapped(i), "InvalidSignatureError"),
    "no token": (lambda _: "let-me-in", "it is no signed token"),
    "deep": (lambda _: _encoded(b"[" * 5000) + ".e30.x", "it is no signed token"),
}


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _with_weak_key(issuer: PretendIssuer) -> str:
    with pytest.warns(InsecureKeyLengthWarning):
        return issuer.token(WEAK)


def _swapped(issuer: PretendIssuer) -> str:
    header, _, signature = issuer.token(groups=["staff"]).split(".")
    return f"{header}.{_encoded(json.dumps(issuer.claims()).encode())}.{signature}"


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_token_is_401_and_only_the_log_says_why(
    issuer: PretendIssuer, codec: CodecProcess, what: str
) -> None:
    forge, why = BAD[what]
    codec.lines.clear()
    answer = await codec.decode(forge(issuer), origin=UI)
    assert (answer.status_code, answer.text) == (401, "an access token is needed")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (await codec.logged("codec.refused"))["why"] == why


async def test_a_token_is_taken_from_one_authorization_header_only(issuer: PretendIssuer, codec: CodecProcess) -> None:
    token = issuer.token()
    body: dict[str, Any] = {"payloads": [{}]}
    elsewhere = [
        await codec.http.post(f"/decode?access_token={token}&token={token}", json=body),
        await codec.http.post("/decode", json={**body, "access_token": token}),
        await codec.decode(authorization=f"Basic {token}"),
        await codec.decode(authorization=token),
        await codec.decode(authorization_extras=token),
        await codec.decode(cookie=f"token={token}"),
        await codec.http.post(
            "/decode", json=body, headers=[("Authorization", "Bearer x"), ("Authorization", f"Bearer {token}")]
        ),
    ]
    assert [answer.status_code for answer in elsewhere] == [401] * len(elsewhere)
    assert (await codec.decode(authorization=f"bearer  {token}")).status_code == 200


@pytest.mark.parametrize("groups", [None, [], ["staff"], "staff", f"{GROUP}-of-old", {GROUP: True}, [[GROUP]], 7])
async def test_who_is_not_in_the_group_is_403_and_named_in_the_log(
    issuer: PretendIssuer, codec: CodecProcess, groups: object
) -> None:
    codec.lines.clear()
    answer = await codec.decode(issuer.token(groups=groups, sub="u-gone"))
    assert (answer.status_code, answer.text) == (403, "this caller may not read tickets")
    assert (await codec.logged("codec.refused", sub="u-gone"))["why"] == "not in the group"


async def test_another_page_gets_nothing_with_a_good_token(issuer: PretendIssuer, codec: CodecProcess) -> None:
    for origin in ("https://evil.example", "null", UI + ".evil.example", UI + ":8443", UI.replace("https", "http")):
        answer = await codec.decode(issuer.token(), origin=origin)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


async def test_a_rotated_key_counts_without_a_restart_and_the_old_one_no_more() -> None:
    async with served() as issuer, codec_process(**settings(issuer)) as codec:
        old = issuer.token()
        assert (await codec.decode(old)).status_code == 200
        issuer.rotate(SigningKey.make("two", "ES256"))
        assert (await codec.decode(old)).status_code == 200  # remembered for ten minutes, unless told otherwise
        assert (await codec.decode(issuer.token())).status_code == 200
        assert (await codec.decode(old)).status_code == 401


async def test_a_flood_of_strange_keys_asks_the_issuer_once() -> None:
    async with served() as issuer, codec_process(**settings(issuer)) as codec:
        assert (await codec.decode(issuer.token())).status_code == 200
        asked = issuer.asked
        for number in range(40):
            token = issuer.token(STRANGER, header={"kid": f"strange-{number}"})
            assert (await codec.decode(token)).status_code == 401
        assert issuer.asked == asked + 1
        assert (await codec.decode(issuer.token())).status_code == 200


async def test_without_issuer_and_without_keys_nobody_is_let_in_until_it_is_back() -> None:
    async with served() as issuer:
        issuer.status = 500
        async with codec_process(**settings(issuer)) as codec:
            await codec.logged("codec.issuer_unavailable", reason="it answered 500", keys=0)
            answer = await codec.decode(issuer.token())
            assert (answer.status_code, answer.text) == (503, "who calls cannot be checked now")
            assert answer.headers["retry-after"] == "5"
            assert (await codec.decode(issuer.token(STRANGER))).status_code == 503
            assert (await codec.decode()).status_code == 401  # this much is plain without keys
            issuer.status = 200

            async def let_in() -> bool:
                return (await codec.decode(issuer.token())).status_code == 200

            assert await came_true(let_in, 20)


async def test_keys_are_remembered_while_the_issuer_is_down() -> None:
    async with serve(PretendIssuer) as issuer, codec_process(**settings(issuer)) as codec:
        assert (await codec.decode(issuer.token())).status_code == 200
        issuer.status = 503
        new = issuer.token(SigningKey.make("two"))
        assert (await codec.decode(new)).status_code == 503  # it may be good: nobody can say
        assert (await codec.decode(issuer.token())).status_code == 200
        assert (await codec.decode(issuer.token(aud="other"))).status_code == 401


async def unavailable(issuer: PretendIssuer) -> str:
    """What a codec says of this issuer at its start."""
    async with codec_process(**settings(issuer)) as codec:
        line = await codec.logged("codec.issuer_unavailable")
        assert (await codec.decode(issuer.token())).status_code == 503
        assert (await codec.http.get("/healthz")).status_code == 200
        return str(line["reason"])


async def test_an_issuer_that_answers_wrongly_lets_nobody_in() -> None:
    async with served() as issuer:
        issuer.padding = 300_000
        assert await unavailable(issuer) == "its answer is larger than 262144 bytes"
        issuer.padding = 0
        issuer.redirects = True
        assert await unavailable(issuer) == "it answered 302; redirects are not followed"
        issuer.redirects = False
        issuer.says_issuer = "https://other.example"
        assert "names another issuer" in await unavailable(issuer)


async def test_an_issuer_that_is_not_there_lets_nobody_in() -> None:
    (port,) = free_ports(1)
    assert await unavailable(PretendIssuer(f"http://127.0.0.1:{port}")) == "ConnectError"


async def test_the_keys_may_be_at_an_address_of_their_own() -> None:
    async with served() as issuer:
        issuer.redirects = True
        given = settings(issuer, DESKHAND_CODEC_JWKS_URL=f"{issuer.origin}/keys", DESKHAND_CODEC_GROUPS_CLAIM="roles")
        async with codec_process(**given) as codec:
            assert (await codec.decode(issuer.token(groups=None, roles=[GROUP]))).status_code == 200


@asynccontextmanager
async def production(folder: Path, **more: str) -> AsyncIterator[tuple[PretendIssuer, CodecProcess]]:
    """Both as they are in production: the issuer over TLS, the codec behind a proxy on the same machine."""
    (port,) = free_ports(1)
    issuer = PretendIssuer(f"https://127.0.0.1:{port}")
    async with over_tls(issuer, port, folder) as authority:
        given = {"DESKHAND_ENVIRONMENT": "production", "SSL_CERT_FILE": str(authority), **more}
        given["DESKHAND_CODEC_HOST_NAMES"] = HOST
        async with codec_process(**settings(issuer, **given)) as codec:
            yield issuer, codec


async def test_in_production_pages_bring_an_access_token_and_command_lines_may_bring_the_static_one(
    tmp_path: Path,
) -> None:
    async with production(tmp_path, DESKHAND_CODEC_TOKEN="s3cret") as (issuer, codec):
        await codec.logged("codec.issuer_keys", keys=1)
        assert (await codec.decode(issuer.token(), origin=UI, host=HOST)).status_code == 200
        assert (await codec.decode(issuer.token(), host=HOST)).status_code == 200
        assert (await codec.decode("s3cret", host=HOST)).status_code == 200
        assert (await codec.logged("codec.decoded", caller="token"))["sub"] is None
        codec.lines.clear()
        from_a_page = await codec.decode("s3cret", origin=UI, host=HOST)
        assert (from_a_page.status_code, from_a_page.text) == (401, "an access token is needed")
        assert "s3cret" not in json.dumps([await codec.logged("codec.refused"), *codec.lines])
        for wrong in ("s3cre", "s3cret2", "S3CRET"):
            assert (await codec.decode(wrong, host=HOST)).status_code == 401
        assert (await codec.decode(host=HOST)).status_code == 401
        assert (await codec.decode("s3cret", host="evil.example")).status_code == 400


async def test_an_authority_that_is_not_trusted_lets_nobody_in(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    issuer = PretendIssuer(f"https://127.0.0.1:{port}")
    async with over_tls(issuer, port, tmp_path):
        assert await unavailable(issuer) == "ConnectError"
