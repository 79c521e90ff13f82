"""Jira's REST API v3: how a tenant's requests are made there, and what refusals mean that are not about one alone."""

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import quote

import httpx

from plugins.exceptions import AuthenticationError, ConfigurationError, RateLimitError
from plugins.http import HttpPlugin, json_or_none
from plugins.jira import refusals
from plugins.jira.connection import CLOUD_ID_PAGE, JiraConnection
from plugins.jira.values import checked_key

API = "/rest/api/3"

IN_ENGLISH = {"Accept-Language": "en", "X-Force-Accept-Language": "true"}
"""Only in words does Jira say why it takes no comment: in the account's own language, unless it is forced."""


class JiraApi(HttpPlugin):
    """What of the plugin knows the API's addresses, credentials and refusals, and nothing of notes."""

    async def issue(self, tenant_id: str, ticket_id: str, fields: str) -> dict[str, Any] | None:
        """The issue's JSON with these fields; `None` if it is not there, or is not for this account to see."""
        response = await self.call(tenant_id, "GET", issue_path(ticket_id), params={"fields": fields})
        return None if self.missing(tenant_id, response) else self.answer(response)

    async def read(self, tenant_id: str, path: str, **params: str) -> dict[str, Any]:
        """The JSON object that a GET of this path of the API gives.

        Raises:
            ConfigurationError: what answers is not Jira's API.
        """
        response = await self.call(tenant_id, "GET", f"{API}/{path}", params=params)
        no_object = response.is_success and not isinstance(json_or_none(response), dict)
        if no_object or self.missing(tenant_id, response):
            raise self.no_jira(tenant_id, response)
        return self.answer(response)

    async def call(
        self,
        tenant_id: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
    ) -> httpx.Response:
        """Send one request and return whatever Jira answered, of any status.

        Raises:
            APIError: nothing reached Jira, or a read had no whole answer.
            OutcomeUnknownError: a write left and no whole answer came.
            AuthenticationError: Jira took us for a stranger.
        """
        connection = await self.connection(tenant_id, JiraConnection)
        reads = method == "GET"
        response = await self.send(
            tenant_id,
            method,
            connection.base_url + path,
            headers=connection.headers() | ({} if reads else IN_ENGLISH),
            params=params,
            json_body=json_body,
            auth=connection.authorization(),
        )
        # A write that went through as a stranger's must be looked at like any other: it may have come out public.
        if refusals.login_failed(response) and (reads or not response.is_success):
            raise AuthenticationError(
                f"{self.tool_type} answered {response.status_code}, and as to a stranger: it does not accept the "
                "token (was it revoked, or has it expired?)"
            )
        return response

    def missing(self, tenant_id: str, response: httpx.Response) -> bool:
        """Whether Jira says that the issue or comment is not there, or is not for this account to see.

        Raises:
            ConfigurationError: it is not Jira that says so: the address is no site, or the cloud id no site's.
        """
        if response.status_code == 404 and not refusals.is_jiras(response):
            raise self.no_jira(tenant_id, response)
        return response.status_code == 404

    def no_jira(self, tenant_id: str, response: httpx.Response) -> ConfigurationError:
        """The error for an answer that is not of Jira's API."""
        return ConfigurationError(
            f"tenant {tenant_id}: base_url: answered {response.status_code}, and not as Jira's API does: give the "
            "address of the site, or the gateway's with the cloud id that stands at "
            f"https://<site>.atlassian.net{CLOUD_ID_PAGE}"
        )

    def answer(self, response: httpx.Response) -> dict[str, Any]:
        """The body of a success, as a JSON object; what any other answer means is raised."""
        if not response.is_success:
            self.refuse(response, self.error_words(response))
        return self.json_object(response)

    def error_words(self, response: httpx.Response) -> str:
        """Jira's own words, and what helps to understand them."""
        words = refusals.words(response)
        if response.status_code == 401:
            words += f" ({refusals.TOKEN_SCOPES if 'scope' in words else refusals.TOKEN_REFUSED})"
        if response.status_code == 503 and (pause := refusals.pause_seconds(response)) is not None:
            words += f" (asks to wait {pause} s)"
        return words.strip()

    def refuse(self, response: httpx.Response, words: str = "") -> NoReturn:
        """Raise what a response that is not a success means; a rate limit with its name and Jira's own times."""
        if response.status_code == 429:
            said = ": ".join(filter(None, ("429", refusals.rate_limit_reason(response), words)))
            raise RateLimitError(f"{self.tool_type} answered {said}", retry_after=refusals.pause_seconds(response))
        super().refuse(response, words)


def issue_path(ticket_id: str) -> str:
    """The issue's path behind `base_url`.

    Raises:
        ValidationError: the id is no issue key.
    """
    return f"{API}/issue/{quote(checked_key(ticket_id), safe='')}"
