"""The pins of a requirements file, as `make lock` writes them: name, version, marker and hashes."""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

FOLDER = Path(__file__).parent

_PIN = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[A-Za-z0-9.+!-]+)(?: ; (?P<marker>[^\\]+?))?(?P<hashes>(?: --hash=\S+)*)"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?!\S)")


class PinsError(Exception):
    """A line is not a pin with its hashes. The message names the file and quotes the line."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package at one version."""

    name: str
    """Normalised, as in `typing-extensions`."""
    version: str
    marker: Marker | None
    """Where it is installed; `None` is everywhere."""
    hashes: tuple[str, ...]
    """SHA-256 in hex of every distribution that may be installed: each wheel, and the source."""

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins(file: str) -> tuple[Pin, ...]:
    """The pins of `requirements/<file>`, in its order.

    Raises:
        PinsError: something in it is no pin, or a pin has no hash.
    """
    return tuple(_pin(file, line) for line in _lines((FOLDER / file).read_text()))


def _lines(text: str) -> list[str]:
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    return [line for line in joined.splitlines() if line.strip()]


def _pin(file: str, line: str) -> Pin:
    match = _PIN.fullmatch(line)
    hashes = tuple(_HASH.findall(match["hashes"])) if match else ()
    if match is None or len(hashes) != match["hashes"].count("--hash=") or not hashes:
        raise PinsError(f"requirements/{file}: no pin with SHA-256 hashes: {line[:100]}")
    marker = Marker(match["marker"]) if match["marker"] else None
    return Pin(match["name"], match["version"], marker, hashes)
