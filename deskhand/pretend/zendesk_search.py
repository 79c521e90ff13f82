"""The pretend Zendesk's export of search results: tickets by when they were created, in pages by cursor."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from starlette.responses import JSONResponse, Response

from deskhand.pretend import zendesk_bodies as bodies
from plugins.conformance.pretend.model import PretendTicket
from plugins.parsing import parse_time

MAX_PAGE = 1000

_CREATED = re.compile(r"created([<>])(\S+)")
_CURSOR = re.compile(r"([0-9]+)\.([0-9]+)")

Term = tuple[str, datetime]


def exported(tickets: Iterable[PretendTicket], query: Mapping[str, str], origin: str) -> Response:
    """A page of what a search finds, in the order of creation; or Zendesk's refusal of it."""
    if query.get("filter[type]") != "ticket":
        return _refused("filter[type] must be one of ticket, organization, user, group")
    words = query.get("query", "").split()
    if any(word.startswith("type:") for word in words):
        return _refused("type is not allowed in the query")
    terms = [term for term in map(_term, words) if term is not None]
    if not terms or len(terms) < len(words):
        return _refused("the pretend Zendesk knows created> and created< alone")
    size, cursor = query.get("page[size]", "100"), query.get("page[after]")
    if not (size.isdigit() and 1 <= int(size) <= MAX_PAGE):
        return _refused(f"page[size] must be between 1 and {MAX_PAGE}")
    after = _CURSOR.fullmatch(cursor or "0.0")
    if after is None:
        return _refused("page[after] is invalid")
    begin = (int(after[1]), int(after[2]))
    found = [ticket for ticket in tickets if _place(ticket) > begin and all(_fits(ticket, term) for term in terms)]
    shown = sorted(found, key=_place)[: int(size)]
    more = len(shown) < len(found)
    last = "{}.{}".format(*_place(shown[-1])) if shown else None
    link = f"{origin}/api/v2/search/export.json?page[after]={last}" if more else None
    return JSONResponse(
        {
            "results": [{**bodies.ticket_body(ticket, origin), "result_type": "ticket"} for ticket in shown],
            "facets": None,
            "meta": {"has_more": more, "after_cursor": last, "before_cursor": None},
            "links": {"prev": None, "next": link},
        }
    )


def _term(word: str) -> Term | None:
    match = _CREATED.fullmatch(word)
    moment = parse_time(match[2]) if match else None
    return (match[1], moment) if match and moment else None


def _fits(ticket: PretendTicket, term: Term) -> bool:
    how, moment = term
    created = ticket.created_at.replace(microsecond=0)
    return created > moment if how == ">" else created < moment


def _place(ticket: PretendTicket) -> tuple[int, int]:
    """Where a ticket stands in the order of creation, which Zendesk keeps in whole seconds."""
    return int(ticket.created_at.timestamp()), int(ticket.id)


def _refused(words: str) -> Response:
    return JSONResponse({"error": {"title": "Invalid attribute", "message": words}}, status_code=400)
