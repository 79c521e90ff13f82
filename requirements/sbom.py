"""`make sbom`: what of Python goes into the image, as a CycloneDX document with hashes and licences.

It lists the pins of `requirements/runtime.txt` that apply to Linux, and reads licences and dependencies from the
packages' own metadata in this environment. The same pins give the same bytes: there is no time of day in it.
"""

import argparse
import hashlib
import json
import sys
import tomllib
import uuid
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements.pins import FOLDER, Pin, pins

SPECIFICATION = SchemaVersion.V1_6

IMAGE = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
"""The image's platform, for markers; the rest is as in this environment."""

USABLE = frozenset({"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"})
"""SPDX names of licences under which a commercial service may run the package unchanged. MPL-2.0 asks that changes to
its files be published, and we make none."""

_SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""What packages say that do not use SPDX names."""


class SbomError(Exception):
    """The document cannot be made, or would not hold. The message is one line."""


def main() -> int:
    """Write the document; the exit status."""
    parser = argparse.ArgumentParser(prog="make sbom", description=__doc__)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    try:
        document = bill()
        text = json.dumps(document, indent=2, sort_keys=True) + "\n"
        validate(text)
    except SbomError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    counted = Counter(_licence_of(component) for component in document["components"])
    print(f"{file}: {len(document['components'])} packages")
    print(*(f"{count:4} {licence}" for licence, count in counted.most_common()), sep="\n")
    return 0


def bill() -> dict[str, Any]:
    """The document, as plain values for JSON.

    Raises:
        SbomError: a pinned package is not installed at that version, or its licence is not one of `USABLE`.
    """
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
    wanted = {pin.name: pin for pin in pins("runtime.txt") if _applies(pin.marker)}
    installed = {name: _installed(pin) for name, pin in wanted.items()}
    edges = _edges([Requirement(line) for line in project["dependencies"]], installed)
    components = [_component(pin, installed[name]) for name, pin in wanted.items()]
    root = f"deskhand@{project['version']}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION.to_version()}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION.to_version(),
        "version": 1,
        "serialNumber": _serial_number([root, components]),
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": root if name is None else wanted[name].purl, "dependsOn": [wanted[other].purl for other in others]}
            for name, others in edges.items()
        ],
    }


def validate(text: str) -> None:
    """Hold a document to CycloneDX's own schema.

    Raises:
        SbomError: it does not keep to it.
    """
    problem = JsonStrictValidator(SPECIFICATION).validate_str(text)
    if problem is not None:
        raise SbomError(f"it does not keep to CycloneDX {SPECIFICATION.to_version()}: {str(problem).splitlines()[0]}")


def licence(name: str, said: Mapping[str, Any]) -> str:
    """The SPDX expression of a package's licence.

    Args:
        said: what the package says of itself, as `importlib.metadata` gives it for JSON: in `license_expression`, or in
            the older `license`, or only in its classifiers.

    Raises:
        SbomError: it says nothing that is known here, or nothing under which it may be used.
    """
    for text in filter(None, (said.get("license_expression"), said.get("license"), *said.get("classifier", ()))):
        expression = _SPELLINGS.get(text, text)
        # Of alternatives, one has to do.
        if any(part in USABLE for part in expression.split(" OR ")):
            return str(expression)
    raise SbomError(f"the licence of {name} is not among those known to be usable: look at it, then at USABLE")


def _component(pin: Pin, package: Distribution) -> dict[str, Any]:
    expression = licence(pin.name, package.metadata.json)
    named = {"expression": expression} if " " in expression else {"license": {"id": expression}}
    return {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "licenses": [named],
        "externalReferences": [
            {
                "type": "distribution",
                "url": pin.purl,
                "comment": "Each distribution that may be installed: the wheels, and the source.",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in pin.hashes],
            }
        ],
    }


def _licence_of(component: dict[str, Any]) -> str:
    (said,) = component["licenses"]
    return str(said.get("expression") or said["license"]["id"])


def _applies(marker: Marker | None, extra: str = "") -> bool:
    return marker is None or marker.evaluate({**IMAGE, "extra": extra})


def _installed(pin: Pin) -> Distribution:
    try:
        package = distribution(pin.name)
    except PackageNotFoundError:
        raise SbomError(f"{pin.name} is not installed here: run make sbom on Linux") from None
    if package.version != pin.version:
        raise SbomError(f"{pin.name} is pinned at {pin.version} and installed at {package.version}: run make lock")
    return package


def _edges(direct: list[Requirement], installed: dict[str, Distribution]) -> dict[str | None, list[str]]:
    """What depends on what; `None` is ourselves. An extra counts where somebody asks for it."""
    edges: dict[str | None, set[str]] = {None: set(), **{name: set() for name in installed}}
    waiting: list[tuple[str | None, Requirement]] = [(None, requirement) for requirement in direct]
    done: set[tuple[str, str]] = set()
    while waiting:
        whose, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in installed:
            raise SbomError(f"{whose or 'deskhand'} needs {name}, which is not pinned: run make lock")
        edges[whose].add(name)
        for extra in {"", *requirement.extras} - {extra for known, extra in done if known == name}:
            done.add((name, extra))
            needs = [Requirement(line) for line in installed[name].requires or ()]
            waiting.extend((name, need) for need in needs if _applies(need.marker, extra))
    return {name: sorted(others) for name, others in edges.items()}


def _serial_number(content: object) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4).urn


if __name__ == "__main__":
    sys.exit(main())
