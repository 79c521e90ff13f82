"""Settings of every process, from the environment (`DESKHAND_…`). Temporal's own come from `temporalio.envconfig`."""

import ipaddress
from typing import Annotated, Literal

import pydantic
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from workflows.contracts import TASK_QUEUE

PREFIX = "DESKHAND_"


class SettingsError(Exception):
    """A setting is missing or unusable. The message is one readable line that names it."""


class Settings(BaseSettings):
    """What the environment says. Secrets are `SecretStr`, and errors never quote what was given."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, hide_input_in_errors=True, frozen=True, env_ignore_empty=True)

    environment: Literal["production", "development"] = "production"
    """`development` is for the stack on one's own machine: it alone may list `dev_vendors`."""

    database_url: SecretStr | None = None
    """PostgreSQL as `deskhand_app`, the role of starter and worker."""
    database_owner_url: SecretStr | None = None
    """PostgreSQL as `deskhand_owner`, the role that migrates."""
    database_operator_url: SecretStr | None = None
    """PostgreSQL as `deskhand_operator`, the role of the command line."""
    database_pool_size: int = Field(default=10, ge=1)
    statement_cache_size: int = Field(default=100, ge=0)
    """Prepared statements kept per connection; 0 behind a pooler that shares connections between transactions."""

    credential_keys: SecretStr | None = None
    """Keyring that opens API credentials: worker and command line only, never the starter."""
    payload_keys: SecretStr | None = None
    """Keyring for webhook secrets, spool and Temporal payloads: every process."""
    credential_keys_file: str | None = None
    """A file that holds the credential keys, in place of the variable: it is followed while the process runs."""
    payload_keys_file: str | None = None
    """A file that holds the payload keys, in place of the variable: it is followed while the process runs."""

    task_queue: str = TASK_QUEUE

    starter_host: str = "127.0.0.1"
    starter_port: int = Field(default=8080, ge=0, le=65535)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=1_400_000)
    """Bytes that a webhook's body may have. Base64 makes it a third larger, and Temporal takes no payload over 2 MB."""
    receive_seconds: float = Field(default=10.0, gt=0, le=600)
    """Seconds within which a request's head must have arrived, and then its body: slower senders get 408."""
    max_in_flight: int = Field(default=200, ge=1)
    """Webhooks that one starter handles at once, each with its body in memory; more get 503 and `Retry-After`."""
    spool_max_per_tenant: int = Field(default=10_000, ge=1)
    """Orders of one tenant that may wait in the database while Temporal is down; more get 503 and `Retry-After`."""

    worker_host: str = "127.0.0.1"
    worker_port: int | None = Field(default=None, ge=1, le=65535)
    """Where a worker answers `/healthz` and `/readyz`; nowhere by default."""

    codec_host: str = "127.0.0.1"
    codec_port: int = Field(default=8081, ge=0, le=65535)
    codec_host_names: Annotated[frozenset[str], NoDecode] = frozenset()
    """Names by which callers reach the codec, without scheme or port; needed where it does not listen on loopback."""
    codec_token: SecretStr | None = None
    """A bearer token by which command lines may call the codec; pages in a browser never may with it."""
    codec_origin: str | None = None
    """The one browser origin that may call the codec: the Temporal UI's."""
    codec_issuer: str | None = None
    """Who issues the access tokens of the Temporal UI, as their `iss` says; its keys are found through it (OIDC)."""
    codec_jwks_url: str | None = None
    """Where the issuer's keys are, for one that does not say so by itself (OpenID Connect discovery)."""
    codec_audience: str | None = None
    """What the `aud` of an access token must name; needed with `codec_issuer`."""
    codec_group: str | None = None
    """The group that a caller must be in, where not everyone with a token for `codec_audience` may read tickets."""
    codec_groups_claim: str = Field(default="groups", min_length=1)
    """The claim that lists a caller's groups: a list, or a text with blanks or commas between them."""
    codec_max_in_flight: int = Field(default=200, ge=1)
    """Requests that the codec handles at once; more get 503 and `Retry-After`."""

    public_url: str = "http://127.0.0.1:8080"
    """Where the vendors reach the starter; only for showing webhook addresses."""
    temporal_ui_url: str | None = None
    """Where people open the Temporal UI; only for showing links to runs. None shows no links."""

    dev_vendors: Annotated[frozenset[str], NoDecode] = frozenset()
    """Exact `host:port` of pretend tools that may be loopback and plain http. Development only."""

    metrics_address: str | None = None
    """Where this process serves its metrics for Prometheus, `host:port`, the host as a number; nowhere by default."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "readable"] = "json"

    @field_validator("codec_host_names", "dev_vendors", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("metrics_address")
    @classmethod
    def _require_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, _, port = value.rpartition(":")
        try:
            ipaddress.ip_address(host[1:-1] if host.startswith("[") else host)
        except ValueError:
            port = ""
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
            raise ValueError("must read host:port, the host a number such as 127.0.0.1")
        return value

    @model_validator(mode="after")
    def _refuse_dev_vendors_in_production(self) -> "Settings":
        if self.dev_vendors and self.environment == "production":
            raise ValueError(
                "DESKHAND_DEV_VENDORS lets connections go to loopback in plain text: "
                "it needs DESKHAND_ENVIRONMENT=development"
            )
        return self

    def secret(self, name: str) -> str:
        """The value of a secret setting that this process cannot do without.

        Raises:
            SettingsError: it is not set.
        """
        value = getattr(self, name)
        if value is None:
            raise SettingsError(f"{PREFIX}{name.upper()} is not set")
        return str(value.get_secret_value())


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: one line that names every unusable setting.
    """
    try:
        return Settings()
    except pydantic.ValidationError as error:
        problems = [
            f"{PREFIX}{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            if problem["loc"]
            else problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("; ".join(problems)) from None
