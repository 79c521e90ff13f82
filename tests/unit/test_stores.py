import pytest

from deskhand.settings import SettingsError
from deskhand.stores import own_stores


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("postgresql://app:pw@db.internal:5433/deskhand", {"db.internal:5433"}),
        ("postgres://app:p%40w@10.0.0.5/deskhand", {"10.0.0.5:5432"}),
        ("postgresql://app:pw@[fd00::5]:5433/deskhand", {"fd00::5:5433"}),
        ("postgresql://app:pw@one:5433,two/deskhand?target_session_attrs=primary", {"one:5433", "two:5432"}),
        ("postgresql://db.internal/deskhand", {"db.internal:5432"}),
    ],
)
def test_the_addresses_of_our_own_stores(url: str, database: set[str]) -> None:
    assert own_stores(url, {"target_host": "temporal:7233"}) == database | {"temporal:7233"}


def test_temporals_brackets_are_taken_off() -> None:
    assert "::1:7233" in own_stores("postgresql://app:pw@db/deskhand", {"target_host": "[::1]:7233"})


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "mysql://app:hunter2@db/deskhand",
        "postgresql://app:hunter2/x@db:5432/deskhand",
        "postgresql://app:1234/hunter2@db:5432/deskhand",
        "postgresql://app:1234#hunter2@db:5432/deskhand",
        "postgresql://app:1234?hunter2@db:5432/deskhand",
        "postgresql://app:x@hunter2@db:5432/deskhand",
        "postgresql://app:hunter2[@db:5432/deskhand",
        "postgresql://app:hunter2\u2100@db:5432/deskhand",
        "postgresql://app:hunter2@db:99999/deskhand",
        "postgresql://app:hunter2@/deskhand",
        "postgresql://app:hunter2@one,,two/deskhand",
    ],
)
def test_an_unusable_address_is_refused_unquoted(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DESKHAND_DATABASE_URL: the address is unusable: .*$") as caught:
        own_stores(url, {"target_host": "temporal:7233"})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None
