"""The suite is judged: it passes a plugin that keeps every promise, and names the promise that a broken one breaks."""

from pathlib import Path

import pytest

from plugins.conformance.harness import Harness, Stage
from plugins.conformance.suite import PluginConformance, promises
from tests.plugins.conformance.acme import AcmePlugin, PretendAcme
from tests.plugins.conformance.broken import (
    connections,
    failures,
    looking,
    metadata,
    notes,
    recent,
    tickets,
    tokens,
    webhooks,
)
from tests.plugins.conformance.broken.registry import BROKEN, Broken

pytest_plugins = ["pytester"]

SUBJECTS = (connections, failures, looking, metadata, notes, recent, tickets, tokens, webhooks)

MODULE = """
from {module} import {plugin}
from plugins.conformance.suite import PluginConformance
from tests.plugins.conformance.acme import PretendAcme


class PretendOneEdition(PretendAcme):
    editions = {{name: PretendAcme.editions[name] for name in {editions}}}


class TestAcme(PluginConformance):
    plugin = {plugin}
    pretend = PretendOneEdition
"""

STRICT = ("--strict-markers", "--strict-config", "-W", "error", "-p", "no:cacheprovider")
NO_ASYNCIO = ("-p", "no:asyncio")


class TestAcme(PluginConformance):
    """What the broken ones are made of is not broken."""

    plugin = AcmePlugin
    pretend = PretendAcme


@pytest.fixture(scope="module", autouse=True)
def imported_for_good() -> None:
    """Have imported what is only imported when it is used, as httpx does with httpcore.

    pytester forgets what a run imports, and of a second httpcore httpx does not know the exceptions.
    """
    stage = Stage()
    harness = Harness(stage, AcmePlugin, PretendAcme, edition="token")
    stage.runner.run(harness.call("get_ticket", harness.ticket().id))
    harness.close()
    stage.close()


def write_module(pytester: pytest.Pytester, plugin: type, *editions: str) -> None:
    pytester.makepyfile(MODULE.format(module=plugin.__module__, plugin=plugin.__name__, editions=editions))


def run_suite(pytester: pytest.Pytester, broken: Broken, *options: str) -> list[str]:
    """What a developer reads of a broken plugin: a text for each test that fails."""
    write_module(pytester, broken.plugin, broken.edition)
    run = pytester.inline_run(*STRICT, *NO_ASYNCIO, *options)
    return [report.longreprtext for report in run.getfailures()]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.plugin.__name__)
def test_a_broken_promise_is_named(pytester: pytest.Pytester, broken: Broken) -> None:
    told = run_suite(pytester, broken, "-k", f"{promises(PluginConformance)[broken.promise]}[")
    assert told, "the suite passes it"
    assert all(text.startswith(f"Broken promise: {broken.promise}\nSeen: ") for text in told), "\n\n".join(told)


NINE = (
    notes.PublicNote,
    notes.PublicNoteRetried,
    notes.ReferenceCutOff,
    failures.RefusalSwallowed,
    failures.Retries,
    webhooks.WrittenAgain,
    webhooks.MissingSecretAccepted,
    tickets.MissingTicketRaises,
    metadata.NaiveTime,
)


@pytest.mark.parametrize("plugin", NINE, ids=lambda plugin: plugin.__name__)
def test_a_broken_promise_is_named_among_all(pytester: pytest.Pytester, plugin: type) -> None:
    """The whole suite, as an author runs it: nothing but promises is told, this one among them.

    But for the tests that take longest, where they are not what it is about.
    """
    (broken,) = (each for each in BROKEN if each.plugin is plugin)
    about = promises(PluginConformance)[broken.promise]
    told = run_suite(pytester, broken, "-k", f"{about} or not (long_note or any_body)")
    assert all(text.startswith("Broken promise: ") for text in told), "\n\n".join(told)
    assert any(text.startswith(f"Broken promise: {broken.promise}\nSeen: ") for text in told), "\n\n".join(told)
    named = {text.splitlines()[0] for text in told}
    assert len(named) <= 10, "a reader would not know where to begin"


def test_each_promise_can_be_broken() -> None:
    assert {broken.promise for broken in BROKEN} == set(promises(PluginConformance))


def test_what_a_developer_reads(pytester: pytest.Pytester) -> None:
    write_module(pytester, failures.CredentialInMessage, "token")
    run = pytester.runpytest_inprocess(*STRICT, *NO_ASYNCIO, "-k", "test_messages and get_ticket")
    run.assert_outcomes(failed=1, deselected=run.parseoutcomes()["deselected"])
    run.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "*_ TestAcme.test_messages?token-get_ticket? _*",
            "Broken promise: A failure's message says what happened in 500 characters, without credentials*",
            "Seen: AuthenticationError, whose message holds a credential, from get_ticket, with 401 to its get_ticket*",
            "(with CredentialInMessage, PretendOneEdition, edition token)",
        ],
        consecutive=True,
    )


def test_an_error_that_nobody_expected_is_told_without_its_credentials(pytester: pytest.Pytester) -> None:
    (broken,) = (each for each in BROKEN if each.plugin is failures.StumblesWithCredential)
    told = run_suite(pytester, broken, "-k", "test_429")
    assert told
    for text in told:
        assert "Seen: RuntimeError: asked with [credential]\n" in text
        assert "failures.py:" in text, "where it was raised"


@pytest.mark.parametrize(
    "mode",
    [
        NO_ASYNCIO,
        ("-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function"),
        ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=session"),
        (*NO_ASYNCIO, "--import-mode=importlib"),
    ],
    ids=" ".join,
)
def test_the_suite_runs_however_an_author_has_set_pytest_up(pytester: pytest.Pytester, mode: tuple[str, ...]) -> None:
    write_module(pytester, AcmePlugin, "token", "oauth")
    some = "private_note or tokens_at_once or test_metadata or logging"
    passed, _, failed = pytester.inline_run(*STRICT, *mode, "-k", some).listoutcomes()
    assert not failed
    assert len(passed) >= 8


def test_each_test_states_a_promise_of_its_own() -> None:
    told = promises(PluginConformance)
    tests = [name for part in PluginConformance.__mro__ for name in vars(part) if name.startswith("test_")]
    assert len(tests) == len(set(tests)), "one subject's test hides another's of the same name"
    assert set(told.values()) == set(tests)
    assert all(promise.endswith(".") for promise in told)


def test_the_documentation_lists_each_promise() -> None:
    page = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text()
    tables = page.partition("## What is promised")[2]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in tables.splitlines() if line.startswith("| ")]
    listed = [row for row in rows if row != "promise"]
    assert sorted(listed) == sorted(promises(PluginConformance))
