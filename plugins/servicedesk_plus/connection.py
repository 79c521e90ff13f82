"""What an operator gives to connect a ServiceDesk Plus tenant."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

MEDIA_TYPE = "application/vnd.manageengine.sdp.v3+json"
"""What every call must accept: an older schema may be served otherwise (ServiceDesk Plus API v3)."""


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be an address such as https://helpdesk.acme.example:8080")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an address without user name, query or fragment")
    if "/api/" in f"{parts.path}/":
        raise ValueError("must end before /api/v3")
    return value.rstrip("/")


def _header_safe(key: SecretStr) -> SecretStr:
    value = key.get_secret_value()
    # Anything else would fail inside the HTTP library, whose error quotes the header: the key.
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be printable ASCII without spaces: was it copied whole, and nothing else?")
    return key


class ServiceDeskPlusConnection(BaseModel):
    """A technician's API key, and where the installation answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    base_url: Annotated[str, AfterValidator(_address)] = Field(
        description="The address of the installation; newer ones need /app/<portal> at its end.",
        examples=["https://helpdesk.acme.example:8080", "https://helpdesk.acme.example/app/itdesk"],
    )
    api_key: Annotated[SecretStr, AfterValidator(_header_safe)] = Field(
        description="The API key of the technician under whose name the notes appear."
    )
    resource_path: str = Field(
        default="requests",
        pattern=r"^[a-z_]+$",
        description="What the API calls a ticket. `requests` is ServiceDesk Plus's own name.",
    )
    note_root: Literal["note", "request_note"] = Field(
        default="note",
        description="The key around a note in the API. "
        "Older versions want `request_note`; the wrong one costs one request more.",
    )

    @property
    def headers(self) -> Mapping[str, str]:
        """Media type and key. The key goes by both its names: v3 reads `authtoken`, the rest `TECHNICIAN_KEY`."""
        key = self.api_key.get_secret_value()
        return {"Accept": MEDIA_TYPE, "authtoken": key, "TECHNICIAN_KEY": key}

    def url(self, *path: str) -> str:
        """The address of a resource under the tickets' collection."""
        return "/".join((self.base_url, "api/v3", self.resource_path, *path))

    def technician_url(self, ticket_id: str) -> str:
        """Where a technician opens the ticket in a browser."""
        return f"{self.base_url}/WorkOrder.do?woMode=viewWO&woID={ticket_id}"
