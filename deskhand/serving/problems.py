"""Refusals as problem details (RFC 9457). They never quote what was sent."""

from starlette.responses import JSONResponse, Response

RETRY_AFTER_SECONDS = 30
"""Zendesk repeats a 503 only if it is told to wait less than 60 s."""

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class ProblemError(Exception):
    """A delivery is refused with this status and this one sentence, which the sender sees."""

    def __init__(self, status: int, detail: str, why: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.why = why
        """What our log says besides, and the sender is not told."""


def unauthorized(why: str) -> ProblemError:
    """The one answer to every failure of authentication: it tells no stranger which tenants there are."""
    return ProblemError(401, "The delivery could not be authenticated.", why)


def try_later(detail: str) -> ProblemError:
    """We could not look, or nothing durable took the delivery: the sender should bring it again."""
    return ProblemError(503, detail)


def problem(status: int, detail: str) -> Response:
    """The response of media type `application/problem+json`."""
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Webhook-Signature"  # RFC 9110 asks for one; no registered scheme fits
    elif status == 408:
        headers["Connection"] = "close"  # RFC 9110: the rest of the request is not waited for
    elif status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(
        {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail},
        status,
        headers,
        media_type="application/problem+json",
    )
