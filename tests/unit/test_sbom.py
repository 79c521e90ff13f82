"""The bill of materials: exactly what is pinned for the image, each with its hashes and its licence."""

import json
from typing import Any

import pytest

from requirements import sbom
from requirements.pins import pins


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return sbom.bill()


def test_it_holds_exactly_what_is_pinned_for_linux(document: dict[str, Any]) -> None:
    listed = {(component["name"], component["version"]) for component in document["components"]}
    pinned = {(pin.name, pin.version) for pin in pins("runtime.txt")}
    for_others = {(pin.name, pin.version) for pin in pins("runtime.txt") if "win32" in str(pin.marker)}
    assert listed == pinned - for_others
    assert {name for name, _ in for_others} == {"colorama"}
    assert len(document["components"]) == len(listed)


def test_each_package_has_every_hash_that_may_be_installed(document: dict[str, Any]) -> None:
    expected = {pin.purl: set(pin.hashes) for pin in pins("runtime.txt")}
    for component in document["components"]:
        (distributions,) = component["externalReferences"]
        assert {listed["content"] for listed in distributions["hashes"]} == expected[component["purl"]]


def test_each_package_has_a_licence_under_which_it_may_be_used(document: dict[str, Any]) -> None:
    for component in document["components"]:
        (said,) = component["licenses"]
        expression = said.get("expression") or said["license"]["id"]
        assert sbom.USABLE.intersection(expression.split(" OR ")), component["name"]


def test_every_package_is_there_because_something_needs_it(document: dict[str, Any]) -> None:
    needs = {edge["ref"]: edge["dependsOn"] for edge in document["dependencies"]}
    reached, waiting = set(), [document["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting.extend(needs[ref])
    assert {component["purl"] for component in document["components"]} <= reached


def test_what_an_extra_brings_counts_where_somebody_asks_for_it(document: dict[str, Any]) -> None:
    (needs,) = (
        edge["dependsOn"] for edge in document["dependencies"] if edge["ref"].startswith("pkg:pypi/temporalio@")
    )
    assert any(other.startswith("pkg:pypi/opentelemetry-sdk@") for other in needs)


def test_the_same_pins_give_the_same_document(document: dict[str, Any]) -> None:
    assert json.dumps(sbom.bill()) == json.dumps(document)
    assert "timestamp" not in document["metadata"]


def test_it_keeps_to_the_schema(document: dict[str, Any]) -> None:
    sbom.validate(json.dumps(document))


def test_what_does_not_keep_to_the_schema_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(sbom.SbomError, match="does not keep to CycloneDX"):
        sbom.validate(json.dumps({**document, "components": [{"name": "httpx"}]}))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"license_expression": "MIT"}, "MIT"),
        ({"license_expression": "Apache-2.0 OR BSD-3-Clause"}, "Apache-2.0 OR BSD-3-Clause"),
        ({"license_expression": "GPL-3.0-only OR MIT"}, "GPL-3.0-only OR MIT"),
        ({"license": "3-Clause BSD License"}, "BSD-3-Clause"),
        ({"license": "see the file", "classifier": ["License :: OSI Approved :: MIT License"]}, "MIT"),
    ],
)
def test_licences_are_read(said: dict[str, Any], expected: str) -> None:
    assert sbom.licence("some", said) == expected


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"license_expression": "AGPL-3.0-or-later"},
        {"license_expression": "MIT AND GPL-3.0-only"},
        {"license": "Proprietary"},
        {"classifier": ["License :: Other/Proprietary License"]},
    ],
)
def test_a_licence_that_is_not_known_to_be_usable_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(sbom.SbomError, match="the licence of some is not among those known to be usable"):
        sbom.licence("some", said)
