"""Why no connection came about, in words that say what to look at."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class ConnectionProblem:
    """What stood in the way, and what to do about it."""

    what: str
    mend: str


UNREACHABLE = "can this machine reach the tool? Look at firewall, VPN and proxy, and at the port"


def connection_problem(error: BaseException) -> ConnectionProblem:
    """What an error of the HTTP library comes from, found among its causes."""
    causes = tuple(_causes(error))
    for cause in causes:
        match cause:
            case ssl.SSLCertVerificationError():
                return ConnectionProblem(
                    f"its certificate is not accepted ({cause.verify_message})",
                    "give the host name that the certificate is made for, or have this machine trust its issuer",
                )
            case ssl.SSLError():
                return ConnectionProblem(
                    f"it does not speak TLS that we do ({cause.reason or 'TLS failed'})",
                    "is the port one for https, and the tool's TLS up to date (1.2 or newer)?",
                )
            case socket.gaierror() | UnicodeError():
                return ConnectionProblem("its name does not resolve", "is the host name spelt right?")
            case ConnectionRefusedError():
                return ConnectionProblem("the connection was refused", "is the tool running, and the port right?")
    if any(isinstance(cause, httpx.ConnectTimeout | TimeoutError) for cause in causes):
        return ConnectionProblem("no connection in time", UNREACHABLE)
    return ConnectionProblem(type(error).__name__, UNREACHABLE)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
