"""Reading a request's body within its bounds, before anything is known of who sent it."""

import asyncio

from starlette.requests import Request

from deskhand.serving.problems import ProblemError


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The raw body of a JSON request, at most `limit` bytes, all of it within `seconds`.

    Raises:
        ProblemError: 413 as soon as the declared or the received length is over the limit; 408 when the time is up; 415
            for anything that is not plain `application/json`.
        starlette.requests.ClientDisconnect: the sender left.
    """
    # Refused without closing the connection: the server drops the rest as it comes. A sender that is still writing
    # when the connection closes is reset, and never sees the answer.
    too_large = ProblemError(413, f"The body must not be larger than {limit} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        raise ProblemError(408, f"The body must arrive within {seconds:g} s.") from None
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ProblemError(415, "The media type must be application/json.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ProblemError(415, "The body must not be compressed.")
    return bytes(body)
