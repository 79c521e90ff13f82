"""A tenant's connection from what the operator gives, checked against the plugin's model before it is stored."""

import json
import os
import secrets as randomness
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import pydantic
import typer
from pydantic import BaseModel

from deskhand.cli.errors import CliError
from deskhand.tenants.files import WEBHOOK_SECRET
from deskhand.tenants.sealing import Connection
from plugins.fields import secret_fields

WEBHOOK_SECRET_BYTES = 32
_WAYS = "--secrets-stdin or --secret-env"

SecretsStdin = Annotated[bool, typer.Option("--secrets-stdin", help="Read secret fields as one JSON object.")]
SecretEnv = Annotated[
    list[str] | None,
    typer.Option("--secret-env", metavar="FIELD=VARIABLE", help="Take a secret field from the environment."),
]


@dataclass(frozen=True, slots=True)
class GivenSecrets:
    """What came by `--secrets-stdin` and `--secret-env`: secret fields, and perhaps the webhook secret."""

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


def given_secrets(*, from_stdin: bool, from_env: Iterable[str]) -> GivenSecrets:
    """What was given by the two options for secrets.

    Raises:
        CliError: one is unusable, or a field is given both ways. Nothing of a secret is quoted.
    """
    read = parse_secrets(sys.stdin.read()) if from_stdin else GivenSecrets()
    fields, webhook_secret = dict(read.fields), read.webhook_secret
    for name, variable in parse_assignments("--secret-env", from_env).items():
        value = os.environ.get(variable)
        if not value:
            # The name of a variable: whoever put a secret there by mistake must not see it in a log.
            raise CliError(f"--secret-env {name}: the variable that it names is not set in the environment")
        if name in fields or (name == WEBHOOK_SECRET and webhook_secret):
            raise CliError(f"--secret-env {name}: is given by --secrets-stdin as well")
        if name == WEBHOOK_SECRET:
            webhook_secret = value
        else:
            fields[name] = value
    return GivenSecrets(fields, webhook_secret)


def build_connection(model: type[BaseModel], plain: Mapping[str, str], secret: Mapping[str, str]) -> Connection:
    """The connection, if the model takes it.

    Raises:
        CliError: naming the field, never quoting what was given.
    """
    require_fields(model, plain, secret)
    problems = connection_problems(model, {**plain, **secret})
    if problems:
        raise CliError("; ".join(problems))
    return Connection(dict(plain), dict(secret))


def require_fields(model: type[BaseModel], plain: Iterable[str], secret: Iterable[str]) -> None:
    """Refuse names that the model does not have, and secrets among what is plain or the other way round.

    Raises:
        CliError: naming the field.
    """
    secrets = secret_fields(model)
    for name in plain:
        require_field(model, "--set", name)
        if name in secrets:
            raise CliError(
                f"--set {name}: is a secret, and command lines can be seen by others on the machine: "
                f"answer the prompt on a terminal, or use {_WAYS}"
            )
    for name in secret:
        require_field(model, "--secrets-stdin:", name)
        if name not in secrets:
            raise CliError(f"--secrets-stdin: {name}: is not a secret; give it with --set {name}=…")


def connection_problems(model: type[BaseModel], fields: Mapping[str, Any]) -> list[str]:
    """What the model has against these fields, each with the way out; nothing of what was given is quoted."""
    secrets = secret_fields(model)
    try:
        model.model_validate(dict(fields))
    except pydantic.ValidationError as error:
        return [_problem(found, secrets) for found in error.errors(include_input=False)]
    return []


def generate_webhook_secret() -> str:
    """32 random bytes, URL-safe."""
    return randomness.token_urlsafe(WEBHOOK_SECRET_BYTES)


def require_field(model: type[BaseModel], option: str, name: str) -> None:
    """Refuse a name that the model does not have.

    Raises:
        CliError: naming those that it has.
    """
    if name not in model.model_fields:
        known = ", ".join(sorted(model.model_fields))
        raise CliError(f"{option} {name}: the connection has no such field; it has {known}")


def _problem(found: Any, secrets: frozenset[str]) -> str:
    name = ".".join(str(part) for part in found["loc"])
    if found["type"] == "missing":
        return f"{name}: is missing; " + (
            f"answer the prompt on a terminal, or use {_WAYS}" if name in secrets else f"give --set {name}=…"
        )
    message = found["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
