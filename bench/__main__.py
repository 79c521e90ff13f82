"""`python -m bench`: measure, and print the table against the bars. A missed bar is printed, and no failure."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench import history, machine, micro, rendering, rounds, start_up, table
from bench.frame import FULL, QUICK, BenchError, Figure, Plan
from bench.ours import ours
from deskhand.devstack.errors import DevStackError
from deskhand.devstack.interrupt import StoppedBySignal, run


async def measure(plan: Plan, wanted: frozenset[str]) -> list[Figure]:
    """The figures of the wanted rows. What takes longest comes last: whatever is wrong is soon seen."""
    figures = await micro.measure(plan, wanted, _progress)
    figures += await rendering.measure(plan, wanted, _progress)
    if wanted & (history.KEYS | start_up.KEYS):
        async with ours() as side:
            figures += await history.measure(side, wanted, _progress)
            figures += await start_up.measure(side.stack, plan, wanted, _progress)
    if wanted & rounds.KEYS:
        figures += await rounds.measure(plan, wanted, _progress)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status: 0 whatever the bars say, 1 if it could not be measured."""
    parser = _parser()
    given = parser.parse_args(arguments)
    unknown = [row for row in given.rows if row not in table.BY_KEY]
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; see --help")
    # Fresh servers are the stack's own: it would take a database that the environment names.
    for name in [name for name in os.environ if name.startswith(("DESKHAND_", "TEMPORAL_"))]:
        del os.environ[name]
    began = time.monotonic()
    try:
        described = machine.describe()
        figures = run(measure(QUICK if given.quick else FULL, frozenset(given.rows or table.BY_KEY)))
    except StoppedBySignal as stopped:
        return stopped.exit_code
    except (BenchError, DevStackError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    described["load after"] = machine.load()
    described["taken"] = f"{time.monotonic() - began:.0f} s"
    for figure in figures:
        if figure.row == rounds.OTHERS:
            described["other programs"] = f"{figure.median:.0f} % of the machine while ours and the floor took turns"
    print(table.table(figures))
    if given.behind:
        print(f"\n{table.behind(figures)}")
    print("\n" + "\n".join(f"{what}: {said}" for what, said in described.items()))
    if given.json is not None:
        report = {"machine": described, "figures": [asdict(figure) for figure in figures]}
        given.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"only these: {', '.join(table.BY_KEY)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and tickets: under two minutes")
    parser.add_argument("--behind", action="store_true", help="print what the figures were made of, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's values there")
    return parser


def _progress(what: str) -> None:
    sys.stderr.write(f"bench: {what}\n")


if __name__ == "__main__":
    sys.exit(main())
