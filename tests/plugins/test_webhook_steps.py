"""What an administrator is told to do in the tool: bodies that the plugin understands, headers that it reads."""

from datetime import UTC, datetime
from typing import Any

import pytest

from plugins.base import TicketingToolPlugin
from plugins.payload import rebuild
from plugins.registry import load_plugins
from plugins.types import EventKind, TenantSettings

PLUGINS = load_plugins().classes
ADDRESS = "https://deskhand.example/webhooks/some-tool/acme"
SCHEMES: list[tuple[str, str | None]] = [
    (tool, scheme) for tool, plugin in PLUGINS.items() for scheme in (None, *sorted(plugin.signature_schemes))
]
VARIABLES = {
    "{{ticket.id}}": "4711",
    "{{ticket.updated_at_with_timestamp}}": "2026-11-25T09:30:00Z",
    "{{issue.key}}": "HELP-4711",
    "{{issue.updated}}": "2026-11-25T09:30:00.000+0000",
    "$RequestId": "4711",
}


def steps_of(tool: str, scheme: str | None) -> tuple[str, ...]:
    return PLUGINS[tool].webhook_steps(ADDRESS, "acme", TenantSettings(signature_scheme=scheme))


def bodies(steps: tuple[str, ...]) -> list[str]:
    return [line for step in steps for line in step.split("\n")[1:] if line.startswith("{")]


@pytest.mark.parametrize(("tool", "scheme"), SCHEMES)
def test_they_name_the_address_and_where_the_secret_goes(tool: str, scheme: str | None) -> None:
    steps = steps_of(tool, scheme)
    assert any(ADDRESS in step for step in steps)
    assert any("webhook secret" in step for step in steps)
    assert all(len(line) <= 140 for step in steps for line in step.split("\n")[1:])


@pytest.mark.parametrize(("tool", "scheme"), SCHEMES)
def test_the_bodies_they_give_ask_for_a_note_and_tell_of_a_resolution(tool: str, scheme: str | None) -> None:
    templates = bodies(steps_of(tool, scheme))
    plugin = PLUGINS[tool](None, None)  # type: ignore[arg-type]  # reads a body, touches neither
    kinds = []
    for template in templates:
        for variable, value in VARIABLES.items():
            template = template.replace(variable, value)
        assert "{{" not in template
        assert "$" not in template
        payload = payload_of(template)
        assert plugin.extract_metadata(payload).ticket_id.endswith("4711")
        kinds.append(plugin.event_kind(payload))
    # A webhook of Jira's own, and the generic step, have no template: the tool's body is fixed.
    assert kinds in ([], [EventKind.CREATED, EventKind.RESOLVED])
    assert templates or (tool, scheme) in {("jira", None), ("jira", "hmac"), ("freshservice", None)}


@pytest.mark.parametrize(
    ("tool", "scheme", "header"),
    [
        ("jira", "header", "X-Deskhand-Secret"),
        ("servicedesk_plus", None, "X-Deskhand-Secret"),
        ("servicedesk_plus", "hmac", "X-ServiceDesk-Signature"),
        ("freshservice", None, "X-Deskhand-Secret"),
    ],
)
def test_the_header_they_name_is_the_one_that_is_read(tool: str, scheme: str | None, header: str) -> None:
    assert any(header in step for step in steps_of(tool, scheme))
    plugin = PLUGINS[tool](None, None)  # type: ignore[arg-type]  # reads headers, touches neither
    settings = TenantSettings(signature_scheme=scheme)
    assert plugin.signature_from({header.lower(): "anything"}, settings)
    assert not plugin.signature_from({"x-other": "anything"}, settings)


@pytest.mark.parametrize(("tool", "scheme"), [(t, p.default_scheme) for t, p in PLUGINS.items() if p.default_scheme])
def test_the_default_scheme_is_what_is_in_force_without_one(tool: str, scheme: str) -> None:
    assert scheme in PLUGINS[tool].signature_schemes
    assert steps_of(tool, scheme) == steps_of(tool, None)


def test_a_plugin_that_says_nothing_gets_one_step_of_what_it_is() -> None:
    (step,) = TicketingToolPlugin.webhook_steps(ADDRESS, "acme", TenantSettings())
    assert step == (
        f"Have the tool send each new ticket as a POST of application/json to {ADDRESS}, "
        "signed with the webhook secret, the signature in the header X-Signature."
    )


def payload_of(text: str) -> Any:
    return rebuild(text.encode(), "acme", datetime.now(UTC), TenantSettings())
