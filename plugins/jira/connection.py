"""What an operator gives to connect a Jira Cloud site."""

import httpx
from pydantic import BaseModel, ConfigDict, Field

from plugins.fields import Address, HeaderToken


class JiraConnection(BaseModel):
    """A Jira Cloud site and the account that writes notes there.

    With `email` the token is sent as Basic, as Atlassian's API tokens need; without it as Bearer (OAuth and service
    accounts).
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    base_url: Address = Field(
        description="The site's address; for scoped tokens https://api.atlassian.com/ex/jira/<cloud id>.",
        examples=["https://example.atlassian.net"],
    )
    email: str | None = Field(
        default=None,
        min_length=3,
        pattern=r"^[^\s:@]+@[^\s:@]+$",
        description="The account's e-mail address. Leave it out for tokens that are sent as Bearer.",
        examples=["deskhand@example.com"],
    )
    api_token: HeaderToken = Field(
        description="The account's API token. Atlassian lets a token live for a year at most.",
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
