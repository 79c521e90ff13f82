"""What an operator gives to connect a Jira Cloud site."""

import re
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from plugins.fields import Address, HeaderToken

GATEWAY_HOST = "api.atlassian.com"
_GATEWAY_PATH = re.compile(r"/ex/jira/[A-Za-z0-9-]{1,64}")

CLOUD_ID_PAGE = "/_edge/tenant_info"
"""Where a site tells everybody its cloud id, as JSON."""


def _bare(address: str) -> str:
    if urlsplit(address).path:
        raise ValueError("must be the bare address, without a path, such as https://acme.atlassian.net")
    return address


def _site_or_gateway(address: str) -> str:
    parts = urlsplit(address)
    if _GATEWAY_PATH.fullmatch(parts.path) or (not parts.path and parts.hostname != GATEWAY_HOST):
        return address
    raise ValueError(
        "must be the site's bare address such as https://acme.atlassian.net, or "
        f"https://{GATEWAY_HOST}/ex/jira/<cloud id> with nothing behind it"
    )


class JiraConnection(BaseModel):
    """A Jira Cloud site and the account that writes notes there.

    | token | `base_url` | `email` |
    |---|---|---|
    | classic API token | the site | the account's |
    | API token with scopes | the gateway | the account's |
    | OAuth access token, service account's token | the gateway | left out |

    With `email` the token is sent as Basic, without it as Bearer. Scopes that a token needs: `read:jira-work`,
    `write:jira-work` and, for `deskhand plugins check`, `read:jira-user`.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    base_url: Annotated[Address, AfterValidator(_site_or_gateway)] = Field(
        description="The site's address, for a classic API token. For a token with scopes, or one that is sent as "
        f"Bearer, the gateway's: https://{GATEWAY_HOST}/ex/jira/<cloud id>. The cloud id of a site stands at "
        f"https://<site>.atlassian.net{CLOUD_ID_PAGE}.",
        examples=[
            "https://acme.atlassian.net",
            f"https://{GATEWAY_HOST}/ex/jira/11223344-a1b2-3c33-d4d4-1234567890ab",
        ],
    )
    site_url: Annotated[Address, AfterValidator(_bare)] | None = Field(
        default=None,
        description="The site's address where base_url is the gateway's, for links that a technician can open: the "
        "gateway does not say it. Without it a note about a similar issue names the issue and does not link to it.",
        examples=["https://acme.atlassian.net"],
    )
    email: str | None = Field(
        default=None,
        min_length=3,
        pattern=r"^[^\s:@]+@[^\s:@]+$",
        description="The e-mail address of the account whose API token it is. Leave it out for a token that is sent "
        "as Bearer: OAuth's, a service account's.",
        examples=["deskhand@acme.example"],
    )
    api_token: HeaderToken = Field(
        description="The account's token. Atlassian lets an API token live for a year at most: note when it ends.",
    )
    visibility_role: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Project role that may read notes, in projects that are no service projects. The account must be "
        "in it. Notes in service projects are internal comments and need no role.",
        examples=["Administrators"],
    )
    allow_project_visible: bool = Field(
        default=False,
        description="In projects that are no service projects, and without a visibility_role: accept that everyone "
        "who may see the project reads the notes.",
    )

    @property
    def through_gateway(self) -> bool:
        """Whether requests go through Atlassian's gateway and not to the site itself."""
        return bool(urlsplit(self.base_url).path)

    @property
    def site(self) -> str | None:
        """Where a technician opens issues; `None` where only the gateway is known."""
        return self.site_url or (None if self.through_gateway else self.base_url)

    def authorization(self) -> httpx.Auth | None:
        """Basic, where an e-mail address is given."""
        if self.email is None:
            return None
        return httpx.BasicAuth(self.email, self.api_token.get_secret_value())

    def headers(self) -> dict[str, str]:
        """The headers of every request; the token as Bearer where no e-mail address is given."""
        headers = {"Accept": "application/json"}
        if self.email is None:
            headers["Authorization"] = f"Bearer {self.api_token.get_secret_value()}"
        return headers
