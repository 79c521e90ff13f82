import pytest
from pydantic import BaseModel, Field, SecretStr, model_validator

from deskhand.cli.connection import build_connection, parse_assignments, parse_secrets
from deskhand.cli.errors import CliError
from plugins.fields import secret_fields

PLANTED = "planted-secret-7391"


class Model(BaseModel):
    base_url: str = Field(pattern=r"^https://")
    api_key: SecretStr
    fallback_key: SecretStr | None = Field(default=None, min_length=8)
    page_size: int = 50

    @model_validator(mode="after")
    def _one_of(self) -> "Model":
        if self.page_size == 13:
            raise ValueError("page_size and luck do not go together")
        return self


GOOD = {"base_url": "https://acme.example"}


def test_secret_fields_are_those_that_may_hold_a_secret() -> None:
    assert secret_fields(Model) == {"api_key", "fallback_key"}


def test_a_good_connection_keeps_what_was_given() -> None:
    connection = build_connection(Model, {**GOOD, "page_size": "20"}, {"api_key": PLANTED})
    assert connection.fields() == {"base_url": "https://acme.example", "page_size": "20", "api_key": PLANTED}
    assert PLANTED not in repr(connection)


@pytest.mark.parametrize(
    ("plain", "secret", "message"),
    [
        ({"base_url": PLANTED}, {"api_key": "k"}, "base_url: String should match"),
        ({}, {"api_key": PLANTED}, "base_url: is missing; give --set base_url="),
        (GOOD, {}, "api_key: is missing; answer the prompt on a terminal, or use --secrets-stdin"),
        ({**GOOD, "api_key": PLANTED}, {}, "--set api_key: is a secret, and command lines can be seen"),
        ({**GOOD, "fallback_key": PLANTED}, {"api_key": "k"}, "--set fallback_key: is a secret"),
        ({**GOOD, "baseurl": PLANTED}, {"api_key": "k"}, "--set baseurl: the connection has no such field; it has"),
        (GOOD, {"api_key": "k", "apikey": PLANTED}, "--secrets-stdin: apikey: the connection has no such field"),
        (GOOD, {"api_key": "k", "page_size": PLANTED}, "--secrets-stdin: page_size: is not a secret"),
        (GOOD, {"api_key": PLANTED, "fallback_key": "short"}, "fallback_key: Value should have at least 8"),
        ({**GOOD, "page_size": PLANTED}, {"api_key": "k"}, "page_size: Input should be a valid integer"),
        ({**GOOD, "page_size": "13"}, {"api_key": PLANTED}, "page_size and luck do not go together"),
    ],
)
def test_a_bad_one_is_refused_by_field_and_never_quoted(
    plain: dict[str, str], secret: dict[str, str], message: str
) -> None:
    with pytest.raises(CliError) as caught:
        build_connection(Model, plain, secret)
    assert str(caught.value).startswith(message)
    assert PLANTED not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_from_standard_input() -> None:
    given = parse_secrets(f'{{"api_key": "{PLANTED}", "webhook_secret": "w"}}')
    assert (given.fields, given.webhook_secret) == ({"api_key": PLANTED}, "w")
    assert PLANTED not in repr(given)


@pytest.mark.parametrize("text", [PLANTED, f'["{PLANTED}"]', '{"api_key": 5}', '{"api_key": ""}', ""])
def test_standard_input_that_is_no_object_of_texts_is_refused_unquoted(text: str) -> None:
    with pytest.raises(CliError, match=r"^--secrets-stdin: ") as caught:
        parse_secrets(text)
    assert PLANTED not in str(caught.value)


def test_assignments() -> None:
    assert parse_assignments("--set", ["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}


@pytest.mark.parametrize("given", [[PLANTED], [f"={PLANTED}"], ["a=1", f"a={PLANTED}"]])
def test_bad_assignments_are_refused_unquoted(given: list[str]) -> None:
    with pytest.raises(CliError, match=r"^--set") as caught:
        parse_assignments("--set", given)
    assert PLANTED not in str(caught.value)
