"""`deskhand demo`: the whole way of a ticket, once per tool, on a stack of its own."""

import enum
import time
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text
from temporalio.client import Client

from deskhand.devstack.demo import Demo, Outcome
from deskhand.devstack.interrupt import StoppedBySignal, run
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from deskhand.devstack.temporal import NAMESPACE


class FaultKind(enum.StrEnum):
    """How a tool can get a note wrong."""

    PUBLIC = "public"
    DOUBLE = "double"
    LOSE = "lose"


class Tool(enum.StrEnum):
    """The tools of the demo."""

    JIRA = "jira"
    ZENDESK = "zendesk"
    SERVICEDESK_PLUS = "servicedesk_plus"


def demo(
    fault: Annotated[
        FaultKind | None, typer.Option(help="Have the notes go wrong in this way; the demo must then fail.")
    ] = None,
    tool: Annotated[Tool | None, typer.Option(help="The tool that gets it wrong; all of them if not given.")] = None,
) -> None:
    """Start everything, send one ticket per tool, show the private notes that Deskhand puts on them, and stop."""
    screen = Screen()
    try:
        outcomes = run(_play(screen, fault, tool))
    except StoppedBySignal as stopped:
        raise typer.Exit(stopped.exit_code) from None
    finally:
        screen.clear()
    if any(outcome.problem for outcome in outcomes):
        raise typer.Exit(1)


class Screen:
    """Progress: one changing line on a terminal, a line per step elsewhere."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self._status = self.console.status("") if self.console.is_terminal else None
        self._began = time.monotonic()

    def step(self, what: str) -> None:
        """Say what is being done now."""
        if self._status is None:
            self.console.print(f"[{time.monotonic() - self._began:5.1f} s] {what}", markup=False)
        else:
            self._status.update(what)
            self._status.start()

    def clear(self) -> None:
        """Take the changing line away."""
        if self._status is not None:
            self._status.stop()

    def show(self, outcome: Outcome) -> None:
        """Print a ticket, its run and its notes."""
        self.clear()
        console = self.console
        console.print(Text(f"\n{outcome.story.title}: {outcome.story.ticket['subject']}", style="bold"))
        for label, value in (("Ticket", outcome.ticket_url), ("Run", outcome.run), ("", outcome.run_url)):
            console.print(Text(f"{label:7}{value}"), soft_wrap=True)
        for note in outcome.notes:
            title = f"{'Private' if note.private else 'PUBLIC'} note, as {outcome.story.title} stored it"
            console.print(Panel(Text(note.text), title=title, title_align="left", width=min(console.width, 100)))
        if outcome.problem:
            console.print(Text(f"Wrong: {outcome.problem}.", style="bold red"))
        else:
            console.print(Text("As it should be: one note, private.", style="green"))


async def _play(screen: Screen, fault: FaultKind | None, tool: Tool | None) -> list[Outcome]:
    async with Stack(State.open(), progress=lambda part: screen.step(f"Starting {part}")) as stack:
        outcomes = await stack.during(_tell(screen, stack, fault, tool))
        for outcome in outcomes:
            screen.show(outcome)
        screen.step("Stopping")
    screen.clear()
    screen.console.print(
        "\nThe runs are kept: `make dev` opens everything again at these addresses, `make clean` deletes it.",
        markup=False,
        soft_wrap=True,
    )
    return outcomes


async def _tell(screen: Screen, stack: Stack, fault: FaultKind | None, tool: Tool | None) -> list[Outcome]:
    temporal = await Client.connect(stack.addresses.temporal, namespace=NAMESPACE)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        script = Demo(stack, http, temporal)
        if fault is not None:
            screen.step(f"Switching the fault on: {fault.value}")
            await script.switch_fault_on(fault.value, tool.value if tool else None)
        screen.step("Adding a tenant per tool")
        await script.connect()
        screen.step("Resolving earlier tickets, for Deskhand to learn from")
        await script.tell_history()
        screen.step("Sending a new ticket per tool, waiting for the notes")
        return await script.send_tickets()
