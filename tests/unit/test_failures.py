"""What each of the contract's errors becomes in Temporal: DESIGN's table of what a call means."""

from datetime import timedelta

import pydantic
import pytest

from activities.failures import AFTER_UNKNOWN, failure
from plugins.exceptions import (
    MAX_MESSAGE,
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PluginError,
    PrivacyError,
    RateLimitError,
    ValidationError,
)
from plugins.types import Value


class TokenExpired(AuthenticationError):  # noqa: N818 - as a plugin's author might name it
    """A plugin's own class."""


@pytest.mark.parametrize(
    ("error", "kind", "final", "delay"),
    [
        (ValidationError("x"), "ValidationError", True, None),
        (ConfigurationError("x"), "ConfigurationError", True, None),
        (AuthenticationError("x"), "AuthenticationError", True, None),
        (TokenExpired("x"), "AuthenticationError", True, None),
        (PrivacyError("x"), "PrivacyError", True, None),
        (PermanentAPIError("x"), "PermanentAPIError", True, None),
        (APIError("x"), "APIError", False, None),
        (OutcomeUnknownError("x"), "OutcomeUnknownError", False, AFTER_UNKNOWN),
        (RateLimitError("x"), "RateLimitError", False, None),
        (RateLimitError("x", 0), "RateLimitError", False, timedelta(seconds=1)),
        (RateLimitError("x", 15), "RateLimitError", False, timedelta(seconds=15)),
        (RateLimitError("x", 16), "RateLimitError", True, timedelta(seconds=16)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_table(error: PluginError, kind: str, final: bool, delay: timedelta | None) -> None:
    made = failure(error, attempt=1, may_have_landed=True)
    assert (made.type, made.non_retryable, made.next_retry_delay) == (kind, final, delay)


def test_a_read_of_unknown_outcome_follows_the_policy() -> None:
    assert failure(OutcomeUnknownError("x"), attempt=1, may_have_landed=False).next_retry_delay is None


def test_the_words_are_the_plugins_bounded_and_the_attempts_are_counted_here() -> None:
    error = APIError("jira answered 503 " + "x" * 1_000)
    made = failure(error, attempt=3)
    assert made.message.startswith("jira answered 503")
    assert len(made.message) == MAX_MESSAGE
    assert error.retry_count == 2
    assert made.details[0]["attempt"] == 3


def test_a_class_of_the_same_name_from_elsewhere_is_no_word_of_the_contract() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Value.model_validate("not a model")
    made = failure(caught.value, attempt=1)
    assert (made.type, made.non_retryable) == ("pydantic_core._pydantic_core.ValidationError", False)


def test_the_words_of_any_error_are_bounded() -> None:
    assert len(failure(KeyError("x" * 1_000_000), attempt=1).message) == MAX_MESSAGE
