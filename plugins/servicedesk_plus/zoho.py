"""Zoho's accounts, which give ServiceDesk Plus Cloud's access tokens out: which host they are at, and what they refuse.

Zoho lets an application ask for few tokens (ten in ten minutes have been seen), and a token lives for an hour.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TOKEN_PATH = "/oauth/v2/token"  # noqa: S105  # an address, not a secret
TOKEN_KIND = "Zoho-oauthtoken"  # noqa: S105  # the word before the token in the Authorization header

SCOPES = (
    "SDPOnDemand.requests.ALL, or at least SDPOnDemand.requests.READ, .CREATE and .UPDATE, and .DELETE to take a note "
    "back"
)
"""Which of the narrower ones the notes of a request need is not published; ALL has them all."""

_ACCOUNTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "com": "https://accounts.zoho.com",
        "eu": "https://accounts.zoho.eu",
        "in": "https://accounts.zoho.in",
        "com.au": "https://accounts.zoho.com.au",
        "net.au": "https://accounts.zoho.com.au",
        "cn": "https://accounts.zoho.com.cn",
        "com.cn": "https://accounts.zoho.com.cn",
        "jp": "https://accounts.zoho.jp",
        "ca": "https://accounts.zohocloud.ca",
        "sa": "https://accounts.zoho.sa",
        "uk": "https://accounts.zoho.uk",
    }
)
"""By the end of the service's own host: the vendor's page "OAuth 2.0" of the Cloud API v3 and Zoho's page "Multi DC
support", which calls Canada's host zohocloud.ca."""

_SERVICE = re.compile(r"(?:.+\.)?(?:manageengine|manageenginecloud|servicedeskplus)\.(?P<centre>[a-z.]+)")
"""The service's own hosts, such as sdpondemand.manageengine.eu and servicedeskplus.net.au. The end of a host name of
the customer's own says nothing of the data centre."""

_THROTTLED = "Access Denied"
"""What the token address says, with HTTP 400, to an application that asked for too many tokens."""


def accounts_url(host: str) -> str | None:
    """Where the accounts of the data centre are that serves this host; `None` if the host does not tell."""
    service = _SERVICE.fullmatch(host.lower())
    return _ACCOUNTS.get(service["centre"]) if service else None


def is_throttled(refusal: Exception) -> bool:
    """Whether a refusal of the token is about how many were asked for, not about the credentials."""
    return _reason(refusal) == _THROTTLED


def mend_for(refusal: Exception) -> str:
    """What to do about a refusal of the credentials, by Zoho's word for it (pages "Token generation errors")."""
    match _reason(refusal):
        case "invalid_client" | "invalid_client_secret":
            return (
                "give client_id and client_secret as Zoho's API console shows them, and accounts_url if the data "
                "centre is another than that of base_url"
            )
        case "invalid_code" | "invalid_grant" | "invalid_token":
            return f"make a new refresh token in Zoho's API console and give it as refresh_token (scope: {SCOPES})"
        case _:
            return f"look at the client in Zoho's API console, and make a new refresh token (scope: {SCOPES})"


def _reason(refusal: Exception) -> str:
    return str(refusal).rpartition(": ")[2]
