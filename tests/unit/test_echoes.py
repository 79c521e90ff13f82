"""No credential and no ticket in what is kept of a vendor's words."""

import httpx
import pytest

from plugins.echoes import without_echo

WORDS = "the field body is not acceptable"


def answered(request: httpx.Request) -> httpx.Response:
    return httpx.Response(400, request=request)


def sent(**more: object) -> httpx.Response:
    auth = httpx.BasicAuth("robin@acme.example", "s3cret-token")
    request = httpx.Request("POST", "https://vendor.example/notes", **more)  # type: ignore[arg-type]
    return answered(next(auth.auth_flow(request)))


def test_words_of_the_vendors_own_are_kept() -> None:
    assert without_echo(WORDS, sent(json={"body": "The VPN drops every ten minutes."})) == WORDS
    assert without_echo(WORDS, httpx.Response(400)) == WORDS, "an answer of no request"


@pytest.mark.parametrize(
    "secret", ["s3cret-token", "cm9iaW5AYWNtZS5leGFtcGxlOnMzY3JldC10b2tlbg==", "robin@acme.example"]
)
def test_words_with_a_credential_are_dropped(secret: str) -> None:
    assert without_echo(f"cannot sign in with {secret}", sent()) == ""


@pytest.mark.parametrize("header", ["authtoken", "TECHNICIAN_KEY"])
def test_words_with_a_key_are_dropped(header: str) -> None:
    request = httpx.Request("GET", "https://vendor.example/", headers={header: "1234-KEY"})
    assert without_echo("invalid key 1234-KEY", answered(request)) == ""


@pytest.mark.parametrize("form", ["json", "data"])
@pytest.mark.parametrize("quote", ["The VPN drops every ten minutes.", "VPN drops every ten m"])
def test_words_that_repeat_the_ticket_are_dropped(form: str, quote: str) -> None:
    assert without_echo(f"invalid: {quote}", sent(**{form: {"body": "The VPN drops every ten minutes."}})) == ""


def test_a_form_is_known_in_either_spelling() -> None:
    answer = sent(data={"body": "The VPN drops every ten minutes."})
    assert without_echo("invalid: body=The+VPN+drops+every+ten", answer) == ""
