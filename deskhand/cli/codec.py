"""`deskhand codec`: the endpoint by which the Temporal UI shows what is sealed."""

from deskhand.codec.app import serve_codec
from deskhand.observability.logging import configure_logging
from deskhand.settings import load_settings


def codec() -> None:
    """Serve the codec endpoint for the Temporal UI and command line (decode only) until interrupted."""
    settings = load_settings()
    configure_logging(settings)
    serve_codec(settings)
