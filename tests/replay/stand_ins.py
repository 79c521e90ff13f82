"""Activities that do nothing but answer as a course has it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from temporalio import activity

from activities.failures import TenantPausedError, failure
from plugins.exceptions import PluginError
from tests.replay.courses import Answer, Course, Fails, Hangs, Held, usual
from workflows import contracts


class Script:
    """What the activities of one run answer, call by call."""

    def __init__(self, course: Course) -> None:
        self.let_answer = asyncio.Event()
        self._usual = usual(course.workflow)
        self._says: Mapping[str, Iterator[Answer]] = {name: iter(answers) for name, answers in course.says.items()}

    async def answer(self, name: str) -> Any:
        """The next answer of an activity."""
        answer = next(self._says.get(name, iter(())), self._usual[name])
        if isinstance(answer, Hangs):
            await asyncio.Event().wait()
        if isinstance(answer, Held):
            await self.let_answer.wait()
            answer = answer.answer
        if isinstance(answer, Fails):
            if isinstance(answer.error, PluginError | TenantPausedError):
                raise failure(
                    answer.error, attempt=activity.info().attempt, may_have_landed=answer.may_have_landed
                ) from None
            raise answer.error
        return answer


class Stage:
    """The stand-ins of all activities; each call is answered by the script of its run."""

    def __init__(self) -> None:
        self._scripts: dict[str, Script] = {}

    def add(self, run: str, script: Script) -> None:
        """Have the activities of a run answer by a script."""
        self._scripts[run] = script

    def activities(self) -> list[Callable[..., Any]]:
        """One for each name that workflows call."""
        return [self._stand_in(ref.name) for ref in contracts.ACTIVITIES]

    def _stand_in(self, name: str) -> Callable[..., Any]:
        @activity.defn(name=name)
        async def stand_in(_: Any) -> Any:
            run = activity.info().workflow_id
            assert run is not None
            return await self._scripts[run].answer(name)

        return stand_in
