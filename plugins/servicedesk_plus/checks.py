"""What a check of a ServiceDesk Plus connection tries, and what an operator can do about what it finds.

The API has no way to ask who we are, nor whether we may add a note, short of adding one: the check says so.
"""

import httpx

from plugins.checking import Check
from plugins.exceptions import AuthenticationError, PluginError
from plugins.http import json_or_none
from plugins.servicedesk_plus import answers, zoho
from plugins.servicedesk_plus.answers import Answer
from plugins.servicedesk_plus.api import ServiceDeskPlusApi, compact
from plugins.servicedesk_plus.connection import ServiceDeskPlusConnection
from plugins.types import ConnectionReport

_NEW_KEY = "give another api_key: generate one for the technician in ServiceDesk Plus's list of technicians"
_WRONG_TOKEN = (
    "are base_url and accounts_url of one data centre, and is whoever made refresh_token a technician of this portal? "
    f"Else make a new refresh token (scope: {zoho.SCOPES})"
)
_WRONG_ADDRESS = (
    "give as base_url the address of ServiceDesk Plus itself, before /api/v3; in Cloud and newer "
    "installations with /app/<portal> at its end, spelt as in the browser's address"
)


async def check_connection(api: ServiceDeskPlusApi, tenant_id: str) -> ConnectionReport:
    """Ask for a token where one is needed, then list one request."""
    check = Check()
    connection = await check.attempt(api.connection(tenant_id, ServiceDeskPlusConnection))
    if connection is None or (connection.cloud and not await _gets_token(check, api, tenant_id, connection)):
        return check.report()
    params = {"input_data": compact({"list_info": {"row_count": 1}})}
    response = await check.attempt(
        api.call(tenant_id, connection, "GET", connection.url(), params=params),
        refused=_WRONG_TOKEN if connection.cloud else _NEW_KEY,
    )
    if response is None or not _reads(check, api, connection, response):
        return check.report()
    _not_asked(check, connection, (await api.tenant(tenant_id)).settings.own_account_id)
    return check.report()


async def _gets_token(
    check: Check, api: ServiceDeskPlusApi, tenant_id: str, connection: ServiceDeskPlusConnection
) -> bool:
    async def ask() -> AuthenticationError | str:
        try:
            return await api.access(tenant_id, connection)
        except AuthenticationError as refusal:
            return refusal

    answer = await check.attempt(ask())
    if isinstance(answer, AuthenticationError):
        check.bad(str(answer), zoho.mend_for(answer))
    elif answer is not None:
        check.good("Zoho gives access tokens out for this client and refresh token")
    return isinstance(answer, str)


def _reads(
    check: Check, api: ServiceDeskPlusApi, connection: ServiceDeskPlusConnection, response: httpx.Response
) -> bool:
    """Whether the answer lists requests; what it says otherwise is a finding."""
    answer = Answer.of(response)
    said = f"ServiceDesk Plus answered {answer.http_status}" + (f" ({answer.reason})" if answer.reason else "")
    if answer.refuses_credentials:
        if connection.cloud:
            check.bad(f"{said}: it does not accept Zoho's access token", _WRONG_TOKEN)
        else:
            check.bad(f"{said}: it does not accept the API key", _NEW_KEY)
    elif answer.code == answers.NOT_ALLOWED or answer.http_status == 403:
        check.bad(f"{said}: the account may not list requests", _rights(connection, "to view requests"))
    elif answer.not_found:
        named = "" if connection.resource_path == "requests" else "; is resource_path right?"
        check.bad(f"{said}: there is no {connection.url()}", _WRONG_ADDRESS + named)
    elif answer.http_status < 500 and not isinstance(json_or_none(response), dict):
        check.bad(f"{said} with a page and not as the API does", _WRONG_ADDRESS)
    else:
        try:
            api.body(response, answer)
        except PluginError as error:
            check.failed(error)
        else:
            check.good("ServiceDesk Plus accepts the credentials and lists requests")
            return True
    return False


def _not_asked(check: Check, connection: ServiceDeskPlusConnection, own_account_id: str | None) -> None:
    if own_account_id is None:
        check.open(
            "ServiceDesk Plus cannot be asked who we are, so events that our own notes cause are not recognised",
            "set own_account_id to the technician's id if your webhooks tell of updates too",
        )
    else:
        check.open("ServiceDesk Plus cannot be asked who we are, so own_account_id was not checked")
    check.open(
        "whether notes may be added and removed cannot be asked without adding one",
        _rights(connection, "to add notes to requests, and to delete its own"),
    )


def _rights(connection: ServiceDeskPlusConnection, what: str) -> str:
    scope = f", and the refresh token the scope {zoho.SCOPES}" if connection.cloud else ""
    return f"the technician's role needs the right {what}{scope}"
