"""What a plugin may raise, ordered by what the caller can do about it.

| raise | when the vendor says | what happens to the run |
|---|---|---|
| `ValidationError` | (our payload is wrong) | fails at once, naming the field |
| `ConfigurationError` | (tenant missing, or a setting unusable) | waits for the operator |
| `AuthenticationError` | 401, 403 | waits for the operator |
| `PrivacyError` | the note came out public | waits for the operator, never repeated |
| `TicketRefusedError` | closed, locked, gone: "no" for good | ends as `refused` |
| `PermanentAPIError` | another 4xx about our request | fails with the vendor's words |
| `RateLimitError` | 429 | waits as long as the vendor says |
| `OutcomeUnknownError` | nothing (readable) once a write had left | looks for the note before it tries again |
| `APIError` | 5xx, connection refused, not JSON, too large | tries again by policy |

The first six names, their order and their arguments are the interface reference's. Messages are bounded and hold no
secret and no ticket content: name the field and the reason. Leave `retry_count` at 0: only Temporal counts attempts.
"""

MAX_MESSAGE = 500
"""Characters of a message that are kept: vendor bodies can be whole HTML pages."""


class PluginError(Exception):
    """Base exception for plugin errors."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…")


class ValidationError(PluginError):
    """Payload validation failed. The message names the field and the reason, never the field's content."""


class APIError(PluginError):
    """External API call failed in a way that may heal."""

    def __init__(self, message: str, retry_count: int = 0, last_error: Exception | None = None) -> None:
        super().__init__(message)
        self.retry_count = retry_count
        self.last_error = last_error


class AuthenticationError(PluginError):
    """API authentication failed (401/403)."""


class RateLimitError(PluginError):
    """API rate limit exceeded (429).

    `retry_after` is in whole seconds, counted from now; `None` where the vendor did not say.
    """

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConfigurationError(PluginError):
    """Tenant configuration invalid/missing. The message names the setting and the way out."""


class TicketRefusedError(PluginError):
    """The vendor will never take a note on this ticket (closed, locked, gone). The message has the vendor's words."""


class PermanentAPIError(APIError):
    """The vendor refuses our request as such (a 4xx other than 401, 403, 404, 429). Repeating it cannot help."""


class OutcomeUnknownError(APIError):
    """The request left and the vendor may have acted: a time-out, a dropped reply, a gateway that answered for it."""


class PrivacyError(PluginError):
    """The note came out, or would have come out, visible to the requester. Never repeated."""
