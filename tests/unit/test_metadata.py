"""`TicketMetadata` enforces the interface reference's table when it is made."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from plugins.base import TicketMetadata
from plugins.exceptions import ValidationError

GOOD: dict[str, Any] = {
    "tenant_id": "tenant-001",
    "ticket_id": "INC-123",
    "description": "User login issue",
    "priority": "high",
    "created_at": datetime(2025, 11, 5, 10, 0, 0, tzinfo=UTC),
}


def test_the_references_example_is_good() -> None:
    metadata = TicketMetadata(**GOOD)
    assert (metadata.tenant_id, metadata.ticket_id, metadata.priority) == ("tenant-001", "INC-123", "high")


@pytest.mark.parametrize(
    "fields",
    [{"description": ""}, {"ticket_id": "x" * 100}, {"tenant_id": "t" * 64}, {"priority": "low"}],
    ids=lambda fields: next(iter(fields)),
)
def test_the_edges_are_good(fields: dict[str, Any]) -> None:
    TicketMetadata(**{**GOOD, **fields})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant_id", ""),
        ("tenant_id", "a_b"),
        ("tenant_id", "a b"),
        ("tenant_id", "tenant-001\n"),
        ("tenant_id", "t" * 65),
        ("tenant_id", None),
        ("ticket_id", ""),
        ("ticket_id", "  "),
        ("ticket_id", "x" * 101),
        ("ticket_id", 123),
        ("ticket_id", "INC\x00"),
        ("ticket_id", "INC\u202e1"),
        ("description", None),
        ("priority", "High"),
        ("priority", "urgent"),
        ("created_at", "2025-11-05T10:00:00Z"),
        ("created_at", datetime(2025, 11, 5)),  # noqa: DTZ001 - what is refused
        ("created_at", datetime(2025, 11, 5, tzinfo=timezone(timedelta(hours=1)))),
    ],
)
def test_what_breaks_the_table_is_refused_by_the_fields_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=rf"^{field}: ") as caught:
        TicketMetadata(**{**GOOD, field: value})
    if isinstance(value, str) and len(value) > 3:
        assert value not in str(caught.value)
