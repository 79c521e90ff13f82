"""Which run a delivery belongs to. Identity comes from signed content alone: tool, tenant, ticket and kind."""

import hashlib
import re

MAX_PART = 64
"""Characters of a ticket id that stand in a workflow id as they are; longer ones are hashed."""

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
_TIME = re.compile(r"[0-9TZ:.+-]+")
_ODD = re.compile(r"[^A-Za-z0-9._-]")


def workflow_id(tool: str, tenant_id: str, ticket_id: str, kind: str) -> str:
    """`{tool}:{tenant}:{ticket_id}:{kind}`: one run for one ticket and kind, whichever delivery brought it.

    `kind` is `created` or `resolved:{version}`. Parts are escaped so that no two identities share an id.
    """
    return f"{tool}:{tenant_id}:{_part(ticket_id)}:{_kind(kind)}"


def reference(tool: str, tenant_id: str, ticket_id: str, kind: str) -> str:
    """The visible mark that a note carries: `dh-` and 12 characters, a hash of what the run is about."""
    identity = "\n".join((tool, tenant_id, ticket_id, kind))
    return "dh-" + hashlib.sha256(identity.encode()).hexdigest()[:12]


def _kind(kind: str) -> str:
    name, _, version = kind.partition(":")
    if len(version) <= MAX_PART and _TIME.fullmatch(version):
        return f"{name}:{version}"  # nothing follows it, so its colons are no ambiguity, and a time stays readable
    return f"{name}:{_part(version)}" if version else name


def _part(text: str) -> str:
    if len(text) <= MAX_PART and _PLAIN.fullmatch(text):
        return text
    escaped = _ODD.sub(lambda m: "".join(f"%{byte:02X}" for byte in m.group().encode()), text)
    if len(escaped) <= MAX_PART:
        return escaped
    return "~" + hashlib.sha256(text.encode()).hexdigest()[:32]
