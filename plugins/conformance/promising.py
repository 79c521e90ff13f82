"""What a promise is, and how a broken one is told."""

import functools
import sysconfig
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar, cast

import pytest

if TYPE_CHECKING:
    from plugins.conformance.harness import Harness

P = ParamSpec("P")
SuiteT = TypeVar("SuiteT")

PROMISE = "__promise__"
"""The attribute of a test that holds its promise."""
EACH_EDITION = "__each_edition__"
"""The attribute that says whether it runs over every edition."""

_HERE = Path(__file__).parent
_LIBRARIES = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
_FRAMES = 6
"""Places that are named when a plugin raised what nobody expected."""


class UnmetError(AssertionError):
    """What was seen is not what was promised."""


def require(condition: object, seen: str) -> None:
    """Go on if the condition holds; otherwise the promise is broken, and `seen` says by what.

    `seen` must quote neither credentials nor tickets: it is read in logs of builds.
    """
    if not condition:
        raise UnmetError(seen)


def presume(condition: object, seen: str) -> None:
    """Go on if the condition holds; otherwise skip the test: what it needs is another promise, whose test fails."""
    if not condition:
        pytest.skip(f"not tried: {seen}")


def nothing_to_show(why: str) -> NoReturn:
    """Skip the test: what it promises is about something that this plugin does not do."""
    pytest.skip(why)


def promise(
    text: str, *, each_edition: bool = True
) -> Callable[[Callable[Concatenate[SuiteT, P], Coroutine[Any, Any, None]]], Callable[Concatenate[SuiteT, P], None]]:
    """Make a test out of a coroutine that holds the plugin to one promise, told in plain words.

    The test takes the fixture `harness`, on whose event loop it runs. That loop is the suite's own: tests run the same
    under every mode of pytest-asyncio, and without it.

    With `each_edition=False` it runs over the pretend tool's first edition only: for what takes long, and does not
    depend on how a tenant is connected.

    What fails inside, with `require` or with an exception that nobody expected, fails the test with the promise as the
    first line.
    """

    def decorate(
        test: Callable[Concatenate[SuiteT, P], Coroutine[Any, Any, None]],
    ) -> Callable[Concatenate[SuiteT, P], None]:
        @functools.wraps(test)
        def kept(suite: SuiteT, /, *args: P.args, **fixtures: P.kwargs) -> None:
            harness = cast("Harness", fixtures["harness"])
            try:
                harness.run(test(suite, *args, **fixtures))
            except UnmetError as unmet:
                seen = str(unmet)
            except Exception as error:
                seen = told(error)
            else:
                return
            where = f"with {harness.description}"
            pytest.fail(harness.scrubbed(f"Broken promise: {text}\nSeen: {seen}\n({where})"), pytrace=False)

        setattr(kept, PROMISE, text)
        setattr(kept, EACH_EDITION, each_edition)
        return kept

    return decorate


def told(error: BaseException) -> str:
    """An exception in words: its kind, its message, and where it came from."""
    places = [f for f in traceback.extract_tb(error.__traceback__) if not Path(f.filename).is_relative_to(_HERE)]
    # Those of the libraries between say little, unless there is nothing else.
    own = [place for place in places if not any(Path(place.filename).is_relative_to(path) for path in _LIBRARIES)]
    frames = [f"\n  {_short(place.filename)}:{place.lineno} in {place.name}" for place in own or places]
    return f"{type(error).__name__}: {error}" + "".join(frames[-_FRAMES:])


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(Path(*path.parts[-3:]))
