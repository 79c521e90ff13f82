"""How our processes reach Temporal: `TEMPORAL_…` in the environment, or the configuration file that it names."""

import re

from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import TLSConfig

from deskhand.settings import SettingsError

DEFAULT_ADDRESS = "localhost:7233"

_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+):([0-9]{1,5})")


def connect_config() -> ClientConnectConfig:
    """The arguments for `Client.connect`. `target_host` is always there, as `host:port`.

    Raises:
        SettingsError: a setting, or what it names, is unusable.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except (RuntimeError, OSError) as error:
        # What follows the first line quotes the configuration file, where an API key may stand.
        raise SettingsError(f"TEMPORAL_…: {str(error).splitlines()[0]}") from None
    address = _ADDRESS.fullmatch(config.setdefault("target_host", DEFAULT_ADDRESS))
    if address is None or int(address[1]) > 65535:
        raise SettingsError("TEMPORAL_ADDRESS: must read host:port")
    tls = config.get("tls")
    if isinstance(tls, TLSConfig) and (tls.client_cert is None) != (tls.client_private_key is None):
        raise SettingsError("TEMPORAL_TLS_CLIENT_…: a client's certificate and its key go together")
    return config
