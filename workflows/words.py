"""Words for people who look at a run: what failed, and what a vendor said, made harmless."""

import temporalio.exceptions
from temporalio.exceptions import ActivityError, ApplicationError


def account(error: ActivityError) -> str:
    """One plain sentence on why an activity failed for good."""
    cause = error.cause
    if isinstance(cause, temporalio.exceptions.TimeoutError):
        return f"{error.activity_type}: no attempt finished in time"
    if isinstance(cause, ApplicationError):
        return f"{error.activity_type}: {cause.message}"
    return f"{error.activity_type}: {cause or error}"


def code(text: str, limit: int) -> str:
    """Foreign words as a Markdown code span of at most `limit` characters, on one line: the UI renders Markdown."""
    plain = "".join(c if c.isprintable() else " " for c in text[:limit]).replace("`", "'").strip()
    return f"`{plain}`" if plain else ""
