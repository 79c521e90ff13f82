"""The pretend Jira's search: JQL as far as it asks for issues by when they were created, and pages by token.

Dates are read in the time zone of the account's profile, and counted in whole minutes, of which the later one is taken:
Atlassian does not say how it rounds, and the worst is assumed.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from starlette.responses import Response

from deskhand.pretend import jira_bodies as bodies
from plugins.conformance.pretend.model import PretendTicket, now

PAGE = 50
MAX_PAGE = 100
"""Jira may give fewer than are asked for, as it does where many fields are wanted."""

_JQL = re.compile(
    r'created\s*>=\s*"(?P<when>[^"]+)"(?:\s+order\s+by\s+created(?:\s+(?P<order>asc|desc))?)?', re.IGNORECASE
)
_NO_RESTRICTION = re.compile(r"\s*(?:order\s+by\b.*)?", re.IGNORECASE | re.DOTALL)
_AGO = re.compile(r"-(\d{1,9})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Place = tuple[datetime, int]
"""Where an issue stands in the order of creation."""


def page_of_issues(
    tickets: Iterable[PretendTicket], query: Mapping[str, str], *, zone: tzinfo, api: str
) -> dict[str, Any] | Response:
    """A page of the issues that the query finds, or Jira's refusal of it."""
    jql, token, size = query.get("jql", ""), query.get("nextPageToken"), query.get("maxResults", str(PAGE))
    if _NO_RESTRICTION.fullmatch(jql):
        return bodies.error(
            400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )
    asked = _JQL.fullmatch(jql.strip())
    begin = _moment(asked["when"], zone) if asked else None
    if asked is None or begin is None:
        return bodies.error(400, "Error in the JQL Query: the pretend Jira knows created and its order alone.")
    if not size.isdigit() or int(size) < 1:
        return bodies.error(400, "maxResults must be a number.")
    downwards = (asked["order"] or "asc").lower() == "desc"
    found = sorted((ticket for ticket in tickets if ticket.created_at >= begin), key=_place, reverse=downwards)
    if token is not None:
        after = _opened(token)
        if after is None:
            return bodies.error(400, "The nextPageToken is invalid.")
        found = [ticket for ticket in found if (_place(ticket) < after if downwards else _place(ticket) > after)]
    shown = found[: min(int(size), MAX_PAGE)]
    more = len(shown) < len(found)
    page: dict[str, Any] = {
        "issues": [_issue(ticket, query.get("fields"), api) for ticket in shown],
        "isLast": not more,
    }
    return {**page, "nextPageToken": _sealed(_place(shown[-1]))} if more else page


def _moment(when: str, zone: tzinfo) -> datetime | None:
    """What a date means: counted back from now, or in the account's time zone."""
    ago = _AGO.fullmatch(when)
    try:
        if ago is not None:
            moment = now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.strptime(when.replace("/", "-"), "%Y-%m-%d %H:%M").replace(tzinfo=zone)
    except (ValueError, OverflowError):
        return None
    begun = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return begun if begun == moment else begun + timedelta(minutes=1)


def _issue(ticket: PretendTicket, fields: str | None, api: str) -> dict[str, Any]:
    """An issue as the search tells it: nothing but its id, unless fields are asked for."""
    if not fields:
        return {"id": bodies.number(ticket)}
    issue = bodies.rest_issue(ticket, api)
    wanted = fields.split(",")
    return {**issue, "fields": {name: value for name, value in issue["fields"].items() if name in wanted}}


def _place(ticket: PretendTicket) -> Place:
    return ticket.created_at, int(bodies.number(ticket))


def _sealed(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place[0].isoformat()} {place[1]}".encode()).decode()


def _opened(token: str) -> Place | None:
    try:
        moment, _, number = base64.urlsafe_b64decode(token).decode().partition(" ")
        return datetime.fromisoformat(moment), int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
