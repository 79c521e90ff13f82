"""`deskhand dev`: the development stack, kept running until Ctrl-C."""

import shlex
from collections.abc import Iterator

from deskhand.devstack.interrupt import StoppedBySignal, run
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State, write_private
from deskhand.pretend.tools import load_tools


def dev() -> None:
    """Start PostgreSQL, Temporal, the pretend tools, starter, worker and codec, and keep them running until Ctrl-C."""
    try:
        run(_keep_running())
    except StoppedBySignal:
        print("Stopped. The state is kept: start again with `make dev`, delete it with `make clean`.")


async def _keep_running() -> None:
    async with Stack(State.open(), progress=lambda part: print(f"starting {part}", flush=True)) as stack:
        commands = stack.state.folder / "commands.env"
        write_private(commands, "".join(_settings(stack)))
        print(*_addresses(stack), sep="\n")
        print(f"For `deskhand` commands in another shell: . {commands}", "Ctrl-C stops it.", sep="\n", flush=True)
        await stack.watch()


def _settings(stack: Stack) -> Iterator[str]:
    """Lines for a shell that make `deskhand` commands work on the stack. They hold secrets."""
    for name, value in stack.command_environment().items():
        if name.startswith(("DESKHAND_", "TEMPORAL_")):
            yield f"export {name}={shlex.quote(value)}\n"


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
