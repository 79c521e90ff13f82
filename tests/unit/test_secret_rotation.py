"""Which webhook secrets count before, while and after they are rotated."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from deskhand.tenants.rotation import KEPT_PAST_ITS_END, last_end, rotated
from plugins.tenants import WebhookSecret

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
NEW = SecretStr("new")


def counting(secrets: tuple[WebhookSecret, ...], moment: datetime) -> set[str]:
    return {secret.value.get_secret_value() for secret in secrets if secret.counts_at(moment)}


def secret(value: str, end: datetime | None = None) -> WebhookSecret:
    return WebhookSecret(SecretStr(value), not_after=end)


def test_old_and_new_count_for_a_while_and_then_the_new_alone() -> None:
    secrets = rotated([secret("old")], NEW, NOON, DAY)
    assert counting(secrets, NOON - DAY) == {"old", "new"}, "a clock that is behind refuses nothing"
    assert counting(secrets, NOON) == {"old", "new"}
    assert counting(secrets, NOON + DAY - SECOND) == {"old", "new"}
    assert counting(secrets, NOON + DAY) == {"new"}
    assert last_end(secrets, NOON) == NOON + DAY


def test_a_leaked_secret_ends_at_once_and_still_judges_what_came_before() -> None:
    secrets = rotated([secret("leaked")], NEW, NOON, timedelta())
    assert counting(secrets, NOON) == {"new"}
    assert counting(secrets, NOON - SECOND) == {"leaked", "new"}
    assert last_end(secrets, NOON) is None


def test_a_rotation_never_lengthens_what_was_to_end() -> None:
    secrets = rotated([secret("middle"), secret("oldest", NOON + timedelta(hours=1))], NEW, NOON, DAY)
    assert counting(secrets, NOON + timedelta(hours=1)) == {"new", "middle"}
    shorter = rotated(secrets, SecretStr("newest"), NOON + SECOND, timedelta())
    assert counting(shorter, NOON + SECOND) == {"newest"}


def test_what_ended_is_kept_for_as_long_as_a_run_may_be_parked_and_retried_and_no_longer() -> None:
    assert timedelta(days=7 + 30) < KEPT_PAST_ITS_END
    kept = rotated([secret("ended", NOON - KEPT_PAST_ITS_END + SECOND)], NEW, NOON, DAY)
    assert [s.value.get_secret_value() for s in kept] == ["new", "ended"]
    dropped = rotated([secret("ended", NOON - KEPT_PAST_ITS_END)], NEW, NOON, DAY)
    assert [s.value.get_secret_value() for s in dropped] == ["new"]


def test_a_tenant_without_one_gets_its_first() -> None:
    secrets = rotated([], NEW, NOON, DAY)
    assert counting(secrets, NOON) == {"new"}
    assert last_end(secrets, NOON) is None
