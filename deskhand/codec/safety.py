"""Which settings would let anyone read what is sealed: the codec does not start with them."""

import re

import httpx

from deskhand.codec.hosts import host_name, is_loopback
from deskhand.settings import PREFIX, Settings, SettingsError

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def refuse_unsafe(settings: Settings) -> None:
    """Return if the codec may be served with these settings.

    Raises:
        SettingsError: it may not; the message names the setting and the way out.
    """
    _refuse_unusable_issuer(settings)
    _refuse_unusable_names(settings)
    somebody = settings.codec_issuer is not None or settings.codec_token is not None
    if settings.environment == "production":
        if not somebody:
            raise SettingsError(
                "neither DESKHAND_CODEC_ISSUER nor DESKHAND_CODEC_TOKEN is set: in production every caller of the "
                "codec must show who it is"
            )
        if settings.codec_origin is not None and settings.codec_issuer is None:
            raise SettingsError(
                "DESKHAND_CODEC_ORIGIN is set without DESKHAND_CODEC_ISSUER: in production a page in a browser must "
                "bring an access token of its user; DESKHAND_CODEC_TOKEN is for command lines only"
            )
    elif not somebody and not is_loopback(settings.codec_host):
        raise SettingsError(
            "neither DESKHAND_CODEC_ISSUER nor DESKHAND_CODEC_TOKEN is set: without them DESKHAND_CODEC_HOST must be "
            "loopback"
        )


def plain_http_allowed(settings: Settings, url: str) -> bool:
    """Whether an issuer may be asked at this address without TLS: only in development, and on this machine."""
    return settings.environment == "development" and is_loopback(httpx.URL(url).host)


def _refuse_unusable_issuer(settings: Settings) -> None:
    if settings.codec_issuer is None:
        for name in ("codec_jwks_url", "codec_audience", "codec_group"):
            if getattr(settings, name) is not None:
                raise SettingsError(f"{PREFIX}{name.upper()} is set without DESKHAND_CODEC_ISSUER, and means nothing")
        return
    if settings.codec_audience is None:
        raise SettingsError(
            "DESKHAND_CODEC_AUDIENCE is not set: without it a token that the issuer made for any other application "
            "would open tickets"
        )
    for name in ("codec_issuer", "codec_jwks_url"):
        url = getattr(settings, name)
        if url is not None and not _is_safe_url(settings, url):
            raise SettingsError(
                f"{PREFIX}{name.upper()} must be an https address (http only for loopback in development)"
            )


def _is_safe_url(settings: Settings, url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    if not parsed.host:
        return False
    return parsed.scheme == "https" or (parsed.scheme == "http" and plain_http_allowed(settings, url))


def _refuse_unusable_names(settings: Settings) -> None:
    if settings.codec_origin is not None and not _ORIGIN.fullmatch(settings.codec_origin):
        raise SettingsError(
            "DESKHAND_CODEC_ORIGIN must be one origin as browsers write it: scheme, host in lower case, and the port "
            "where it is not the scheme's own; no path and no slash at the end"
        )
    if not settings.codec_host_names and not is_loopback(settings.codec_host):
        raise SettingsError(
            "DESKHAND_CODEC_HOST_NAMES is not set: where DESKHAND_CODEC_HOST is not loopback, it lists the names by "
            "which callers may reach the codec"
        )
    for name in settings.codec_host_names:
        if host_name(name) is None or re.search(r":[0-9]+$", name.rpartition("]")[2]):
            raise SettingsError(
                "DESKHAND_CODEC_HOST_NAMES must hold names or addresses only, without scheme, port, path or wildcard; "
                "an IPv6 address in brackets"
            )
