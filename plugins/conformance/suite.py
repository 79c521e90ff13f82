"""The conformance suite: subclass it in a test module, name plugin and pretend tool, run pytest.

    from plugins.conformance.suite import PluginConformance

    class TestAcme(PluginConformance):
        plugin = AcmePlugin
        pretend = PretendAcme

Every test states one promise; one that fails begins with "Broken promise: …". See docs/conformance.md.
"""

from collections.abc import Iterator
from typing import ClassVar

import pytest

from plugins.base import TicketingToolPlugin
from plugins.conformance.harness import Harness, Stage
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.conformance.promises.checks import CheckPromises
from plugins.conformance.promises.construction import ConstructionPromises
from plugins.conformance.promises.failures import FailurePromises
from plugins.conformance.promises.looking import LookingPromises
from plugins.conformance.promises.metadata import MetadataPromises
from plugins.conformance.promises.notes import NotePromises
from plugins.conformance.promises.recent import RecentPromises
from plugins.conformance.promises.tickets import TicketPromises
from plugins.conformance.promises.tokens import TokenPromises
from plugins.conformance.promises.webhooks import WebhookPromises
from plugins.conformance.promising import EACH_EDITION, PROMISE, promise, require

__all__ = ["Harness", "PluginConformance", "promise", "promises", "require"]

_EVENTS = ("created", "resolved", "noted")
_STAGE = pytest.StashKey[Stage]()


# pytest runs the tests of the last base first.
class PluginConformance(
    RecentPromises,
    CheckPromises,
    TokenPromises,
    FailurePromises,
    LookingPromises,
    NotePromises,
    TicketPromises,
    MetadataPromises,
    WebhookPromises,
    ConstructionPromises,
):
    """What every plugin promises, over each edition of its pretend tool and each of its signature schemes."""

    plugin: ClassVar[type[TicketingToolPlugin]]
    """The plugin."""
    pretend: ClassVar[type[PretendVendor]]
    """The pretend tool that it is run against."""

    @pytest.fixture
    def harness(self, request: pytest.FixtureRequest, edition: str) -> Iterator[Harness]:
        """A plugin and a pretend tool with one account, fresh for each test."""
        harness = Harness(
            _stage(request),
            self.plugin,
            self.pretend,
            edition=edition,
            scheme=request.node.callspec.params.get("scheme"),
        )
        yield harness
        harness.close()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test over every edition, and those that ask for them over every scheme and event."""
        if "edition" in metafunc.fixturenames:
            editions = tuple(self.pretend.editions)
            metafunc.parametrize(
                "edition", editions if getattr(metafunc.function, EACH_EDITION, True) else editions[:1]
            )
        if "scheme" in metafunc.fixturenames:
            # None is the plugin's default, whichever that is.
            schemes = (None, *sorted(self.plugin.signature_schemes))
            metafunc.parametrize("scheme", schemes, ids=[scheme or "default-scheme" for scheme in schemes])
        if "event" in metafunc.fixturenames:
            metafunc.parametrize("event", [event for event in _EVENTS if event in self.pretend.events])


def promises(suite: type[PluginConformance]) -> dict[str, str]:
    """Each promise of a suite, and the name of the test that holds a plugin to it."""
    tests = {name: getattr(suite, name) for name in dir(suite) if name.startswith("test_")}
    return {getattr(test, PROMISE): name for name, test in tests.items() if hasattr(test, PROMISE)}


def _stage(request: pytest.FixtureRequest) -> Stage:
    """The stage of the test's class, made when its first test asks for it."""
    node = request.node.getparent(pytest.Class)
    stage: Stage | None = node.stash.get(_STAGE, None)
    if stage is None:
        stage = node.stash[_STAGE] = Stage()
        node.addfinalizer(stage.close)
    return stage
