"""What stands in the audit log of a command about runs: which it names, or the selection that it makes."""

from typing import Any

from deskhand.cli.auditing import audit, audit_look
from deskhand.runs.visibility import RunFilter
from deskhand.runs.wording import one_line
from deskhand.settings import Settings
from plugins.base import MAX_TENANT_ID, TENANT_ID

MOST_NAMED = 50
"""Workflow ids that one entry holds; of more, it tells how many."""


async def enter_named(settings: Settings, action: str, named: list[str], *, look: bool = False, **detail: Any) -> None:
    """An entry for each tenant whose runs are named by their workflow ids, and one for what names no tenant's run.

    Raises:
        CliError: it is more than a look, and cannot be recorded.
    """
    by_tenant: dict[str | None, list[str]] = {}
    for run in named:
        by_tenant.setdefault(tenant_of(run), []).append(run)
    for tenant, runs in by_tenant.items():
        shown = [one_line(run) for run in runs[:MOST_NAMED]]
        await (audit_look if look else audit)(settings, action, tenant, runs=shown, count=len(runs), **detail)


async def enter_selection(
    settings: Settings, action: str, which: RunFilter, *, look: bool = False, **detail: Any
) -> None:
    """One entry for all the runs that a filter means, however many they are.

    Raises:
        CliError: it is more than a look, and cannot be recorded.
    """
    said: dict[str, Any] = {
        "tool": which.tool and one_line(which.tool, 100),
        "outcomes": list(which.outcomes),
        "waiting_for": which.waiting_for or ("any" if which.waiting else None),
        "but_privacy": which.but_privacy,
        "started_before": which.started_before and which.started_before.isoformat(timespec="seconds"),
    }
    asked = {name: value for name, value in said.items() if value}
    await (audit_look if look else audit)(settings, action, which.tenant, **asked, **detail)


def tenant_of(run: str) -> str | None:
    """The tenant that a workflow id names, `<tool>:<tenant>:<ticket>:<kind>`; `None` if it is no such id."""
    parts = run.split(":")
    if len(parts) < 4 or len(parts[1]) > MAX_TENANT_ID or not TENANT_ID.fullmatch(parts[1]):
        return None
    return parts[1]
