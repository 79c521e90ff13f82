from datetime import UTC, datetime

import pytest

from plugins.exceptions import ValidationError
from plugins.payload import rebuild, signed_bytes
from plugins.types import TenantSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = TenantSettings(language="german")


def test_the_tenant_is_put_in_and_the_signed_bytes_stay_as_they_were() -> None:
    payload = rebuild(b'{"a": 1}', "acme", NOW, SETTINGS)
    assert payload == {"a": 1, "tenant_id": "acme"}
    assert signed_bytes(payload) == payload.raw == b'{"a": 1}'
    assert (payload.received_at, payload.settings) == (NOW, SETTINGS)


def test_a_body_may_name_its_own_tenant() -> None:
    assert rebuild(b'{"tenant_id":"acme"}', "acme", NOW, SETTINGS) == {"tenant_id": "acme"}


@pytest.mark.parametrize("named", ['"other"', '"ACME"', '""', "7", '["acme"]'])
def test_a_body_that_names_another_is_refused(named: str) -> None:
    with pytest.raises(ValidationError, match="tenant_id"):
        rebuild(f'{{"tenant_id":{named}}}'.encode(), "acme", NOW, SETTINGS)


def test_a_body_that_does_not_parse_is_refused() -> None:
    with pytest.raises(ValidationError, match="body"):
        rebuild(b"[]", "acme", NOW, SETTINGS)
