"""Rendering a note against the bare libraries that it is rendered with, in turn, in this process."""

import time
from collections.abc import Callable
from statistics import median

import nh3
from markdown_it import MarkdownIt

from bench import tickets
from bench.frame import Figure, Plan, Progress, against_floor
from deskhand.note.enhancement import Enhancement
from deskhand.note.template import to_markdown
from plugins.jira.values import MAX_TEXT
from plugins.rendering import to_adf
from plugins.zendesk.note import note_html
from workflows.contracts import SimilarTicket

KEYS = frozenset({"html", "adf"})

_CALLS = 10
"""How many times fewer calls than of the smallest functions."""


async def measure(plan: Plan, wanted: frozenset[str], progress: Progress) -> list[Figure]:
    """The wanted ones of `KEYS`."""
    if not wanted & KEYS:
        return []
    note = _note()
    bare = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    cleaner = nh3.Cleaner()
    # As the plugins call them, with the vendor's limit.
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "html": (lambda: note_html(note), lambda: cleaner.clean(bare.render(note))),
        "adf": (lambda: to_adf(note, limit=MAX_TEXT), lambda: bare.render(note)),
    }
    figures = []
    for key, (ours, floor) in pairs.items():
        if key in wanted:
            progress(f"{key}, {plan.rounds} rounds")
            rounds = [_in_turn(ours, floor, plan.calls // _CALLS) for _ in range(plan.rounds)]
            figures.append(against_floor(key, rounds, unit="µs", scale=1e6))
    return figures


def _in_turn(one: Callable[[], object], other: Callable[[], object], count: int) -> tuple[float, float]:
    """The median CPU seconds of each."""
    taken: tuple[list[int], list[int]] = ([], [])
    for _ in range(count):
        for call, times in zip((one, other), taken, strict=True):
            began = time.thread_time_ns()
            call()
            times.append(time.thread_time_ns() - began)
    return median(taken[0]) / 1e9, median(taken[1]) / 1e9


def _note() -> str:
    """A note of 4 KB as the template makes it, its texts as long as they may be."""
    long = " ".join(tickets.description(number) for number in range(4))
    similar = tuple(
        SimilarTicket(
            ticket_id=str(number),
            subject=tickets.subject(number),
            resolution=long,
            url=f"https://desk.example/tickets/{number}",
            score=1,
        )
        for number in range(3)
    )
    said = Enhancement(
        summary=long,
        likely_cause=long,
        next_steps=(long, long),
        similar=similar,
        confidence="high",
        confidence_reason="Three resolved tickets of this tenant have nearly the same subject.",
        sources_used=("this ticket", "200 earlier tickets of this tenant"),
        writer="without a model",
    )
    return to_markdown(said, "dh-0123456789ab")
