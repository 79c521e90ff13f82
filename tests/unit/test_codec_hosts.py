import pytest

from deskhand.codec.hosts import host_name, is_loopback


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("codec.example.com", "codec.example.com"),
        ("Codec.Example.COM:8443", "codec.example.com"),
        ("codec.example.com.", "codec.example.com"),
        ("codec.example.com.:443", "codec.example.com"),
        ("127.0.0.1:8081", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]:8081", "::1"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
    ],
)
def test_a_host_has_one_form(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        ".",
        ":8081",
        "a..b",
        "a b",
        "a@b",
        "a/b",
        "a,b",
        "a:b",
        "a:1:2",
        "::1",
        "[::1",
        "[1.2.3.4]",
        "[:::]",
        "é",
    ],
)
def test_what_names_no_host_has_none(host: str) -> None:
    assert host_name(host) is None


def test_loopback() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.8.0.1", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "::", "localhost.example", "127.0.0.1.example")))  # noqa: S104 - the case under test
