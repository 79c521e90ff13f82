"""One identity for one ticket and kind, whatever stands in the ticket's id."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.identity import reference, workflow_id

ticket_ids = st.text(min_size=1, max_size=100)


def test_plain_identity_reads_as_it_is() -> None:
    assert workflow_id("jira", "acme", "INC-123", "created") == "jira:acme:INC-123:created"
    assert workflow_id("jira", "acme", "INC-123", "resolved:2026-01-01T00:00:00Z") == (
        "jira:acme:INC-123:resolved:2026-01-01T00:00:00Z"
    )


@pytest.mark.parametrize(("one", "other"), [("a:b", "a%3Ab"), ("a", "A"), ("x" * 65, "x" * 66), ("é", "e")])
def test_different_tickets_have_different_ids(one: str, other: str) -> None:
    assert workflow_id("jira", "acme", one, "created") != workflow_id("jira", "acme", other, "created")


@given(ticket_ids)
def test_ids_are_bounded_and_have_four_parts(ticket_id: str) -> None:
    identity = workflow_id("servicedesk_plus", "t" * 64, ticket_id, "created")
    assert len(identity) <= 200
    assert len(identity.split(":")) == 4
    assert identity.isprintable()
    assert identity.isascii()


@given(ticket_ids, ticket_ids)
def test_identity_tells_tickets_apart(one: str, other: str) -> None:
    same = workflow_id("jira", "acme", one, "created") == workflow_id("jira", "acme", other, "created")
    assert same == (one == other)
    assert (reference("jira", "acme", one, "created") == reference("jira", "acme", other, "created")) == (one == other)


def test_reference_has_the_form_that_notes_are_found_by() -> None:
    ref = reference("jira", "acme", "INC-1", "created")
    assert re.fullmatch(r"dh-[0-9a-f]{12}", ref)
    assert ref != reference("jira", "acme", "INC-1", "resolved:1")
