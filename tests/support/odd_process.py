"""A starter or worker that differs in one thing, for test_planted.py. The argument says which of the two it is.

`ODD_CODEC=off`: it seals nothing. `ODD_WORDS`: its Jira plugin raises an error of its own with these words, where a
body says `explode` and for every ticket that it gets.
"""

import os
import sys
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter

import deskhand.crypto.codec
from plugins.jira.plugin import JiraPlugin

if os.environ.get("ODD_CODEC") == "off":
    deskhand.crypto.codec.data_converter = lambda *_, **__: pydantic_data_converter

if words := os.environ.get("ODD_WORDS"):
    usual = JiraPlugin.event_kind

    def _event_kind(self: JiraPlugin, payload: dict[str, Any]) -> Any:
        if "explode" in payload:
            raise LookupError(words)
        return usual(self, payload)

    async def _get_ticket(self: JiraPlugin, tenant_id: str, ticket_id: str) -> Any:
        raise RuntimeError(f"{words} in {tenant_id}, {ticket_id}") from LookupError(words)

    JiraPlugin.event_kind = _event_kind  # type: ignore[method-assign]
    JiraPlugin.get_ticket = _get_ticket  # type: ignore[method-assign]

if __name__ == "__main__":
    # Only now: both take `data_converter` out of its module when they are imported.
    if sys.argv[1] == "starter":
        from starter.__main__ import main
    else:
        from worker import main
    sys.exit(main())
