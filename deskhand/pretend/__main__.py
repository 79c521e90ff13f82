"""`python -m deskhand.pretend`: the three pretend ticketing tools in one process, until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
import sys
from contextlib import AsyncExitStack

from deskhand.pretend.jira import PretendJira
from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from deskhand.pretend.serving import serve
from deskhand.pretend.vendor import PretendVendor
from deskhand.pretend.zendesk import PretendZendesk

TOOLS: tuple[type[PretendVendor], ...] = (PretendJira, PretendZendesk, PretendServiceDeskPlus)


async def run(host: str, ports: dict[str, int]) -> None:
    """Serve each tool (tool type to port; 0 takes a free one) until the process is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        for tool in TOOLS:
            vendor = await stack.enter_async_context(serve(tool, host, ports[tool.tool_type]))
            sys.stdout.write(f"{tool.title}: {vendor.origin}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m deskhand.pretend", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    for tool in TOOLS:
        option = f"--{tool.tool_type.replace('_', '-')}-port"
        parser.add_argument(option, type=int, default=0, help=f"port of the pretend {tool.title}; 0 takes a free one")
    arguments = parser.parse_args()
    ports = {tool.tool_type: getattr(arguments, f"{tool.tool_type}_port") for tool in TOOLS}
    try:
        asyncio.run(run(arguments.host, ports))
    except OSError as error:
        sys.stderr.write(f"cannot serve the pretend tools: {error.strerror or error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
