"""What an operator gives to connect a ServiceDesk Plus tenant."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from plugins.fields import Address, HeaderToken
from plugins.servicedesk_plus import zoho

MEDIA_TYPE = "application/vnd.manageengine.sdp.v3+json"
"""What every call must accept: an older schema may be served otherwise (ServiceDesk Plus API v3)."""

NoteRoot = Literal["note", "request_note"]

_PORTAL = re.compile(r"/app/[^/]+$")
_CREDENTIALS = (
    "give either api_key (on-premises, MSP) or client_id, client_secret and refresh_token (Cloud, Zoho OAuth)"
)


def _before_the_api(address: str) -> str:
    if "/api/" in f"{urlsplit(address).path}/":
        raise ValueError("must end before /api/v3")
    return address


def _bare(address: str) -> str:
    if urlsplit(address).path:
        raise ValueError("must be the bare address, without a path")
    return address


class ServiceDeskPlusConnection(BaseModel):
    """Where ServiceDesk Plus answers, and what with: a technician's API key, or Zoho OAuth for Cloud.

    | edition | `base_url` | credentials |
    |---|---|---|
    | on-premises, MSP | the installation, of newer ones with `/app/<portal>` | `api_key` |
    | Cloud | `https://<domain>/app/<portal>` | `client_id`, `client_secret`, `refresh_token` |
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    base_url: Annotated[Address, AfterValidator(_before_the_api)] = Field(
        description="The address of the installation. Cloud needs /app/<portal> at its end, and newer installations "
        "may.",
        examples=["https://helpdesk.acme.example:8080", "https://sdpondemand.manageengine.eu/app/itdesk"],
    )
    api_key: HeaderToken | None = Field(
        default=None,
        description="On-premises and MSP: the API key of the technician under whose name the notes appear.",
    )
    client_id: str | None = Field(
        default=None,
        min_length=1,
        description="Cloud: the id of a client (a self client will do) in Zoho's API console.",
        examples=["1000.ABCDEFGHIJKLMNOPQRSTUVWXYZ1234"],
    )
    client_secret: HeaderToken | None = Field(default=None, description="Cloud: the client's secret.")
    refresh_token: HeaderToken | None = Field(
        default=None,
        description="Cloud: a refresh token of that client, made by the technician under whose name the notes appear. "
        f"Its scope: {zoho.SCOPES}.",
    )
    accounts_url: Annotated[Address, AfterValidator(_bare)] | None = Field(
        default=None,
        description="Cloud: the accounts host of your data centre. Needed only where base_url is a host name of your "
        "own, which does not say the data centre.",
        examples=["https://accounts.zoho.com", "https://accounts.zoho.eu"],
    )
    resource_path: str = Field(
        default="requests",
        pattern=r"^[a-z_]+$",
        description="What the API calls a ticket. `requests` is ServiceDesk Plus's own name.",
        examples=["requests", "tickets"],
    )
    note_root: NoteRoot | None = Field(
        default=None,
        description="The key around a note in the API: `note` on-premises and `request_note` in Cloud, unless given. "
        "Older installations want `request_note`; the wrong one costs one request more for each note.",
        examples=["note", "request_note"],
    )

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> Self:
        oauth = {name: getattr(self, name) for name in ("client_id", "client_secret", "refresh_token")}
        given = [name for name, value in oauth.items() if value is not None]
        missing = [name for name, value in oauth.items() if value is None]
        if self.api_key is not None and (given or self.accounts_url):
            raise ValueError(f"api_key: is given beside {', '.join(given) or 'accounts_url'}; {_CREDENTIALS}")
        if self.api_key is None and not given:
            raise ValueError(f"api_key: is missing; {_CREDENTIALS}")
        if given and missing:
            raise ValueError(f"{', '.join(missing)}: is missing; {_CREDENTIALS}")
        if given and self._accounts is None:
            raise ValueError(
                "accounts_url: must be given, since the host of base_url does not say the data centre; "
                "for Europe's it is https://accounts.zoho.eu"
            )
        return self

    @property
    def cloud(self) -> bool:
        """Whether it is ServiceDesk Plus Cloud."""
        return self.api_key is None

    @property
    def headers(self) -> Mapping[str, str]:
        """Media type and key. The key goes by both its names: v3 reads `authtoken`, the rest `TECHNICIAN_KEY`."""
        if self.api_key is None:
            return {"Accept": MEDIA_TYPE}
        key = self.api_key.get_secret_value()
        return {"Accept": MEDIA_TYPE, "authtoken": key, "TECHNICIAN_KEY": key}

    @property
    def token_url(self) -> str:
        """Where Cloud's access tokens are given out."""
        return f"{self._accounts}{zoho.TOKEN_PATH}"

    @property
    def token_request(self) -> Mapping[str, str]:
        """The form that asks for an access token. It holds secrets."""
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id or "",
            "client_secret": self.client_secret.get_secret_value() if self.client_secret else "",
            "refresh_token": self.refresh_token.get_secret_value() if self.refresh_token else "",
        }

    @property
    def note_roots(self) -> tuple[NoteRoot, NoteRoot]:
        """The key around a note to try first, and the other."""
        first = self.note_root or ("request_note" if self.cloud else "note")
        return ("note", "request_note") if first == "note" else ("request_note", "note")

    def url(self, *path: str) -> str:
        """The address of a resource under the tickets' collection."""
        return "/".join((self.base_url, "api/v3", self.resource_path, *path))

    def technician_url(self, ticket_id: str) -> str:
        """Where a technician opens the ticket in a browser."""
        if self.cloud:
            return f"{self.base_url}/ui/requests/{ticket_id}/details"
        # On-premises it is outside the portals, and finds the ticket's own.
        return f"{_PORTAL.sub('', self.base_url)}/WorkOrder.do?woMode=viewWO&woID={ticket_id}"

    @property
    def _accounts(self) -> str | None:
        return self.accounts_url or zoho.accounts_url(urlsplit(self.base_url).hostname or "")
