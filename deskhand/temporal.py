"""How our processes reach Temporal: `TEMPORAL_…` in the environment, or the configuration file that it names."""

import re

import structlog
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError, TLSConfig

from deskhand.settings import SettingsError
from workflows.contracts import RESUMED_PER_SECOND, resumed_queue

DEFAULT_ADDRESS = "localhost:7233"

log = structlog.get_logger(__name__)

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


async def bound_resumed(client: Client, task_queue: str) -> None:
    """Have Temporal hand out the attempts of resumed runs at `RESUMED_PER_SECOND` for each tenant, its fairness key.

    The server keeps it. One that cannot (it needs `matching.enableFairness`) is no reason not to work: it is logged.
    """
    limit = UpdateTaskQueueConfigRequest.RateLimitUpdate(
        rate_limit=RateLimit(requests_per_second=RESUMED_PER_SECOND), reason="a vendor that has just recovered"
    )
    try:
        await client.workflow_service.update_task_queue_config(
            UpdateTaskQueueConfigRequest(
                namespace=client.namespace,
                identity=client.identity,
                task_queue=resumed_queue(task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                update_fairness_key_rate_limit_default=limit,
            )
        )
    except RPCError as error:
        log.warning("resumed.not_bounded", status=error.status.name, why=error.message[:200])
