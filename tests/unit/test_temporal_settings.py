from pathlib import Path

import pytest

from deskhand.settings import SettingsError
from deskhand.temporal import connect_config


@pytest.fixture(autouse=True)
def _no_settings_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "temporal.toml"))
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_it_is_the_local_server() -> None:
    assert connect_config() == {"target_host": "localhost:7233"}


@pytest.mark.parametrize("address", ["temporal.internal:7233", "10.0.0.6:1", "[::1]:7233"])
def test_what_is_set_is_taken(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "desk")
    assert connect_config() == {"target_host": address, "namespace": "desk"}


@pytest.mark.parametrize("address", ["localhost", "http://localhost:7233", "local host:7233", "a:hunter2", "a:70000"])
def test_an_address_must_be_host_and_port(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    with pytest.raises(SettingsError, match=r"^TEMPORAL_ADDRESS: must read host:port$"):
        connect_config()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TEMPORAL_PROFILE", "nosuch", "Profile 'nosuch' not found"),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", "/nosuch.pem", "/nosuch.pem"),
        ("TEMPORAL_TLS_CLIENT_CERT_DATA", "a certificate without its key", "go together"),
    ],
)
def test_an_unusable_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"^TEMPORAL_") as caught:
        connect_config()
    assert says in str(caught.value)


def test_a_broken_file_is_one_line_that_quotes_nothing(tmp_path: Path) -> None:
    (tmp_path / "temporal.toml").write_text('[profile.default]\napi_key = "hunter2\n')
    with pytest.raises(SettingsError) as caught:
        connect_config()
    assert str(caught.value) == "TEMPORAL_…: Configuration loading error: TOML parse error at line 2, column 19"
