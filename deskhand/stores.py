"""Where our own stores are, for the HTTP client that must never lead a plugin there."""

from urllib.parse import urlsplit

from temporalio.envconfig import ClientConnectConfig

from deskhand.settings import SettingsError


def own_stores(database_url: str, temporal: ClientConnectConfig) -> frozenset[str]:
    """`host:port` of PostgreSQL and Temporal, as `create_http_client` takes them. IPv6 addresses have no brackets.

    Raises:
        SettingsError: the database's address is unusable. No piece of it is quoted.
    """
    target = temporal["target_host"].replace("[", "").replace("]", "")
    return _database_addresses(database_url) | {target}


def _database_addresses(url: str) -> frozenset[str]:
    try:
        parts = urlsplit(url)
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]  # several: a cluster's
        addresses = frozenset(f"{host.hostname}:{host.port or 5432}" for host in hosts)
    except ValueError:
        usable = False
    else:
        # Any other `@` belongs to a password that was not escaped, and some of that was taken for the host.
        escaped = url.count("@") == parts.netloc.count("@") <= 1
        usable = parts.scheme in ("postgresql", "postgres") and escaped and all(host.hostname for host in hosts)
    if not usable:
        # Outside the `except`: the standard library's error, which quotes the password, must not be this one's context.
        raise SettingsError(
            "DESKHAND_DATABASE_URL: the address is unusable: it must read "
            "postgresql://user:password@host:port/database, with %-escapes for special characters in the password"
        )
    return addresses
