"""`python -m deskhand.pretend`: the pretend ticketing tools in one process, until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
import sys
from contextlib import AsyncExitStack

from deskhand.pretend.tools import load_tools
from plugins.conformance.pretend.serving import serve
from plugins.conformance.pretend.vendor import PretendVendor


async def run(host: str, tools: dict[type[PretendVendor], int]) -> None:
    """Serve each tool at its port (0 takes a free one) until the process is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        for tool, port in tools.items():
            vendor = await stack.enter_async_context(serve(tool, host, port))
            sys.stdout.write(f"{tool.title}: {vendor.origin}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> int:
    """Parse the command line and serve."""
    tools = load_tools()
    parser = argparse.ArgumentParser(prog="python -m deskhand.pretend", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    for name, tool in tools.items():
        parser.add_argument(
            f"--{name}-port", type=int, default=0, help=f"port of the pretend {tool.title}; 0 takes a free one"
        )
    arguments = vars(parser.parse_args())
    ports = {tool: arguments[f"{name}_port"] for name, tool in tools.items()}
    try:
        asyncio.run(run(arguments["host"], ports))
    except OSError as error:
        sys.stderr.write(f"cannot serve the pretend tools: {error.strerror or error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
