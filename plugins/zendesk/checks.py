"""What `check_connection` makes of Zendesk's answers. Nothing is written at Zendesk.

Zendesk tells who we are and which role that user has. What a custom role allows it tells to administrators only, and
that a note can be written only a note would show.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from plugins.checking import Check
from plugins.http import json_or_none
from plugins.zendesk.answers import id_of
from plugins.zendesk.connection import API_TOKENS_END, ZendeskConnection

ADDRESS = "give base_url as https://<subdomain>.zendesk.com, the address at which your agents sign in"
AN_AGENT = "make the user an agent (Admin Center > People), or give the credentials of one"

_OAUTH_CLIENTS = "Admin Center > Apps and integrations > APIs > OAuth clients"
_LIGHT_AGENT = 1
"""`role_type` of a light agent (Users API). A plain agent has none, one with a custom role 0."""
_MAX_WORDS = 200


def refused(connection: ZendeskConnection) -> str:
    """What to do about credentials that Zendesk does not accept."""
    if connection.oauth:
        return (
            f"compare client_id and client_secret with {_OAUTH_CLIENTS}: the client must be there, of the kind "
            "Confidential, and allow the scopes that scope names"
        )
    return (
        "see that api_token is active and email is its agent's; Zendesk switches off tokens that are not used for "
        f"30 days, and makes no new ones: an OAuth client takes their place ({_OAUTH_CLIENTS}; give client_id and "
        "client_secret)"
    )


def may_not_read(connection: ZendeskConnection) -> str:
    """What to do if tickets may not be read."""
    if connection.oauth:
        return f"{AN_AGENT}, and see that scope has read or tickets:read"
    return AN_AGENT


def is_zendesk(response: httpx.Response) -> bool:
    """Whether an answer to `users/me` without credentials is Zendesk's.

    Zendesk answers strangers too: with an anonymous user, or with a refusal.
    """
    if response.is_success:
        body = json_or_none(response)
        return isinstance(body, dict) and "user" in body
    return response.status_code in (401, 403)


def who(check: Check, user: Mapping[str, Any], own_account_id: str | None) -> str:
    """Say who we are; empty if Zendesk does not know, or does not say it (no `user`)."""
    if not user:
        check.open("Zendesk does not say who we are with this scope", "add users:read to scope, or set read write")
        return ""
    number = id_of(user)
    if number is None:
        check.bad(
            "Zendesk answers as if to a stranger: the credentials did not reach it",
            "is base_url Zendesk's own address, and not one that takes credentials out of requests?",
        )
        return ""
    name = user.get("name")
    account = f"{name[:_MAX_WORDS] if isinstance(name, str) and name else 'unnamed'} (user {number})"
    check.good(f"signed in as {account}")
    if own_account_id != number:
        check.open(
            "events that our own notes cause are not recognised",
            f"set own_account_id to {number}",
            setting="own_account_id",
        )
    return account


def may_write(check: Check, connection: ZendeskConnection, user: Mapping[str, Any]) -> None:
    """Say what user and scope tell about writing private notes."""
    if connection.oauth and not {"write", "tickets:write"} & set(connection.scope.split()):
        check.bad("tokens are asked for that may not write", "set scope to read write, or add tickets:write to it")
    if not user:
        check.open("whether the user may write private notes cannot be told without knowing who it is")
        return
    role, kind = user.get("role"), user.get("role_type")
    if role not in ("agent", "admin"):
        check.bad("the user is no agent: it cannot write private notes", AN_AGENT)
        return
    if role == "admin" or kind is None:
        check.good(f"the user is an {role}, who may write private notes")
    elif kind == _LIGHT_AGENT:
        check.open(
            "the user is a light agent: it may write private notes, but not make one private that came out public",
            "make it a full agent",
        )
    else:
        check.open(
            "whether the user's own role lets it add private comments cannot be asked",
            "look at the role in Admin Center > People > Team > Roles",
        )
    if user.get("ticket_restriction"):
        check.open(
            "the user sees only some of the tickets; the others get no note",
            "give it access to all tickets (Admin Center > People)",
        )


def until_when(check: Check, connection: ZendeskConnection) -> None:
    """Say when the credentials end."""
    if not connection.oauth:
        check.open(
            f"the API token ends on {API_TOKENS_END} with all others",
            f"make a confidential OAuth client ({_OAUTH_CLIENTS}), give client_id and client_secret, and take out "
            "email and api_token",
        )
