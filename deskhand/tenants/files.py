"""The file that tenants are exported to and imported from: JSON, everything but the secrets."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deskhand.tenants.admin import TenantDetails
from deskhand.tenants.errors import TenantError
from plugins.base import MAX_TENANT_ID
from plugins.types import TenantMode, TenantSettings

FORMAT = 1
"""The version of the format."""
WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of a key, not a secret
"""What the webhook secret is called among the secret fields that are given."""

_Id = Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]+$", max_length=MAX_TENANT_ID)]
_Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    # Strict about names: a misspelt setting would be left out without a word.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ExportedTenant(_Part):
    """One tenant without its secrets."""

    tenant: _Id
    tool: str
    mode: TenantMode = TenantMode.LIVE
    active: bool = True
    connection: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    """The plain fields."""
    secret_fields: tuple[str, ...] = ()
    """The names of the secret fields that are set."""
    webhook_secret: bool = True
    """Whether it has a webhook secret."""
    settings: dict[str, Any] = Field(default_factory=dict)

    @pydantic.field_validator("settings")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(value.keys() - TenantSettings.model_fields.keys())
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: there is no such setting")
        TenantSettings.model_validate(value)
        return value

    @property
    def plain_settings(self) -> TenantSettings:
        """Its settings."""
        return TenantSettings.model_validate(self.settings)

    @classmethod
    def of(cls, details: TenantDetails) -> Self:
        """A tenant as it is exported."""
        summary = details.summary
        return cls(
            tenant=summary.id,
            tool=summary.tool,
            mode=summary.mode,
            active=summary.active_until is None,
            connection=dict(details.connection),
            secret_fields=details.secret_fields,
            webhook_secret=bool(details.webhook_secrets),
            settings=details.settings.model_dump(mode="json"),
        )


class Export(_Part):
    """The whole file."""

    deskhand: Literal[1]
    """`FORMAT`."""
    tenants: tuple[ExportedTenant, ...]

    @pydantic.field_validator("tenants")
    @classmethod
    def _once_each(cls, value: tuple[ExportedTenant, ...]) -> tuple[ExportedTenant, ...]:
        names = [tenant.tenant for tenant in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: is there twice")
        return value


_secrets = TypeAdapter(dict[_Id, dict[str, _Text]])


def parse_export(text: str) -> Export:
    """The file's content.

    Raises:
        TenantError: it is not such a file. The message names the place, never the content.
    """
    try:
        return Export.model_validate_json(text)
    except pydantic.ValidationError as error:
        raise TenantError(f"the file: {_first(error)}") from None


def parse_secrets(text: str) -> Mapping[str, Mapping[str, str]]:
    """Secrets by tenant and field; the webhook secret is the field `webhook_secret`.

    Raises:
        TenantError: it is not a JSON object of objects of texts. Nothing of it is quoted.
    """
    try:
        return _secrets.validate_json(text)
    except pydantic.ValidationError:
        # The place of a mistake may be a secret itself, where names and values were mixed up.
        raise TenantError("the secrets: must be one JSON object: tenant, then field, then text") from None


def _first(error: pydantic.ValidationError) -> str:
    found = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, found["loc"]))
    message = found["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
