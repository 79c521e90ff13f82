"""What an operator gives to connect a ServiceDesk Plus tenant."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from plugins.fields import Address, HeaderToken

MEDIA_TYPE = "application/vnd.manageengine.sdp.v3+json"
"""What every call must accept: an older schema may be served otherwise (ServiceDesk Plus API v3)."""


def _before_the_api(address: str) -> str:
    if "/api/" in f"{urlsplit(address).path}/":
        raise ValueError("must end before /api/v3")
    return address


class ServiceDeskPlusConnection(BaseModel):
    """A technician's API key, and where the installation answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    base_url: Annotated[Address, AfterValidator(_before_the_api)] = Field(
        description="The address of the installation; newer ones need /app/<portal> at its end.",
        examples=["https://helpdesk.acme.example:8080", "https://helpdesk.acme.example/app/itdesk"],
    )
    api_key: HeaderToken = Field(description="The API key of the technician under whose name the notes appear.")
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
