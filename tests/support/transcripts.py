"""Transcripts of commands in a page, held to what the commands really print, with what varies replaced.

`DESKHAND_REWRITE_DOCS=1` puts what they print into the page instead of comparing.
"""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.terminal import Terminal

REWRITE = bool(os.environ.get("DESKHAND_REWRITE_DOCS"))
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_SOME_MOMENT = "2026-11-25 09:30:00 UTC"
_MADE = re.compile(r"(?<![\w-])[A-Za-z0-9_-]{43}(?![\w-])")
_SOME_SECRET = "Zr5-made-up-for-this-page-xxxxxxxxxxxxxxxxx"  # as long as the secrets that are made


@dataclass(frozen=True)
class Console:
    """Where commands of a transcript run."""

    env: dict[str, str]
    folder: Path
    shown: Mapping[str, str]
    """What varies or is secret, and what the page has in its place; the other way round in commands and answers."""

    async def run(self, command: str, *, code: int = 0) -> tuple[str, str]:
        """The transcript of a shell command that nobody sits before, and what it really printed."""
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", self.real(command)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(self.env),
            cwd=self.folder,
        )
        out, _ = await process.communicate()
        assert process.returncode == code, out.decode()
        return f"$ {command}\n{self.as_shown(out.decode())}", out.decode()

    async def talk(self, command: str, answers: Sequence[tuple[str, str]], *, code: int = 0) -> tuple[str, str]:
        """The same of a command on a terminal, where somebody answers each prompt as the page has it."""
        terminal = await Terminal.run(("sh", "-c", self.real(command)), self.env, self.folder)
        for prompt, answer in answers:
            await terminal.answer(prompt, self.real(answer))
        ended, screen = await terminal.end()
        assert ended == code, screen
        return f"$ {command}\n{self.as_shown(screen)}", screen

    def real(self, text: str) -> str:
        """What is to be typed for what the page shows."""
        for actual, shown in self.shown.items():
            text = text.replace(shown, actual)
        return text

    def as_shown(self, text: str) -> str:
        """What the page shows of a text."""
        for actual, shown in self.shown.items():
            text = text.replace(actual, shown)
        return _MADE.sub(_SOME_SECRET, _MOMENT.sub(_SOME_MOMENT, text))


def hold(page: Path, name: str, transcript: str) -> None:
    """Have the page show this under that name."""
    text = page.read_text()
    block = re.compile(rf"(?s)(```console transcript={re.escape(name)}\n)(.*?)(```\n)")
    found = block.search(text)
    assert found, f"{page.name} has no block `console transcript={name}`"
    shown = "\n".join(line.rstrip() for line in transcript.rstrip().splitlines()) + "\n"
    if REWRITE:
        page.write_text(text[: found.start(2)] + shown + text[found.end(2) :])
        return
    assert found[2] == shown, f"{page.name} shows something else: DESKHAND_REWRITE_DOCS=1 renews it; then read it"
