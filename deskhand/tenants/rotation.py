"""Which webhook secrets a tenant has once it gets another: pure rules."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from plugins.tenants import WebhookSecret

KEPT_PAST_ITS_END = timedelta(days=38)
"""How long a secret is kept that counts no more. A run judges its delivery as of when that was received; it may be
parked for seven days, and retried for as long as Temporal keeps it, 30 days."""


def rotated(
    secrets: Sequence[WebhookSecret], new: SecretStr, now: datetime, keep_old: timedelta
) -> tuple[WebhookSecret, ...]:
    """The secrets with the new one in front. It counts without a beginning: a clock that is behind must not refuse it.

    The others count for `keep_old` more, and none longer than it would have; those that ended long ago are left out.
    """
    end = now + keep_old
    kept = (
        replace(secret, not_after=end) if secret.not_after is None or secret.not_after > end else secret
        for secret in secrets
        if secret.not_after is None or now < secret.not_after + KEPT_PAST_ITS_END
    )
    return (WebhookSecret(new), *kept)


def last_end(secrets: Sequence[WebhookSecret], now: datetime) -> datetime | None:
    """When the last of those that have an end stops to count; `None` where none of them counts now."""
    return max((s.not_after for s in secrets if s.not_after is not None and s.counts_at(now)), default=None)
