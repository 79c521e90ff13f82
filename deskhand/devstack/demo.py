"""What the demo does on a running stack: a tenant, some history and one ticket per tool; then it looks at the notes."""

import asyncio
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client, WorkflowExecutionStatus

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.process import guarded
from deskhand.devstack.scenario import STORIES, Story
from deskhand.devstack.stack import Stack
from deskhand.devstack.waiting import came_true
from plugins.conformance.pretend.controlling import Control, ControlledAccount
from plugins.fields import split_secrets
from plugins.registry import load_plugins
from plugins.rendering import adf_to_text, html_to_text
from workflows.contracts import RECORD_RESOLUTION
from workflows.identity import reference, workflow_id
from workflows.search_attributes import TENANT

HISTORY_SECONDS = 30
NOTE_SECONDS = 30
_WAITING = "still waiting"


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note as a pretend tool stores it."""

    text: str
    """Its body as plain text, whatever the vendor keeps it as."""
    private: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one tool's ticket."""

    story: Story
    ticket_id: str
    ticket_url: str
    run: str
    """The workflow's id."""
    run_url: str
    ref: str
    notes: tuple[StoredNote, ...]
    state: str
    """How the run stood at the end, in a word."""

    @property
    def problem(self) -> str | None:
        """What is wrong with the notes on the ticket; `None` if there is exactly one, private, with its ref."""
        if any(not note.private for note in self.notes):
            return "a note is public"
        if not self.notes:
            return f"the note is missing (the run is {self.state})"
        if len(self.notes) > 1:
            return f"there are {len(self.notes)} notes, not one"
        if self.ref not in self.notes[0].text:
            return f"the note does not carry {self.ref}"
        return None if self.state == "completed" else f"the run is {self.state}"


class Demo:
    """The demo's steps. Each runs for all tools at once."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient, temporal: Client) -> None:
        self._stack = stack
        self._temporal = temporal
        self._plugins = load_plugins().classes
        self._suffix = secrets.token_hex(3)  # pretend tools forget; a tenant of an earlier demo would fit no longer
        self._tools = {story.tool: Control(http, stack.addresses.tools[story.tool]) for story in STORIES}

    async def switch_fault_on(self, kind: str, tool: str | None) -> None:
        """Have notes go wrong in this way (`public`, `double` or `lose`), at one tool or at all."""
        for name, pretend in self._tools.items():
            if tool in (None, name):
                await pretend.fault("post_note", kind, times=None)
                if kind == "public":  # or the plugin would take the note back, and nobody would see it
                    await pretend.fault("retract_note", "status", times=None, status=500)

    async def connect(self) -> None:
        """Add a tenant per tool by the command line, and have the tool call its webhook."""
        await asyncio.gather(*(self._connect(story) for story in STORIES))

    async def tell_history(self) -> None:
        """Have earlier tickets resolved, and wait until the runs that record them are through.

        Raises:
            DevStackError: they are not in `HISTORY_SECONDS`.
        """
        await asyncio.gather(*(self._tell(story) for story in STORIES))

    async def send_tickets(self) -> list[Outcome]:
        """Create one ticket per tool and wait for the runs; what is on the tickets after at most `NOTE_SECONDS`."""
        return list(await asyncio.gather(*(self._send(story) for story in STORIES)))

    async def _connect(self, story: Story) -> None:
        pretend = self._tools[story.tool]
        account = await pretend.account(**story.account)
        added = await self._add_tenant(story, account)
        await pretend.webhook(added["webhook_url"], added["webhook_secret"], self._tenant(story))

    async def _add_tenant(self, story: Story, account: ControlledAccount) -> dict[str, str]:
        plain, hidden = split_secrets(self._plugins[story.tool].connection_model, account.connection)
        settings = [part for field, value in plain.items() for part in ("--set", f"{field}={value}")]
        command = (
            str(Path(sys.executable).with_name("deskhand")),
            *("tenant", "add", self._tenant(story), "--tool", story.tool, "--own-account-id", account.id),
            *(*settings, "--secrets-stdin", "--json"),
        )
        process = await asyncio.create_subprocess_exec(
            *guarded(command, folder=self._stack.state.folder),
            env=self._stack.command_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, problem = await process.communicate(json.dumps(hidden).encode())
        if process.returncode != 0:
            raise DevStackError(f"`deskhand tenant add` failed for {story.title}: {problem.decode().strip()}")
        added: dict[str, str] = json.loads(out)
        return added

    async def _tell(self, story: Story) -> None:
        pretend = self._tools[story.tool]
        for solved in story.solved:
            ticket_id = await pretend.ticket(solved.subject, solved.description)
            answer = await pretend.resolve(ticket_id, solved.resolution, announce=True)
            _require_taken(answer, f"the resolved ticket {ticket_id}")
        runs = f"WorkflowType = '{RECORD_RESOLUTION}' AND {TENANT.name} = '{self._tenant(story)}'"
        through = f"{runs} AND ExecutionStatus = 'Completed'"

        async def recorded() -> bool:
            return (await self._temporal.count_workflows(through)).count >= len(story.solved)

        if not await came_true(recorded, HISTORY_SECONDS):
            raise DevStackError(f"{story.title}: the resolved tickets were not recorded within {HISTORY_SECONDS} s")

    async def _send(self, story: Story) -> Outcome:
        pretend = self._tools[story.tool]
        created = await pretend.create(**story.ticket)
        ticket_id = created.ticket_id
        _require_taken(created.announced, f"the new ticket {ticket_id}")
        run = workflow_id(story.tool, self._tenant(story), ticket_id, "created")
        handle = self._temporal.get_workflow_handle(run)

        async def closed() -> bool:
            return (await handle.describe()).status != WorkflowExecutionStatus.RUNNING

        await came_true(closed, NOTE_SECONDS)
        seen = await handle.describe()
        return Outcome(
            story=story,
            ticket_id=ticket_id,
            ticket_url=created.url,
            run=run,
            run_url=self._stack.addresses.run(run, seen.run_id),
            ref=reference(story.tool, self._tenant(story), ticket_id, "created"),
            notes=tuple(_stored(note) for note in await pretend.notes(ticket_id)),
            state=_WAITING if seen.status in (None, WorkflowExecutionStatus.RUNNING) else seen.status.name.lower(),
        )

    def _tenant(self, story: Story) -> str:
        return f"demo-{story.tool.replace('_', '-')}-{self._suffix}"


def _require_taken(status: int | None, what: str) -> None:
    if status is None:
        raise DevStackError(f"the starter gave no answer to the webhook about {what}")
    if not 200 <= status < 300:
        raise DevStackError(f"the starter answered {status} to the webhook about {what}")


def _stored(note: Mapping[str, Any]) -> StoredNote:
    body = note["body"]
    text = adf_to_text(body) if isinstance(body, Mapping) else html_to_text(str(body))
    return StoredNote(text, note["private"] is True)
