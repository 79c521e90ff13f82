"""What `check_connection` asks Jira, and what it makes of the answers. Nothing is written.

Jira tells who we are and what the account may do in any project, not what it may do in each; when a token ends it does
not tell at all.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from plugins.checking import Check
from plugins.exceptions import PermanentAPIError
from plugins.jira.connection import CLOUD_ID_PAGE, GATEWAY_HOST, JiraConnection
from plugins.jira.refusals import TOKEN_SCOPES
from plugins.jira.values import mapping, string
from plugins.types import TenantSettings

TOKENS_PAGE = "https://id.atlassian.com/manage-profile/security/api-tokens"

_GRANT = (
    "give the account the permissions Browse projects, Add comments and Delete own comments in the projects whose "
    "issues are to have notes"
)
_MAX_WORDS = 200


class Read(Protocol):
    """Asks Jira for a JSON object."""

    def __call__(self, path: str, **params: str) -> Awaitable[dict[str, Any]]:
        """The answer to a GET of this path of the API.

        Raises:
            PluginError: there is none.
        """
        ...


async def examine(check: Check, connection: JiraConnection, settings: TenantSettings, read: Read) -> str:
    """Add what is found to the check; the account's id, empty where Jira does not say it."""
    me = await check.attempt(read("myself"), refused=mend_token(connection))
    if me is None:
        return ""
    account = string(me.get("accountId"))
    if not account:
        check.bad("something answered, and not as Jira does", "is base_url the address of a Jira Cloud site?")
        return ""
    check.good(f"signed in as {string(me.get('displayName'))[:_MAX_WORDS]}, account id {account}")
    await _permissions(check, read)
    await _privacy(check, connection, read)
    if connection.through_gateway:
        await _site(check, connection, read)
    if settings.own_account_id != account:
        check.open(
            "events that our own notes cause are not recognised",
            f"set own_account_id to {account}",
            setting="own_account_id",
        )
    if connection.email is not None:
        check.open(
            "when the API token ends cannot be asked for; Atlassian lets one live for a year at most",
            f"note the date that {TOKENS_PAGE} shows, and give a new token before it",
        )
    return account


def mend_token(connection: JiraConnection) -> str:
    """What to do about a token that is refused: the usual mistake is another address than the token's kind needs."""
    return f"{_mend_token(connection)}; at 403 see that the account may use Jira there, and look at the IP allowlist"


def _mend_token(connection: JiraConnection) -> str:
    if connection.through_gateway:
        return (
            "is it a token with scopes, OAuth's or a service account's, and has it not expired? "
            f"{TOKEN_SCOPES[0].upper()}{TOKEN_SCOPES[1:]}; a classic API token needs the site's address as base_url"
        )
    gateway = (
        f"https://{GATEWAY_HOST}/ex/jira/<cloud id> as base_url, with the cloud id that stands at "
        f"{connection.base_url}{CLOUD_ID_PAGE}"
    )
    if connection.email is None:
        return f"give email for an API token; OAuth's or a service account's token needs {gateway}"
    return f"make a new API token at {TOKENS_PAGE} and see that email is its account's; one with scopes needs {gateway}"


async def _permissions(check: Check, read: Read) -> None:
    """What the account may do in any project at all."""
    held = await check.attempt(
        _held(read, "BROWSE_PROJECTS", "ADD_COMMENTS", "DELETE_OWN_COMMENTS"), refused=TOKEN_SCOPES
    )
    if held is None:
        return
    for permission, deed in (("BROWSE_PROJECTS", "read issues"), ("ADD_COMMENTS", "add comments")):
        match _may(held, permission):
            case True:
                check.good(f"the account may {deed} in at least one project; Jira was not asked about each")
            case False:
                check.bad(f"the account may not {deed} in any project", _GRANT)
            case None:
                check.open(f"whether the account may {deed} could not be told")
    if _may(held, "DELETE_OWN_COMMENTS") is False:
        check.open("the account may not delete its own comments: a note that came out public would stay", _GRANT)


async def _privacy(check: Check, connection: JiraConnection, read: Read) -> None:
    """What keeps notes private: in service projects, and in others."""
    held = await check.attempt(_held(read, "SERVICEDESK_AGENT"), refused=TOKEN_SCOPES)
    match _may(held or {}, "SERVICEDESK_AGENT"):
        case True:
            check.good("the account is an agent of a service project: its notes there are internal comments")
        case False:
            # Collaborators, who are no agents, write internal comments too. Which accounts are such cannot be asked.
            check.open(
                "the account is an agent of no service project, and whether its comments there can be internal cannot "
                "be asked: one that comes out public is taken back",
                "make the account an agent of the service projects whose requests are to have notes",
            )
        case None:
            check.open("whether the account is an agent of a service project could not be told")
    if connection.visibility_role:
        check.open(
            f"in other projects notes are hidden behind the role {connection.visibility_role}; whether the account is "
            "in it shows with the first note"
        )
    elif connection.allow_project_visible:
        check.open("in other projects everyone who may see the project reads the notes (allow_project_visible)")
    else:
        check.open(
            "in projects that are no service projects no note is posted, since nothing says how to hide it",
            "set visibility_role if issues of such projects are to have notes",
        )


async def _site(check: Check, connection: JiraConnection, read: Read) -> None:
    """Which site a cloud id is, and whether we can link to its issues."""
    info = await check.attempt(read("serverInfo"), refused=TOKEN_SCOPES)
    site = string(mapping(info).get("baseUrl"))[:_MAX_WORDS]
    if site:
        check.good(f"the gateway leads to {site}")
    if connection.site_url is None:
        check.open("links to issues cannot be made", f"set site_url to {site or 'the address of the site'}")
    elif site and site.rstrip("/").casefold() != connection.site_url.casefold():
        check.open(
            "site_url is another address than the gateway leads to", "is the cloud id in base_url the right one?"
        )


async def _held(read: Read, *permissions: str) -> Mapping[str, Any]:
    """What Jira says of these permissions; nothing where it does not know one of them, which it answers with 400."""
    try:
        return mapping((await read("mypermissions", permissions=",".join(permissions))).get("permissions"))
    except PermanentAPIError:
        return {}


def _may(held: Mapping[str, Any], permission: str) -> bool | None:
    have = mapping(held.get(permission)).get("havePermission")
    return have if isinstance(have, bool) else None
