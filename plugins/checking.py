"""Help for `check_connection`: one step after the other, each with a sentence on what came of it and how to mend it."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from plugins.connecting import UNREACHABLE, connection_problem
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PluginError,
    RateLimitError,
)
from plugins.types import ConnectionReport, Finding

ResultT = TypeVar("ResultT")

STEP_SECONDS = 5.0
"""What one step may take: somebody is waiting for the answer."""


class Check:
    """The findings of a check so far."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    async def attempt(self, call: Awaitable[ResultT], *, refused: str = "") -> ResultT | None:
        """What a call returned; `None` after a failure, which is then a finding.

        Args:
            refused: how to mend it that the vendor does not accept the credentials, or the account's rights.
        """
        try:
            async with asyncio.timeout(STEP_SECONDS):
                return await call
        except TimeoutError:
            self.bad(f"no answer within {STEP_SECONDS:g} s", UNREACHABLE)
        except PluginError as error:
            self.failed(error, refused=refused)
        return None

    def good(self, what: str) -> None:
        """Something works."""
        self._findings.append(Finding(ok=True, what=what))

    def bad(self, what: str, mend: str) -> None:
        """Something does not work, and what to do about it."""
        self._findings.append(Finding(ok=False, what=what, mend=mend))

    def open(self, what: str, mend: str = "", *, setting: str = "") -> None:
        """Something could not be told, or works and could be better; `setting` is the tenant's, if `mend` sets one."""
        self._findings.append(Finding(ok=None, what=what, mend=mend, setting=setting))

    def failed(self, error: PluginError, *, refused: str = "") -> None:
        """A call failed."""
        self.bad(str(error), mend_for(error, refused=refused))

    def report(self, account: str = "", account_id: str | None = None) -> ConnectionReport:
        """All findings; `account` is who the vendor says we are, `account_id` its id where there is one."""
        return ConnectionReport(account=account, account_id=account_id, findings=tuple(self._findings))


def mend_for(error: PluginError, *, refused: str = "") -> str:
    """What an operator can do about a failed call. Empty where the error's own message says it."""
    match error:
        case AuthenticationError():
            return refused or "give credentials that the tool accepts, with the rights to read tickets and add notes"
        case RateLimitError():
            return "the tool wants fewer requests: try again later"
        case PermanentAPIError():
            return "is base_url the address that the plugin's help asks for?"
        case OutcomeUnknownError():
            return UNREACHABLE
        case APIError(last_error=Exception() as cause):
            return connection_problem(cause).mend
        case APIError():
            return "try again; if it stays, ask whoever runs the tool"
        case _:
            return ""
