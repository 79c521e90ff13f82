"""A tenant's connection from what the operator gives, checked against the plugin's model before it is stored."""

import json
import secrets as randomness
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic
import typer
from pydantic import BaseModel

from deskhand.cli.errors import CliError
from deskhand.tenants.sealing import Connection
from plugins.fields import secret_fields

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of a key, not a secret
WEBHOOK_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class GivenSecrets:
    """What came by `--secrets-stdin`: secret fields of the connection, and perhaps the webhook secret."""

    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    webhook_secret: str | None = field(default=None, repr=False)


def parse_assignments(option: str, given: Iterable[str]) -> dict[str, str]:
    """`name=value` each, as a dictionary.

    Raises:
        CliError: one has no `=`, or a name is given twice. What was given is not quoted: it may be a secret.
    """
    assignments: dict[str, str] = {}
    for place, text in enumerate(given, start=1):
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CliError(f"{option}: the value at place {place} must read name=value")
        if name in assignments:
            raise CliError(f"{option} {name}: is given twice")
        assignments[name] = value
    return assignments


def parse_secrets(text: str) -> GivenSecrets:
    """The JSON object of `--secrets-stdin`.

    Raises:
        CliError: it is not one JSON object of texts. Nothing of it is quoted.
    """
    try:
        given = json.loads(text)
    except ValueError:
        raise CliError("--secrets-stdin: standard input is not JSON") from None
    if not isinstance(given, dict):
        raise CliError("--secrets-stdin: standard input must be one JSON object")
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            raise CliError(f"--secrets-stdin: {name}: must be a text that is not empty")
    webhook_secret = given.pop(WEBHOOK_SECRET, None)
    return GivenSecrets(given, webhook_secret)


def ask_secrets(model: type[BaseModel]) -> GivenSecrets:
    """Ask on the terminal for each secret field, without echo; an empty answer leaves an optional one out."""
    answers = {
        name: typer.prompt(_prompt(name, model), default="", show_default=False, hide_input=True, err=True)
        for name in model.model_fields
        if name in secret_fields(model)
    }
    return GivenSecrets({name: answer for name, answer in answers.items() if answer})


def build_connection(model: type[BaseModel], plain: Mapping[str, str], secret: Mapping[str, str]) -> Connection:
    """The connection, if the model takes it.

    Raises:
        CliError: naming the field, never quoting what was given.
    """
    secrets = secret_fields(model)
    for name in plain:
        _require_field(model, "--set", name)
        if name in secrets:
            raise CliError(
                f"--set {name}: is a secret, and command lines can be seen by others on the machine: "
                "answer the prompt on a terminal, or use --secrets-stdin"
            )
    for name in secret:
        _require_field(model, "--secrets-stdin:", name)
        if name not in secrets:
            raise CliError(f"--secrets-stdin: {name}: is not a secret; give it with --set {name}=…")
    try:
        model.model_validate({**plain, **secret})
    except pydantic.ValidationError as error:
        raise CliError("; ".join(_problem(found, secrets) for found in error.errors(include_input=False))) from None
    return Connection(dict(plain), dict(secret))


def generate_webhook_secret() -> str:
    """32 random bytes, URL-safe."""
    return randomness.token_urlsafe(WEBHOOK_SECRET_BYTES)


def _prompt(name: str, model: type[BaseModel]) -> str:
    info = model.model_fields[name]
    optional = "" if info.is_required() else " (optional)"
    return f"{name}{optional}: {info.description}" if info.description else f"{name}{optional}"


def _require_field(model: type[BaseModel], option: str, name: str) -> None:
    if name not in model.model_fields:
        known = ", ".join(sorted(model.model_fields))
        raise CliError(f"{option} {name}: the connection has no such field; it has {known}")


def _problem(found: Any, secrets: frozenset[str]) -> str:
    name = ".".join(str(part) for part in found["loc"])
    if found["type"] == "missing":
        return f"{name}: is missing; " + (
            "answer the prompt on a terminal, or use --secrets-stdin" if name in secrets else f"give --set {name}=…"
        )
    message = found["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
