"""`deskhand dev`: the development stack, kept running until Ctrl-C."""

from collections.abc import Iterator

from deskhand.devstack.interrupt import StoppedBySignal, run
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from deskhand.pretend.tools import load_tools


def dev() -> None:
    """Start PostgreSQL, Temporal, the pretend tools, starter, worker and codec, and keep them running until Ctrl-C."""
    try:
        run(_keep_running())
    except StoppedBySignal:
        print("Stopped. The state is kept: start again with `make dev`, delete it with `make clean`.")


async def _keep_running() -> None:
    async with Stack(State.open(), progress=lambda part: print(f"starting {part}", flush=True)) as stack:
        print(*_addresses(stack), "Ctrl-C stops it.", sep="\n", flush=True)
        await stack.watch()


def _addresses(stack: Stack) -> Iterator[str]:
    at = stack.addresses
    rows = {
        "Temporal UI": at.temporal_ui,
        "Starter (webhooks)": f"{at.starter}/webhooks/<tool>/<tenant>",
        **{f"Pretend {tool.title}": at.tools[name] for name, tool in load_tools().items()},
        "Codec": at.codec,
        "Temporal": at.temporal,
        "State": str(stack.state.folder),
        "Logs": str(stack.state.folder / "logs"),
    }
    width = max(map(len, rows))
    return (f"{name:{width}}  {value}" for name, value in rows.items())
