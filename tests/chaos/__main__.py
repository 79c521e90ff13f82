"""`python -m tests.chaos`: kill everything and have the vendors fail, and see that each ticket has its one note."""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.interrupt import StoppedBySignal, run
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from deskhand.devstack.temporary import temporary_state
from tests.chaos.plan import Plan, make_plan
from tests.chaos.running import Result, carry_out


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one run and print its account; the exit status: 0 only if all holds."""
    given = _parser().parse_args(arguments)
    # The stack is to be its own: it would take a database that the environment names.
    for name in [name for name in os.environ if name.startswith(("DESKHAND_", "TEMPORAL_"))]:
        del os.environ[name]
    plan = make_plan(given.seed, tickets=given.tickets, seconds=given.seconds)
    _progress(f"seed {plan.seed}")
    try:
        result = run(_on_a_stack(plan, given.evidence))
    except StoppedBySignal as stopped:
        return stopped.exit_code
    except DevStackError as error:
        sys.stderr.write(f"chaos: {error}\n")
        return 1
    sys.stdout.write("\n".join(result.report) + "\n")
    for violation in result.violations:
        sys.stdout.write(f"VIOLATION  {violation}\n")
    sys.stdout.write("all holds\n" if not result.violations else f"{len(result.violations)} violations\n")
    return 1 if result.violations else 0


async def _on_a_stack(plan: Plan, evidence: Path | None) -> Result:
    with temporary_state("deskhand-chaos-") as folder:
        async with Stack(State.open(folder)) as stack:
            return await carry_out(stack, plan, _progress, evidence=evidence)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="repeats a plan")  # noqa: S311 - no secret
    parser.add_argument("--tickets", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=150, help="how long tickets come in and things are killed")
    parser.add_argument("--evidence", type=Path, metavar="FOLDER", help="keep there what shows what went wrong")
    return parser


def _progress(what: str) -> None:
    sys.stderr.write(f"chaos: {what}\n")


if __name__ == "__main__":
    sys.exit(main())
