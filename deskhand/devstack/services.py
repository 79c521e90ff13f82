"""Deskhand's own processes and the pretend tools: what each runs, with exactly the environment that it needs."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import httpx

from deskhand.devstack import temporal
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.devstack.process import ProcessSpec
from deskhand.devstack.state import State
from workflows.contracts import TASK_QUEUE

CODEC, PRETEND, STARTER, WORKER = "codec", "pretend", "starter", "worker"

_TREE = Path(__file__).resolve().parents[2]
_SCRIPTS = Path(sys.executable).parent


class Services:
    """Makes the specifications of our processes over one state folder and one database."""

    def __init__(self, state: State, database: DatabaseUrls) -> None:
        self._state = state
        self._database = database

    def specs(self) -> tuple[ProcessSpec, ...]:
        """Codec, pretend tools, starter and worker, in the order in which they start."""
        ports = self._state.ports
        return (
            self._spec(
                CODEC, [str(_SCRIPTS / "deskhand"), "codec"], self._codec(), _answer(f"{at(ports.codec)}/healthz")
            ),
            self._spec(
                PRETEND,
                [sys.executable, "-m", "deskhand.pretend", "--host", "127.0.0.1", *self._pretend_ports()],
                {},
                _answer(*map(at, ports.tools.values())),
            ),
            self._spec(
                STARTER, [sys.executable, "-m", "starter"], self._starter(), _answer(f"{at(ports.starter)}/readyz")
            ),
            self._spec(
                WORKER,
                [sys.executable, str(_TREE / "worker.py")],
                self._worker(),
                lambda pid: temporal.polls(temporal_address(self._state), TASK_QUEUE, pid),
                stop_seconds=40,  # it lets what it is at finish
            ),
        )

    def command_line(self) -> dict[str, str]:
        """The environment in which `deskhand` commands work on this stack."""
        return {
            **self._common(),
            **self._temporal(),
            "DESKHAND_DATABASE_OPERATOR_URL": self._database.operator,
            "DESKHAND_CREDENTIAL_KEYS_FILE": str(self._state.credential_keys_file),
            "DESKHAND_PAYLOAD_KEYS_FILE": str(self._state.payload_keys_file),
            "DESKHAND_PUBLIC_URL": at(self._state.ports.starter),
            "DESKHAND_DEV_VENDORS": self._vendors(),
            "DESKHAND_TEMPORAL_UI_URL": at(self._state.ports.temporal_ui),
        }

    def _codec(self) -> dict[str, str]:
        return {
            "DESKHAND_PAYLOAD_KEYS_FILE": str(self._state.payload_keys_file),
            "DESKHAND_CODEC_HOST": "127.0.0.1",
            "DESKHAND_CODEC_PORT": str(self._state.ports.codec),
            "DESKHAND_CODEC_ORIGIN": at(self._state.ports.temporal_ui),
        }

    def _starter(self) -> dict[str, str]:
        # No credential keys: the process that strangers reach cannot open an API credential.
        return {
            **self._temporal(),
            "DESKHAND_DATABASE_URL": self._database.app,
            "DESKHAND_PAYLOAD_KEYS_FILE": str(self._state.payload_keys_file),
            "DESKHAND_STARTER_HOST": "127.0.0.1",
            "DESKHAND_STARTER_PORT": str(self._state.ports.starter),
        }

    def _worker(self) -> dict[str, str]:
        return {
            **self._temporal(),
            "DESKHAND_DATABASE_URL": self._database.app,
            "DESKHAND_CREDENTIAL_KEYS_FILE": str(self._state.credential_keys_file),
            "DESKHAND_PAYLOAD_KEYS_FILE": str(self._state.payload_keys_file),
            "DESKHAND_DEV_VENDORS": self._vendors(),
        }

    def _temporal(self) -> dict[str, str]:
        return {"TEMPORAL_ADDRESS": temporal_address(self._state), "TEMPORAL_NAMESPACE": temporal.NAMESPACE}

    def _common(self) -> dict[str, str]:
        return {
            "PATH": f"{_SCRIPTS}:/usr/bin:/bin",
            "HOME": str(self._state.folder),  # so that no configuration of the person's own is read
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "DESKHAND_ENVIRONMENT": "development",
            "DESKHAND_LOG_FORMAT": "readable",
        }

    def _vendors(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._state.ports.tools.values())

    def _pretend_ports(self) -> tuple[str, ...]:
        return tuple(part for tool, port in self._state.ports.tools.items() for part in (f"--{tool}-port", str(port)))

    def _spec(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        ready: Callable[[int], Awaitable[bool]],
        stop_seconds: float = 10,
    ) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            argv=tuple(argv),
            env={**self._common(), **env},
            log=self._state.log(name),
            folder=_TREE,
            ready=ready,
            stop_seconds=stop_seconds,
        )


def at(port: int) -> str:
    """The address of a part that serves HTTP."""
    return f"http://127.0.0.1:{port}"


def temporal_address(state: State) -> str:
    """Where the Temporal server listens, as `host:port`."""
    return f"127.0.0.1:{state.ports.temporal}"


def _answer(*urls: str) -> Callable[[int], Awaitable[bool]]:
    async def ready(_pid: int) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            for url in urls:
                try:
                    if (await client.get(url)).status_code != 200:
                        return False
                except httpx.HTTPError:
                    return False
        return True

    return ready
