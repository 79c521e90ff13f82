"""The HTTP server of a process that strangers may reach."""

import uvicorn
from starlette.applications import Starlette

from deskhand.serving.connections import timed_protocol

GRACE_SECONDS = 10
"""How long requests under way may take once the process is told to end."""


def server(app: Starlette, *, host: str, port: int, receive_seconds: float, max_in_flight: int) -> uvicorn.Server:
    """A server that tells nothing of itself, believes no proxy's headers, and bounds slow senders and connections."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=timed_protocol(receive_seconds, max_in_flight),
            host=host,
            port=port,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
