"""The command `deskhand`: each command in a module of its own, imported only when it runs."""

import importlib
import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from deskhand.cli.errors import readable

USAGE = 2
"""The exit code where the command line itself is wrong."""


@dataclass(frozen=True, slots=True)
class CommandModule:
    """Where a command is, and what the help says of it without importing that."""

    module: str
    attribute: str
    """A function, or a `typer.Typer` with commands under it."""
    help: str


COMMANDS = {
    "migrate": CommandModule("deskhand.cli.migrate", "migrate", "Bring the database up to date."),
    "tenant": CommandModule("deskhand.cli.tenant", "app", "Add, list, show and change tenants."),
    "plugins": CommandModule("deskhand.cli.plugins", "app", "List plugins, show what they need, check a connection."),
    "runs": CommandModule("deskhand.cli.runs", "app", "List runs, show one, resume, cancel, retry, redrive."),
    "reconcile": CommandModule("deskhand.cli.reconcile", "reconcile", "Find tickets that no webhook told of."),
    "forget": CommandModule("deskhand.cli.forget", "forget", "Remove everything of a ticket or a person."),
    "retention": CommandModule("deskhand.cli.retention", "retention", "Remove what is older than tenants want it."),
    "audit": CommandModule("deskhand.cli.audit", "audit", "Show who did what."),
    "keys": CommandModule("deskhand.cli.keys", "app", "Make and rotate keys, see what is sealed with which."),
    "codec": CommandModule("deskhand.cli.codec", "codec", "Serve the codec endpoint for the Temporal UI."),
    "dev": CommandModule("deskhand.cli.dev", "dev", "Start everything on this machine and keep it running."),
    "demo": CommandModule("deskhand.cli.demo", "demo", "Show it at work: one ticket per tool, one note on each."),
}
"""Every command. A new one needs its module and one line here."""


class _LazyGroup(TyperGroup):
    """Help is made from the table; a command's module is imported when the command runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        known = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=known.help) if known else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        command = _load(str(name))
        _keep_logs_out_of_the_output()
        return name, command, rest


app = typer.Typer(cls=_LazyGroup, add_completion=False, no_args_is_help=True)


@app.callback()
def deskhand() -> None:
    """Deskhand puts a helpful internal note on every new support ticket."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed with one line on stderr, 2 the command line was wrong."""
    try:
        result = typer.main.get_command(app).main(prog_name="deskhand", standalone_mode=False)
    except TyperException as error:
        _fail(error.format_message(), USAGE)
    except typer.Abort:
        _fail("aborted", 1)
    except Exception as error:
        message = readable(error)
        if message is None:
            raise
        _fail(message, 1)
    # `typer.Exit` arrives here as its code.
    _leave(result if isinstance(result, int) else 0)


def _fail(message: str, code: int) -> None:
    if message:
        print(f"deskhand: {message}", file=sys.stderr)
    _leave(code)


def _leave(code: int) -> None:
    """Exit at once: threads of the Temporal SDK can abort an interpreter that winds down, and its exit code with it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


def _load(name: str) -> Any:
    known = COMMANDS[name]
    target = getattr(importlib.import_module(known.module), known.attribute)
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False)
        target.command(name)(function)
    command = typer.main.get_command(target)
    command.name = name
    return command


def _keep_logs_out_of_the_output() -> None:
    """Until it is configured, structlog prints to standard output, which programs read."""
    structlog = sys.modules.get("structlog")
    if structlog is not None and not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
