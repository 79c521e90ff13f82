"""Names of hosts, as `Host` headers and settings have them."""

import ipaddress
import re

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::[0-9]{1,5})?")


def host_name(host: str) -> str | None:
    """The name in `host[:port]`, in the one form in which names are compared; `None` where it holds none.

    Lower case, no trailing dot, IPv6 addresses shortened and without brackets.
    """
    found = _HOST.fullmatch(host.strip().lower())
    if found is None:
        return None
    address, name = found.groups()
    if name is not None:
        return str(name)
    try:
        return ipaddress.IPv6Address(address).compressed
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Whether a name or address means this machine by itself, whatever a name server says."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
