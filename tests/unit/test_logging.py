import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from deskhand.observability.logging import configure_logging
from deskhand.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_the_libraries_look_alike(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    structlog.get_logger("starter").info("delivery", status=202)
    logging.getLogger("library.part").warning("listening on %s", "port 1")
    ours, theirs = lines(capsys)
    assert (ours["event"], ours["level"], ours["logger"], ours["status"]) == ("delivery", "info", "starter", 202)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("listening on port 1", "warning", "library.part")
    assert datetime.fromisoformat(ours["timestamp"]).tzinfo == UTC


def test_fields_that_are_not_plain_are_reduced_to_their_type(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    structlog.get_logger().info(
        "event",
        payload={"description": "printer"},
        raw=b"printer",
        error=ValueError("printer"),
        secret=SecretStr("printer"),
        kinds=["a", 1, {"printer": 1}],
        at=datetime(2026, 1, 1, tzinfo=UTC),
        nothing=None,
    )
    (line,) = lines(capsys)
    assert "printer" not in json.dumps(line)
    assert line["payload"] == "<dict>"
    assert line["kinds"] == ["a", 1, "<dict>"]
    assert line["at"] == "2026-01-01T00:00:00+00:00"
    assert line["nothing"] is None


@pytest.mark.parametrize("log_format", ["json", "readable"])
def test_a_field_cannot_forge_a_line(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure_logging(Settings.model_validate({"log_format": log_format}))
    structlog.get_logger().info("event", tenant="acme\r\n2026 [error] forged\x1b[31m\u202e")
    logging.getLogger("library").warning("one\ntwo")
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_long_fields_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    structlog.get_logger().info("event", text="x" * 10_000)
    assert len(lines(capsys)[0]["text"]) == 500


def test_of_an_exception_type_and_place_are_told_and_never_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    password = "hunter2"
    try:
        int(password)
    except ValueError:
        logging.getLogger("library").exception("failed")
        structlog.get_logger().error("failed", exc_info=True)
    for line in lines(capsys):
        assert line["error"] == "ValueError"
        assert line["where"][-1].startswith("test_logging.py:")
        assert password not in str(line)


@pytest.mark.parametrize(("kind", "told"), [("RateLimitError", True), ("KeyError", False)])
def test_the_words_of_a_failure_are_told_only_where_they_are_ours(
    capsys: pytest.CaptureFixture[str], kind: str, told: bool
) -> None:
    configure_logging(Settings())
    error = ApplicationError("jira answered 429", {"where": "issues.py:7 in describe"}, type=kind)
    logging.getLogger("temporalio.activity").warning("Completing activity as failed", exc_info=error)
    logging.getLogger("temporalio.activity").warning("And one without", exc_info=ApplicationError("x", type=kind))
    line, without = lines(capsys)
    assert (line["error"], line["where"]) == (kind, "issues.py:7 in describe")
    assert (without["error"], without["where"]) == (kind, [])
    assert line.get("why") == ("jira answered 429" if told else None)


def test_the_level_is_the_setting_and_chatty_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_level="info"))
    structlog.get_logger().debug("hidden")
    logging.getLogger("httpx").info("HTTP Request: GET https://vendor.example/?key=abc")
    assert lines(capsys) == []
    configure_logging(Settings(log_level="debug"))
    structlog.get_logger().debug("shown")
    assert [line["event"] for line in lines(capsys)] == ["shown"]


def test_of_a_vendors_words_only_the_status_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    said = "jira answered 400: summary: Robin Example's printer"
    for kind in ("PermanentAPIError", "AuthenticationError", "ConfigurationError", "OutcomeUnknownError"):
        logging.getLogger("library").warning("failed", exc_info=ApplicationError(said, type=kind))
    logging.getLogger("library").warning(
        "failed", exc_info=ApplicationError(f"role: refused: {said}", type="ConfigurationError")
    )
    *told, silent = lines(capsys)
    assert [line["why"] for line in told] == ["jira answered 400"] * 4
    assert "why" not in silent


@pytest.mark.parametrize("name", ["httpx", "httpcore", "urllib3.connectionpool", "opentelemetry.util.re"])
def test_what_quotes_headers_is_quiet_at_debug(capsys: pytest.CaptureFixture[str], name: str) -> None:
    configure_logging(Settings(log_level="debug"))
    logging.getLogger(name).info("Authorization: hunter2")
    logging.getLogger("opentelemetry.util.re").warning("Header format invalid: hunter2")
    assert lines(capsys) == []
