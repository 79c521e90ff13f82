"""Asking on a terminal for what a connection needs: each field with its description, until the model takes it."""

import sys
from collections.abc import Mapping
from typing import Any

import pydantic
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deskhand.cli.connection import require_fields
from deskhand.cli.layout import wrapped
from deskhand.tenants.files import WEBHOOK_SECRET
from deskhand.tenants.sealing import Connection
from plugins.base import TicketingToolPlugin
from plugins.fields import secret_fields

_A_SECRET = "x"  # noqa: S105 - stands in for one, to see whether the model has room for it


def ask_connection(model: type[BaseModel], plain: Mapping[str, str], secret: Mapping[str, str]) -> Connection:
    """The connection, of what was given and what is asked for; secret fields are asked for without echo.

    Asked for are the fields that were not given and those that the model refuses. An optional one that no longer goes
    with the answers, such as an API token beside an OAuth client, is left out.

    Raises:
        CliError: what was given names a field that there is not, or a secret among what is plain.
    """
    require_fields(model, plain, secret)
    answers: dict[str, str] = {**plain, **secret}
    asked = []
    if any(name not in answers for name in model.model_fields):
        _say("Enter alone leaves out what is optional and takes what stands in brackets; Ctrl-C stores nothing.")
    for name, info in model.model_fields.items():
        if name in answers:
            problem = _refused(model, answers, name)
            if problem is None:
                continue
            _say(f"{name}: {problem}")
        elif not _has_room(model, answers, name, info):
            continue
        asked.append(name)
        _ask(model, answers, name, introduce=True)
    while (problem := _together(model, answers)) is not None:
        _say(problem)
        for name in _named(problem, model) or asked or model.model_fields:
            _ask(model, answers, name, introduce=False)
    secrets = secret_fields(model)
    return Connection(
        {name: answer for name, answer in answers.items() if name not in secrets},
        {name: answer for name, answer in answers.items() if name in secrets},
    )


def ask_secret(name: str, what: str = "") -> str:
    """One secret, without echo; asked for until it is not empty."""
    for line in wrapped(what):
        _say(line)
    while not (answer := _prompt(f"{name} (not shown)", hidden=True)):
        _say(f"{name}: is needed; Ctrl-C ends this")
    return answer


def ask_webhook_secret(tool: str) -> str:
    """The secret that a tool made for its webhook."""
    return ask_secret(WEBHOOK_SECRET, f"The signing secret of the webhook, as {tool} shows it.")


def ask_scheme(plugin: type[TicketingToolPlugin]) -> str | None:
    """How webhooks are authenticated, where the plugin knows several ways; `None` is its default."""
    schemes = sorted(plugin.signature_schemes)
    _say("")
    _say(f"signature_scheme: how the tool's webhooks are authenticated, {' or '.join(schemes)}.")
    default = f" [{plugin.default_scheme}]" if plugin.default_scheme else " (optional)"
    while (answer := _prompt(f"signature_scheme{default}")) and answer not in schemes:
        _say(f"signature_scheme: must be {' or '.join(schemes)}")
    return answer or None


def _ask(model: type[BaseModel], answers: dict[str, str], name: str, *, introduce: bool) -> None:
    """Ask for a field until the model takes it; an empty answer leaves an optional one out."""
    info = model.model_fields[name]
    hidden = name in secret_fields(model)
    if introduce:
        _say("")
        for line in wrapped(f"{name}: {info.description}" if info.description else name):
            _say(line)
        if info.examples:
            _say(f"  such as {' or '.join(map(str, info.examples))}")
    while True:
        answer = _prompt(f"{name}{_aside(info, hidden=hidden)}", hidden=hidden)
        answers.pop(name, None)
        if not answer and not info.is_required():
            return
        if not answer:
            _say(f"{name}: is needed; Ctrl-C ends this")
            continue
        answers[name] = answer
        problem = _refused(model, answers, name)
        if problem is None:
            return
        _say(f"{name}: {problem}")


def _aside(info: FieldInfo, *, hidden: bool) -> str:
    notes = ["not shown"] if hidden else []
    default: Any = info.get_default()
    if not info.is_required():
        if default is None or default is PydanticUndefined:
            notes.append("optional")
        else:
            return f" [{_shown(default)}]"
    return f" ({', '.join(notes)})" if notes else ""


def _shown(default: Any) -> str:
    return {True: "yes", False: "no"}[default] if isinstance(default, bool) else str(default)


def _prompt(text: str, *, hidden: bool = False) -> str:
    answer: str = typer.prompt(text, default="", show_default=False, hide_input=hidden, err=True)
    return answer.strip()


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _errors(model: type[BaseModel], answers: Mapping[str, str]) -> list[Any]:
    try:
        model.model_validate(dict(answers))
    except pydantic.ValidationError as error:
        return list(error.errors(include_input=False, include_url=False))
    return []


def _refused(model: type[BaseModel], answers: Mapping[str, str], name: str) -> str | None:
    """Why the model does not take this field, whatever the others are. Nothing of the answer is quoted."""
    return next((_words(found) for found in _errors(model, answers) if found["loc"][:1] == (name,)), None)


def _together(model: type[BaseModel], answers: Mapping[str, str]) -> str | None:
    """Why the model does not take the fields together."""
    errors = _errors(model, answers)
    if not errors:
        return None
    name = ".".join(map(str, errors[0]["loc"]))
    return f"{name}: {_words(errors[0])}" if name else _words(errors[0])


def _words(found: Any) -> str:
    return str(found["msg"]).removeprefix("Value error, ")


def _has_room(model: type[BaseModel], answers: Mapping[str, str], name: str, info: FieldInfo) -> bool:
    """Whether the field can be given beside the answers so far: not, if these do without it and not with it."""
    if info.is_required() or _errors(model, answers):
        return True
    example = str(info.examples[0]) if info.examples else _A_SECRET
    return not any(found["loc"] == () for found in _errors(model, {**answers, name: example}))


def _named(problem: str, model: type[BaseModel]) -> list[str]:
    """The fields that a problem is about: what is wrong with several together names them in front."""
    names = (part.strip() for part in problem.partition(":")[0].split(","))
    return [name for name in names if name in model.model_fields]
